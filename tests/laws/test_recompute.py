"""What `recompute` promises: it keeps its input alone, in bytes and in a compiled step, and changes no number."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from jaxnn import dense, dropout, objective, quadratic, recompute, serial, silu, tanh, value_and_grad
from jaxnn.config import build_model, load
from jaxnn.layers import recur, transformer
from jaxnn.layers.cells import gru
from jaxnn.summary import nbytes

KEY = jax.random.key(0)


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def block(units: int = 64):
    return serial(dense(4 * units), silu(), dropout(0.2), dense(units), tanh())


def kept_bytes(layer, x) -> int:
    params = jax.eval_shape(layer.init, KEY, x)
    _, res = jax.eval_shape(layer.forward, params, x, None)
    return sum(nbytes(leaf) for leaf in jax.tree.leaves(res))


@pytest.mark.parametrize("layer", [block(), recur(gru(32))], ids=["net", "recurrent"])
def test_only_the_input_is_kept(layer):
    x = normal(5, 7, 16)
    assert kept_bytes(recompute(layer), x) == x.nbytes
    assert kept_bytes(layer, x) > 4 * x.nbytes  # control


def gradients(model, params, x, target):
    run = jax.jit(value_and_grad(model, quadratic()))
    return run(params, x, target, KEY)


def test_no_number_changes():
    x, target = normal(8, 64), normal(8, 64)
    plain, recomputed = (serial(*(wrap(block()) for _ in range(3))) for wrap in (lambda layer: layer, recompute))
    params = plain.init(KEY, x)
    assert jax.tree.structure(params) == jax.tree.structure(recomputed.init(KEY, x))
    first, second = (gradients(model, params, x, target) for model in (plain, recomputed))
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def temporary_bytes(model, x) -> int:
    """The temporary memory of a gradient, as the compiler counts it."""
    params = model.init(KEY, x)
    step = jax.jit(value_and_grad(model, quadratic()))
    figures = step.lower(params, x, x, KEY).compile().memory_analysis()
    assert figures is not None
    return figures.temp_size_in_bytes


def test_compiled_step_of_a_deep_net_takes_less_memory():
    """The compiler does not find that both passes are the same, and keeps nothing of the first."""
    x = normal(64, 64)
    plain, recomputed = (
        temporary_bytes(serial(*(wrap(block()) for _ in range(12))), x) for wrap in (lambda layer: layer, recompute)
    )
    assert recomputed < plain / 2


@pytest.mark.parametrize("dropped", [0.0, 0.2])
def test_transformer_computes_the_same_with_it(dropped):
    x = normal(3, 5, 8)
    plain, recomputed = (transformer(2, 2, 8, dropout=dropped, recompute=chosen) for chosen in (False, True))
    params = plain.init(KEY, x)
    again = recomputed.init(KEY, x)
    assert jax.tree.structure(params) == jax.tree.structure(again)
    assert all(map(np.array_equal, jax.tree.leaves(params), jax.tree.leaves(again)))
    dy = jnp.asarray(normal(3, 5, 8))

    def run(model):
        y, res = model.forward(params, x, KEY)
        return y, model.backward(params, res, dy)

    for a, b in zip(*(jax.tree.leaves(jax.jit(run, static_argnums=0)(m)) for m in (plain, recomputed)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_config_recomputes(tmp_path):
    text = """
title = "recomputed"
data = { name = "digits", train = 100, test = 50 }
net = [
    { layer = "flatten" },
    { layer = "recompute", layers = [{ layer = "dense", units = 8 }, { layer = "tanh" }] },
    { layer = "dense", units = 10 },
]
loss = { name = "softmax_cross_entropy" }
optimizer = { name = "adam", learning_rate = 0.01 }
train = { epochs = 1, batch_size = 10, best = "train.loss" }
"""
    file = tmp_path / "recomputed.toml"
    file.write_text(text)
    model = build_model(load(str(file)))
    x = normal(4, 8, 8, 1)
    assert kept_bytes(model.parts[1].layer, x.reshape(4, -1)) == x.nbytes
    value = objective(model, quadratic())
    assert jnp.isfinite(value(model.init(KEY, x), x, normal(4, 10), KEY)[0])
