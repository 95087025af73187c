"""Laws of mixed precision: types stay outside, values agree within the precision inside, and a run trains so."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from jaxnn import autodiff, compute_in, conv, dense, dropout, flatten, gelu, max_pool, residual, serial, softmax, tanh
from jaxnn.backprop import value_and_grad
from jaxnn.config import load
from jaxnn.config.experiment import make_experiment
from jaxnn.errors import UserError
from jaxnn.experiment import run
from jaxnn.layer import Layer
from jaxnn.losses import softmax_cross_entropy

#: name -> a layer and the shape of its batch
LAYERS: dict[str, tuple[Layer, tuple[int, ...]]] = {
    "dense": (dense(11), (7, 13)),
    "conv": (serial(conv(5, 3), gelu(), max_pool(2), flatten(), dense(3)), (2, 9, 9, 3)),
    "residual": (residual(serial(dense(13), tanh())), (7, 13)),
    "dropout": (serial(dense(5), dropout(0.3), softmax()), (7, 13)),
}
LAYER = pytest.mark.parametrize("name", LAYERS)


def pulled_back(layer, name, dtype):
    """(y, dparams, dx) of a layer for arguments of a type."""
    x = np.random.default_rng(0).normal(size=LAYERS[name][1])
    x = jnp.asarray(x, dtype)
    params = jax.tree.map(lambda a: a.astype(dtype), LAYERS[name][0].init(jax.random.key(0), x))
    y, res = layer.forward(params, x, jax.random.key(1))
    return y, *layer.backward(params, res, jnp.asarray(np.random.default_rng(2).normal(size=y.shape), dtype))


@LAYER
def test_compute_in_the_same_type_changes_no_bit(name):
    layer = LAYERS[name][0]
    same = pulled_back(compute_in(layer, "float32"), name, "float32")
    for a, b in zip(jax.tree.leaves(pulled_back(layer, name, "float32")), jax.tree.leaves(same), strict=True):
        np.testing.assert_array_equal(a, b)


@LAYER
def test_compute_in_bfloat16_keeps_the_types_outside(name):
    for leaf in jax.tree.leaves(pulled_back(compute_in(LAYERS[name][0], "bfloat16"), name, "float32")):
        assert leaf.dtype == jnp.float32


@LAYER
@pytest.mark.parametrize(("dtype", "eps"), [("bfloat16", 2**-8), ("float32", 2**-24)])
def test_compute_in_agrees_within_the_precision_inside(name, dtype, eps):
    layer = LAYERS[name][0]
    low, exact = pulled_back(compute_in(layer, dtype), name, "float64"), pulled_back(layer, name, "float64")
    for a, b in zip(jax.tree.leaves(low), jax.tree.leaves(exact), strict=True):
        assert np.linalg.norm(a - b) <= 20 * eps * np.linalg.norm(b)
        if dtype == "bfloat16" and np.size(b) > 1:
            assert np.linalg.norm(a - b) > 0  # it is computed there


def test_compute_in_keeps_residuals_in_the_type_inside():
    layer = compute_in(dense(11), "bfloat16")
    x = jnp.ones((7, 13), jnp.float32)
    params = layer.init(jax.random.key(0), x)
    assert params.weight.dtype == jnp.float32
    _, (inner, *_) = layer.forward(params, x, None)
    assert {leaf.dtype for leaf in jax.tree.leaves(inner)} == {jnp.dtype("bfloat16")}


def test_compute_in_passes_integers():
    def look_up(params, x, key):
        return params[0][x]

    layer = compute_in(autodiff(lambda key, x: (jnp.ones((5, 3), jnp.float32),), look_up), "bfloat16")
    x = jnp.asarray([0, 2, 2])
    params = layer.init(jax.random.key(0), x)
    y, res = layer.forward(params, x, None)
    dparams, dx = layer.backward(params, res, jnp.ones_like(y))
    assert (y.dtype, dparams[0].dtype, dx) == (jnp.float32, jnp.float32, None)
    np.testing.assert_array_equal(dparams[0][:, 0], [1, 0, 2, 0, 0])


def test_loss_of_a_mixed_precision_net_is_summed_in_float32():
    model = compute_in(serial(dense(11)), "bfloat16")
    x, target = jnp.ones((7, 13), jnp.float32), jnp.zeros(7, jnp.int32)
    params = model.init(jax.random.key(0), x)
    (value, y), dparams = value_and_grad(model, softmax_cross_entropy())(params, x, target)
    assert {a.dtype for a in jax.tree.leaves((value, y, dparams))} == {jnp.dtype("float32")}


def test_config_trains_in_mixed_precision():
    short = ["train.epochs=5", "data.train=600"]
    full = run(make_experiment(load("digits_mlp", short))).outcome
    mixed = run(make_experiment(load("digits_mlp", [*short, "train.compute=bfloat16"]))).outcome
    assert {a.dtype for a in jax.tree.leaves(mixed.state.update.params)} == {jnp.dtype("float32")}
    losses = [outcome.history.train["loss"][0] for outcome in (full, mixed)]
    assert (losses[0] != losses[1]).any()
    np.testing.assert_allclose(losses[1], losses[0], rtol=0.1)


def test_compute_in_refuses_an_unknown_type():
    with pytest.raises(UserError, match="expected one of bfloat16, float16, float32, float64, found 'int8'"):
        compute_in(dense(3), "int8")
