"""Names of layers in a config: they are the names of parts, so of parameters, summaries and optimizer groups."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from jaxnn.combine import serial, share
from jaxnn.config import ConfigError, build_model, config_hash, load
from jaxnn.config.experiment import make_experiment
from jaxnn.experiment import run
from jaxnn.layers import embedding, recur, unembedding
from jaxnn.layers.cells import gru

NAMED = """
title = "Named layers"
[data]
name = "circles"
[[net]]
layer = "dense"
name = "hidden"
units = 7
[[net]]
layer = "residual"
name = "block"
layers = [{layer = "dense", name = "inner", units = 7}, {layer = "tanh", name = "bend"}]
[[net]]
layer = "dense"
name = "head"
units = 2
[loss]
name = "softmax_cross_entropy"
[optimizer]
name = "sgd"
learning_rate = 0.1
[[optimizer.groups]]
match = "hidden/*"
frozen = true
[train]
epochs = 3
best = "train.loss"
"""


TIED = """
[[net]]
layer = "embedding"
name = "embed"
rows = 11
units = 6
[[net]]
layer = "recur"
name = "body"
cell = {name = "gru", units = 6}
[[net]]
layer = "unembedding"
name = "head"
rows = 11
share = "embed"
"""


@pytest.fixture
def named(tmp_path):
    path = tmp_path / "named.toml"
    path.write_text(NAMED)
    return path


def test_config_names_are_those_of_the_parameters(named):
    config = load(named)
    params = build_model(config).init(jax.random.key(0), jax.ShapeDtypeStruct((1, 2), "float32"))
    assert set(params) == {"hidden", "block", "head"} and set(params["block"]) == {"inner", "bend"}


def test_config_group_freezes_a_layer_by_its_name(named):
    state = run(make_experiment(load(named))).outcome.state
    first = make_experiment(load(named, ["train.epochs=1"]))
    start = run(first).outcome.state.update.params
    moved = {
        name: not bool((state.update.params[name].weight == start[name].weight).all()) for name in ("hidden", "head")
    }
    assert moved == {"hidden": False, "head": True}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'name = "head"\n',
            "",
            "net: expected a name of its own for every layer, or for none, found hidden, block, none",
        ),
        ('name = "head"', 'name = "hidden"', "found hidden, block, hidden"),
        ('name = "head"', 'name = "a/b"', "net.2.name"),
        ('name = "bend"', 'name = "inner"', "net.1.layers: expected a name of its own"),
    ],
)
def test_config_refuses_names_that_cannot_be(named, old, new, message):
    named.write_text(NAMED.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        load(named)


def test_config_layer_shares_the_weights_of_an_earlier_one(tmp_path):
    path, head = tmp_path / "tied.toml", NAMED.partition("[[net]]")
    path.write_text(head[0] + TIED + "[loss]" + head[2].partition("[loss]")[2].replace("hidden/*", "embed/*"))
    tokens = jnp.zeros((2, 3), jnp.int32)
    model = build_model(load(path))
    params = model.init(jax.random.key(0), tokens)
    assert set(params) == {"embed", "body"} and model.apply(params, tokens).shape == (2, 3, 11)
    tied = serial(embed=embedding(11, 6), body=recur(gru(6)), head=share("embed", unembedding(11)))
    np.testing.assert_array_equal(tied.apply(params, tokens), model.apply(params, tokens))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'name = "head"',
            'name = "head"\nshare = "hiden"',
            r"earlier layer of this list \(hidden, block\), found 'hiden'",
        ),
        ('name = "hidden"', 'name = "hidden"\nshare = "head"', r"list \(none with a name\), found 'head'"),
        ('name = "bend"', 'name = "bend"\nshare = "hidden"'.replace("\n", ", "), r"list \(inner\), found 'hidden'"),
        (
            'layer = "residual"',
            'layer = "parallel"',
            "parallel: expected layers with weights of their own, found share",
        ),
    ],
)
def test_config_refuses_shared_weights_that_cannot_be(named, old, new, message):
    text = NAMED
    if "parallel" in new:
        text = text.replace('name = "bend"', 'name = "bend", share = "inner"')
    named.write_text(text.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        load(named)


def test_config_hash_does_not_depend_on_absent_names():
    """A config without names says nothing of them."""
    assert "name" not in load("digits_mlp").net[0].model_dump(exclude_none=True)
    assert config_hash(load("digits_mlp")) == config_hash(load("digits_mlp", ["net.0.layer=flatten"]))
