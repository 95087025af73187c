"""The masks of dropout: a function of the key, with the right moments, and one for all entries of a shared axis."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from jaxnn.combine import serial
from jaxnn.errors import UserError
from jaxnn.layers import dropout
from jaxnn.sequence import Sequence

KEY = jax.random.key(3)


def mask_of(layer, shape, key=KEY):
    y, res = layer.forward((), jnp.ones(shape), key)
    _, dx = layer.backward((), res, jnp.ones(shape))
    np.testing.assert_array_equal(dx, y)  # y is linear in x, with the same factors on the way back
    return np.asarray(y)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("dims", [(), (1,)], ids=["each entry", "one mask a sequence"])
def test_dropout_has_the_moments_of_its_rate(rate, dims):
    y = mask_of(dropout(rate, dims), (400, 3, 50))
    independent = y[:, 0] if dims else y
    share = (independent == 0).mean()
    assert abs(share - rate) <= 5 * np.sqrt(rate * (1 - rate) / independent.size)
    np.testing.assert_allclose(y[y > 0], 1 / (1 - rate), rtol=1e-6)


@pytest.mark.parametrize("dims", [(1,), (1, 2), (0,), (2, 0)])
def test_dropout_has_one_mask_along_the_axes_that_share_it(dims):
    y = mask_of(dropout(0.5, dims), (11, 7, 13))
    first = y[tuple(slice(0, 1) if i in dims else slice(None) for i in range(3))]
    np.testing.assert_array_equal(y, np.broadcast_to(first, y.shape))
    for axis in {0, 1, 2} - set(dims):  # and another one along the other axes
        assert (y != np.take(y, [0], axis)).any()


def test_dropout_is_a_function_of_its_key():
    layer = dropout(0.5, [1])
    np.testing.assert_array_equal(mask_of(layer, (5, 7, 11)), mask_of(layer, (5, 7, 11)))
    assert (mask_of(layer, (5, 7, 11)) != mask_of(layer, (5, 7, 11), jax.random.key(4))).any()
    x = jnp.ones((5, 7, 11))
    np.testing.assert_array_equal(layer.apply((), x), x)


def test_dropout_of_a_sequence_does_not_depend_on_its_padding():
    layer, lengths = serial(dropout(0.5, [1])), jnp.asarray([3, 7, 0])
    short = layer.apply(((),), Sequence(jnp.ones((3, 7, 5)), lengths), KEY).values
    long = layer.apply(((),), Sequence(jnp.ones((3, 10, 5)), lengths), KEY).values
    np.testing.assert_array_equal(long[:, :7], short)
    assert not np.asarray(short)[0, 3:].any() and not np.asarray(long)[:, 7:].any()


def test_dropout_keeps_one_mask_for_a_sequence():
    x = jax.ShapeDtypeStruct((5, 700, 11), jnp.float32)
    _, res = jax.eval_shape(lambda x: dropout(0.5, [1]).forward((), x, KEY), x)
    assert [a.shape for a in jax.tree.leaves(res)] == [(5, 1, 11)]


@pytest.mark.parametrize("dims", [[-1], [1, 1]])
def test_dropout_refuses_axes_that_cannot_be(dims):
    with pytest.raises(UserError, match="expected broadcast_dims as distinct axes counted from 0, found"):
        dropout(0.5, dims)


@pytest.mark.parametrize("key", [None, KEY])
def test_dropout_refuses_an_input_without_the_axes(key):
    with pytest.raises(UserError, match=r"dropout: expected x with the axes \[2\], found shape \(3, 5\)"):
        dropout(0.5, [2]).apply((), jnp.ones((3, 5)), key)
