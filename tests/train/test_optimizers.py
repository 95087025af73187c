"""Clipping, accumulation, parameter groups and frozen parameters: what each does, in Python and from a config."""

import tomllib
import warnings
from typing import Any

import chex
import jax
import numpy as np
import optax
import pytest
from jax import numpy as jnp

from jaxnn import dense, quadratic, serial, tanh, value_and_grad
from jaxnn.config import (
    ConfigError,
    build_optimizer,
    config_hash,
    dump,
    fields,
    find,
    load,
    numbers,
    shipped_configs,
    with_numbers,
)
from jaxnn.errors import UserError
from jaxnn.storage.arrays import path_name
from jaxnn.train import Group, optimizer
from jaxnn.train.optimizers import is_weight, optimizer_names, takes_learning_rate

MODEL = serial(dense(7), tanh(), dense(3))
GRADIENT = value_and_grad(MODEL, quadratic())
X = jax.random.normal(jax.random.key(1), (24, 5))
Y = jax.random.normal(jax.random.key(2), (24, 3))
PARAMS = jax.tree.map(lambda a: a + 0.1, MODEL.init(jax.random.key(0), X))
FIRST_ORDER = sorted(name for name in optimizer_names() if takes_learning_rate(name))
NORM = optax.tree.norm(GRADIENT(PARAMS, X, Y)[1])


def first_order(name, learning_rate, **options) -> optax.GradientTransformation:
    transform = optimizer(name, learning_rate, **options)
    assert isinstance(transform, optax.GradientTransformation)
    return transform


def from_config(config) -> optax.GradientTransformation:
    transform = build_optimizer(config)
    assert isinstance(transform, optax.GradientTransformation)
    return transform


def train(transform, steps=5, params=PARAMS, batches=None) -> Any:
    """The parameters after so many steps, and the optimizer state."""
    batches = [(X, Y)] * steps if batches is None else batches

    def step(carry, batch):
        params, state = carry
        updates, state = transform.update(GRADIENT(params, *batch)[1], state, params)
        return (optax.apply_updates(params, updates), state), None

    stacked = jax.tree.map(lambda *a: jnp.stack(a), *batches)
    return jax.jit(lambda carry: jax.lax.scan(step, carry, stacked)[0])((params, transform.init(params)))


def one_update(transform, gradient, params=PARAMS) -> Any:
    return transform.update(gradient, transform.init(params), params)[0]


def test_optimizer_without_features_is_the_optax_alias():
    for options in ({}, {"clip_norm": None, "clip_value": None, "accumulate": 1, "groups": ()}):
        (params, state), (params_optax, state_optax) = (
            train(transform) for transform in (first_order("adam", 0.1, **options), optax.adam(0.1))
        )
        chex.assert_trees_all_equal(params, params_optax)
        # The chain has places for other transforms. They hold no array.
        chex.assert_trees_all_equal(jax.tree.leaves(state), jax.tree.leaves(state_optax))


@pytest.mark.parametrize("share", [0.1, 0.99, 1.01, 10])
def test_clip_norm_bounds_global_norm_and_keeps_direction(share):
    gradient = GRADIENT(PARAMS, X, Y)[1]
    update = one_update(first_order("sgd", 1.0, clip_norm=share * NORM), gradient)
    np.testing.assert_allclose(optax.tree.norm(update), NORM * min(share, 1), rtol=1e-9)
    chex.assert_trees_all_close(update, jax.tree.map(lambda g: -g * min(share, 1), gradient), rtol=1e-9)


@pytest.mark.parametrize("bound", [0.01, 0.1, 100.0])
def test_clip_value_bounds_each_entry(bound):
    gradient = GRADIENT(PARAMS, X, Y)[1]
    update = one_update(first_order("sgd", 1.0, clip_value=bound), gradient)
    chex.assert_trees_all_equal(update, jax.tree.map(lambda g: -np.clip(g, -bound, bound), gradient))


def test_clip_value_comes_before_clip_norm_and_both_before_l2():
    gradient = GRADIENT(PARAMS, X, Y)[1]
    update = one_update(first_order("sgd", 1.0, l2=3.0, clip_value=0.05, clip_norm=0.1), gradient)
    cut = jax.tree.map(lambda g: np.clip(g, -0.05, 0.05), gradient)
    scale = 0.1 / optax.tree.norm(cut)
    assert scale < 1
    np.testing.assert_allclose(update[0].weight, -scale * cut[0].weight - 3.0 * PARAMS[0].weight, rtol=1e-9)
    np.testing.assert_allclose(update[0].bias, -scale * cut[0].bias, rtol=1e-9)


@pytest.mark.parametrize(("name", "options"), [("sgd", {}), ("adam", {"clip_norm": 0.3}), ("momentum", {"l2": 0.1})])
def test_accumulate_over_micro_batches_equals_one_step_on_the_mean(name, options):
    micro = [(X[i : i + 6], Y[i : i + 6]) for i in (0, 6, 12, 18)]
    params, _ = train(first_order(name, 0.1, accumulate=4, **options), batches=micro * 3)
    whole, _ = train(first_order(name, 0.1, **options), steps=3)
    chex.assert_trees_all_close(params, whole, rtol=1e-9)
    waiting, _ = train(first_order(name, 0.1, accumulate=4, **options), batches=micro[:3])
    chex.assert_trees_all_equal(waiting, PARAMS)


def test_accumulate_counts_updates_in_schedule():
    rates = optax.piecewise_constant_schedule(0.1, {1: 0.5})
    params, _ = train(first_order("sgd", rates, accumulate=3), steps=6)
    expected, _ = train(first_order("sgd", rates), steps=2)
    chex.assert_trees_all_close(params, expected, rtol=1e-9)


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam", "adamw", "rmsprop"])
def test_group_trains_as_alone_with_its_rate_and_decay(name):
    # The gradient of the first layer does not depend on the group if the other layers are frozen in both runs.
    others = Group("2/*", frozen=True)
    params, _ = train(first_order(name, 0.1, l2=0.2, groups=(Group("0/*", 0.03, l2=0.5), others)))
    alone, _ = train(first_order(name, 0.03, l2=0.5, groups=(others,)))
    chex.assert_trees_all_equal(params, alone)
    main, _ = train(first_order(name, 0.1, l2=0.2, groups=(others,)))
    assert not np.array_equal(params[0].weight, main[0].weight)


def test_group_without_rate_or_decay_uses_those_of_the_optimizer():
    plain, _ = train(first_order("adam", 0.1, l2=0.2))
    for group in (Group("*"), Group("2/*"), Group("2/*", learning_rate=0.1), Group("2/*", l2=0.2)):
        chex.assert_trees_all_equal(train(first_order("adam", 0.1, l2=0.2, groups=[group]))[0], plain)


def test_group_first_match_wins():
    first, second = Group("*/bias", 0.0), Group("2/*", 0.5)
    gradient = GRADIENT(PARAMS, X, Y)[1]
    update = one_update(first_order("sgd", 1.0, groups=(first, second)), gradient)
    rates = {"0/weight": 1.0, "0/bias": 0.0, "2/weight": 0.5, "2/bias": 0.0}
    expected = jax.tree_util.tree_map_with_path(lambda path, g: -rates[path_name(path)] * g, gradient)
    chex.assert_trees_all_equal(update, expected)


@pytest.mark.parametrize("name", FIRST_ORDER)
def test_frozen_parameters_keep_every_bit_and_have_no_state(name):
    groups = (Group("0/*", frozen=True), Group("2/bias", 0.05))
    with warnings.catch_warnings(action="ignore"):  # noisy_sgd asks for a key
        transform = first_order(name, 0.1, l2=0.1, clip_norm=1.0, accumulate=2, groups=groups)
        params, state = train(transform, steps=4)
    chex.assert_trees_all_equal(params[0], PARAMS[0])
    assert not np.array_equal(params[2].weight, PARAMS[2].weight)
    larger = (PARAMS[0]._replace(weight=jnp.zeros((11, 13)), bias=jnp.zeros(17)), *PARAMS[1:])
    chex.assert_trees_all_equal_shapes_and_dtypes(state, jax.eval_shape(transform.init, larger))


def test_frozen_parameters_do_not_count_in_clip_norm():
    gradient = GRADIENT(PARAMS, X, Y)[1]
    update = one_update(first_order("sgd", 1.0, clip_norm=0.01, groups=[Group("0/*", frozen=True)]), gradient)
    assert not any(leaf.any() for leaf in jax.tree.leaves(update[0]))
    np.testing.assert_allclose(optax.tree.norm(update), 0.01, rtol=1e-9)


def test_all_parameters_may_be_frozen():
    transform = first_order("adam", 0.1, clip_norm=1.0, accumulate=2, groups=[Group("*", frozen=True)])
    chex.assert_trees_all_equal(train(transform)[0], PARAMS)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([Group("1/*")], r"^optimizer group '1/\*': expected a pattern for a parameter, found none among "),
        ([Group("0/weigth")], r"found none among 0/weight, 0/bias, 2/weight, 2/bias$"),
        ([Group("*"), Group("0/*", frozen=True)], r"'0/\*': expected a pattern for a parameter that no earlier group"),
    ],
)
def test_group_without_parameters_is_refused_with_the_parameter_paths(groups, message):
    transform = first_order("sgd", 0.1, groups=groups)
    with pytest.raises(UserError, match=message) as error:
        transform.init(PARAMS)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("sgd", {"clip_norm": 0.0}, "expected clip_norm above 0, found 0"),
        ("sgd", {"clip_value": -1.0}, "expected clip_value above 0, found -1"),
        ("sgd", {"accumulate": 0}, "expected accumulate of at least 1, found 0"),
        ("sgd", {"groups": [Group("*", 0.1, frozen=True)]}, "expected learning_rate and l2, or frozen, found both"),
        ("bfgs", {"clip_norm": 1.0, "accumulate": 2}, "remove clip_norm, accumulate$"),
        ("newton", {"clip_value": 1.0, "groups": [Group("*")]}, "remove clip_value, groups$"),
    ],
)
def test_optimizer_refuses_impossible_features_in_one_line(name, options, message):
    with pytest.raises(UserError, match=message) as error:
        optimizer(name, 0.1 if takes_learning_rate(name) else None, **options)
    assert "\n" not in str(error.value)


FEATURES = [
    "optimizer.clip_norm=0.7",
    "optimizer.clip_value=0.3",
    "optimizer.accumulate=2",
    "optimizer.l2=0.01",
    'optimizer.groups=[{match="0/weight", learning_rate=0.02}, {match="0/*", frozen=true}, {match="2/*", l2=0.0}]',
]
GROUPS = [Group("0/weight", 0.02), Group("0/*", frozen=True), Group("2/*", l2=0.0)]


def test_config_builds_the_optimizer_with_its_features():
    params, _ = train(from_config(load("digits_mlp", FEATURES)))
    same = first_order("adam", 0.003, l2=0.01, clip_norm=0.7, clip_value=0.3, accumulate=2, groups=GROUPS)
    chex.assert_trees_all_equal(params, train(same)[0])


def test_config_numbers_of_features_are_traceable():
    config = load("digits_mlp", FEATURES)
    values = {name: value for name, value in numbers(config).items() if name.startswith("optimizer.")}
    assert values.keys() == {
        "optimizer.learning_rate",
        "optimizer.l2",
        "optimizer.clip_norm",
        "optimizer.clip_value",
        "optimizer.groups.0.learning_rate",
        "optimizer.groups.2.l2",
    }

    @jax.jit
    @chex.assert_max_traces(n=1)
    def trained(values):
        transform = from_config(with_numbers(config, values))
        carry = (PARAMS, transform.init(PARAMS))
        for _ in range(4):
            updates, state = transform.update(GRADIENT(carry[0], X, Y)[1], carry[1], carry[0])
            carry = (optax.apply_updates(carry[0], updates), state)
        return carry[0]

    for factor in (1.0, 0.5):
        changed = {name: factor * value for name, value in values.items()}
        constants = from_config(with_numbers(config, changed))
        chex.assert_trees_all_close(trained(changed), train(constants, steps=4)[0], rtol=1e-9)


def test_config_keys_of_features_round_trip_and_change_the_hash(tmp_path):
    plain = load("digits_mlp")
    extra = ["optimizer.average=0.999", "loss.class_weights=[1, 2.5]", "train.compute=bfloat16"]
    config = load("digits_mlp", [*FEATURES, *extra])
    assert config.optimizer.average == 0.999
    assert config.loss is not None
    assert config.loss.class_weights == (1.0, 2.5)
    assert config.train.compute == "bfloat16"
    assert "class_weights" not in config.loss.options
    (tmp_path / "config.toml").write_text(dump(config), encoding="utf-8")
    assert load(tmp_path / "config.toml") == config
    hashes = {config_hash(load("digits_mlp", [override])) for override in [*FEATURES, *extra]}
    assert len(hashes | {config_hash(plain)}) == len(FEATURES) + len(extra) + 1


@pytest.mark.parametrize("name", sorted(shipped_configs()))
def test_config_without_features_has_none_of_their_keys(name):
    # So its text and its hash are those from before these keys existed.
    table, written = tomllib.loads(dump(load(name))), tomllib.loads(find(name).read_text(encoding="utf-8"))
    features = {"clip_norm", "clip_value", "accumulate", "average", "groups"}
    assert table["optimizer"].keys() & features == written["optimizer"].keys() & features
    assert "class_weights" not in table.get("loss", {})
    assert "compute" not in table["train"]


def test_config_reports_features_that_a_second_order_optimizer_cannot_take():
    with pytest.raises(ConfigError) as error:
        load("blobs_neuron", ['optimizer={name="bfgs", learning_rate=1, clip_norm=1, accumulate=2}'])
    assert [line.split(": ")[1] for line in error.value.lines] == [
        f"optimizer.{key}" for key in ("learning_rate", "clip_norm", "accumulate")
    ]


def test_every_config_key_has_a_help_text():
    assert {"optimizer.clip_norm", "optimizer.groups.match", "train.compute"} <= {field.name for field in fields()}
    for field in fields():
        assert field.help and field.type != "a value", field


def test_is_weight_finds_weights_of_named_tuples_and_of_dictionaries():
    params = {"hidden": {"weight": 1.0, "bias": 0.0}, "head": dense(2).init(jax.random.key(0), jnp.ones((1, 3)))}
    weights = is_weight(params)
    assert weights["hidden"] == {"weight": True, "bias": False}
    assert (weights["head"].weight, weights["head"].bias) == (True, False)


def test_nadam_is_listed_and_is_adam_with_nesterov_momentum():
    expected, _ = train(optax.adam(0.1, nesterov=True))
    params, _ = train(first_order("nadam", 0.1))
    chex.assert_trees_all_close(params, expected, rtol=1e-6)
    with pytest.raises(AssertionError):
        chex.assert_trees_all_close(params, train(optax.adam(0.1))[0], rtol=1e-6)
