"""Laws of attention and of the norms: what an order, a scale and a shift of their input may change.

Each law has a control in `test_sequence_controls`.
"""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from jaxnn.combine import serial
from jaxnn.layers import (
    attention,
    layer_norm,
    rms_norm,
    transformer,
)
from tests.laws.compiled import compiled
from tests.laws.sequence_cases import (
    BATCH,
    TIME,
    UNITS,
    assert_close,
    backward,
    batch,
    with_params,
)


@pytest.mark.parametrize("layer", [attention(2), transformer(1, 2, UNITS, causal=False)])
def test_attention_without_positions_is_equivariant_under_permutations(layer):
    layer, x, order = compiled(layer), batch(), np.random.default_rng(4).permutation(TIME)
    params = with_params(layer, x)
    dy = batch(6)
    dparams, dx = backward(layer, params, x, dy)
    permuted = backward(layer, params, x[:, order], dy[:, order])
    assert_close(layer.apply(params, x[:, order]), layer.apply(params, x)[:, order])
    assert_close(permuted, (dparams, dx[:, order]))


@pytest.mark.parametrize("x64", [False, True])
def test_transformer_draws_the_parameters_of_its_blocks_in_a_row(x64):
    with jax.enable_x64(x64):
        layer, x, key = transformer(3, 2, UNITS, dropout=0.1), jnp.zeros((2, TIME, UNITS)), jax.random.key(3)
        drawn, in_a_row = layer.init(key, x), serial(*(part.layer for part in layer.parts)).init(key, x)
        assert jax.tree.structure(drawn) == jax.tree.structure(in_a_row)
        for a, b in zip(jax.tree.leaves(drawn), jax.tree.leaves(in_a_row), strict=True):
            assert a.dtype == b.dtype and np.array_equal(a, b)


def test_attention_of_equal_values_gives_these_values():
    layer, x = attention(2), batch()
    params = with_params(layer, x)
    # Values of 1 for every place: the weights of each row add up to 1, so queries and keys have no influence.
    weight = params.query_key_value.weight.at[:, 2 * UNITS :].set(0).at[0, 2 * UNITS :].set(1)
    params = params._replace(
        query_key_value=params.query_key_value._replace(weight=weight),
        output=params.output._replace(weight=jnp.eye(UNITS)),
    )
    x = x.at[..., 0].set(1)
    assert_close(layer.apply(params, x), jnp.ones_like(x), 1e-14)
    dparams, _ = backward(layer, params, x, batch(7))
    assert_close(dparams.query_key_value.weight[:, : 2 * UNITS], jnp.zeros((UNITS, 2 * UNITS)), 1e-14)


@pytest.mark.parametrize("layer", [layer_norm(epsilon=0.0), rms_norm(epsilon=0.0)])
def test_norm_ignores_the_scale_of_its_input(layer):
    x = batch()
    params = with_params(layer, x)
    assert_close(layer.apply(params, 37.0 * x), layer.apply(params, x), 1e-13)
    dx = backward(layer, params, x, batch(8))[1]
    assert_close((dx * x).sum(-1), jnp.zeros((BATCH, TIME)), 1e-13)


def test_layer_norm_ignores_a_shift_and_its_derivative_sums_to_zero():
    layer, x = layer_norm(epsilon=0.0), batch()
    params = with_params(layer, x)
    assert_close(layer.apply(params, x + 5.0), layer.apply(params, x), 1e-13)
    assert_close(backward(layer, params, x, batch(8))[1].sum(-1), jnp.zeros((BATCH, TIME)), 1e-13)


def test_layer_norm_is_exact_far_from_zero_in_float32():
    layer = layer_norm()
    x = np.asarray(batch(), np.float32) + np.float32(1e4)
    params = layer.init(jax.random.key(0), jnp.asarray(x))
    exact = x.astype(np.float64)
    exact = (exact - exact.mean(-1, keepdims=True)) / np.sqrt(exact.var(-1, keepdims=True) + 1e-5)
    assert np.abs(np.asarray(layer.apply(params, jnp.asarray(x))) - exact).max() < 2e-3


def test_attention_keeps_nothing_that_grows_with_the_square_of_time():
    layer = attention(2, causal=True)

    def kept(time):
        x = jax.ShapeDtypeStruct((1, time, UNITS), jnp.float32)
        params = jax.eval_shape(layer.init, jax.random.key(0), x)
        _, res = jax.eval_shape(lambda p, x: layer.forward(p, x, None), params, x)
        return sum(a.size for a in jax.tree.leaves(res))

    assert kept(512) == 2 * kept(256)
