"""Two ways to one answer: each formulation of a backward, whichever platform uses it, says the same."""

import jax
import numpy as np
import pytest
from jax import lax
from jax import numpy as jnp

from jaxnn import autodiff_value_and_grad, custom_vjp, serial, value_and_grad
from jaxnn.certify.case import layer_args
from jaxnn.certify.measurement import relative_error
from jaxnn.certify.pullback import compiled_pullback, jit_unoptimized
from jaxnn.certify.vjp_rule import layer_rule
from jaxnn.kernels.window import window
from jaxnn.layers import conv, conv_max_pool, dense, dropout, max_pool, sigmoid, tanh
from jaxnn.layers.conv import (
    input_gradient_by_conv,
    input_gradient_by_patches,
    input_gradient_by_taps,
    output_by_conv,
    output_by_patches,
    weight_gradient_by_conv,
    weight_gradient_by_patches,
    weight_gradient_by_taps,
)
from jaxnn.losses import softmax_cross_entropy
from jaxnn.models import mlp

#: kernel, stride, dilation, padding, input channels
CONVOLUTIONS = [
    ((3, 3), (1, 1), (1, 1), "VALID", 3),
    ((3, 3), (1, 1), (1, 1), "SAME", 11),
    ((2, 4), (3, 2), (1, 1), "SAME", 3),
    ((2, 2), (3, 3), (1, 1), "VALID", 3),
    ((3, 2), (2, 3), (2, 3), [[1, 2], [3, 0]], 3),
    ((7, 11), (1, 1), (1, 1), "VALID", 2),
    ((3, 2), (2, 3), (2, 3), [[1, 2], [3, 0]], 1),
    ((2, 4), (1, 1), (1, 1), "SAME", 1),
]


def _equal(got, expected) -> bool:
    return all(
        relative_error(a, b) <= 1e-12 for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True)
    )


@pytest.mark.parametrize(("size", "stride", "dilation", "padding", "channel"), CONVOLUTIONS)
def test_convolution_is_the_same_by_conv_by_patches_and_by_taps(size, stride, dilation, padding, channel):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(2, 7, 11, channel)))
    weight = jnp.asarray(rng.normal(size=(*size, channel, 5)))
    w = window(x, "conv", size, stride, padding, dilation)
    dy = jnp.asarray(rng.normal(size=(2, *w.out(x), 5)))

    @jit_unoptimized
    def all_ways(x, weight, dy):
        outputs = [way(w, x, weight) for way in (output_by_conv, output_by_patches)]
        of_weight = (weight_gradient_by_conv, weight_gradient_by_patches, weight_gradient_by_taps)
        of_input = (input_gradient_by_conv, input_gradient_by_patches, input_gradient_by_taps)
        return outputs, [way(w, x, dy) for way in of_weight], [way(w, dy, weight, x) for way in of_input]

    for first, *others in all_ways(x, weight, dy):
        assert all(_equal(other, first) for other in others)


@pytest.mark.parametrize("elsewhere", ["gpu", "tpu"])
@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: conv(5, 3, 2), (2, 7, 11, 3)),
        (lambda: conv_max_pool(5, 3), (2, 7, 11, 3)),
        (lambda: conv_max_pool(5, 3), (2, 7, 11, 1)),
        (lambda: dense(19), (23, 17)),
    ],
)
def test_a_layer_is_the_same_on_every_platform(monkeypatch, make, shape, elsewhere):
    layer = make()
    args = layer_args(layer, shape)
    dy = jnp.asarray(np.random.default_rng(0).normal(size=jax.eval_shape(layer.forward, *args, None)[0].shape))
    here = compiled_pullback(layer_rule(layer))(args, dy)
    monkeypatch.setattr("jaxnn.kernels.backend.platform", lambda: elsewhere)
    there = compiled_pullback(layer_rule(make()))(args, dy)
    assert _equal(list(there.values()), list(here.values()))


@pytest.mark.parametrize(("kernel", "pool", "channel"), [(3, 2, 3), ([2, 3], [3, 2], 3), ([2, 3], [3, 2], 1)])
def test_convolution_and_pooling_as_one_layer_are_the_two_in_a_row(kernel, pool, channel):
    one, two = conv_max_pool(5, kernel, pool), serial(conv(5, kernel), max_pool(pool))
    params, x = layer_args(one, (2, 7, 11, channel))
    x = x.at[0].set(0)  # all places of this image tie: the first has the derivative
    dy = jax.eval_shape(lambda: one.forward(params, x, None)[0])
    dy = jnp.asarray(np.random.default_rng(0).normal(size=dy.shape))
    of_one = compiled_pullback(layer_rule(one))((params, x), dy)
    of_two = compiled_pullback(layer_rule(two))(((params, ()), x), dy)
    assert _equal(list(of_one.values()), list(of_two.values()))


@pytest.mark.parametrize(
    ("size", "stride", "padding"), [(2, 2, "VALID"), (3, 1, "VALID"), (3, 2, "SAME"), (2, 3, "SAME")]
)
def test_max_pool_breaks_ties_as_reduce_window_does(size, stride, padding):
    x = jnp.asarray(np.random.default_rng(1).integers(3, size=(5, 7, 11, 2)).astype(np.float64))
    layer = max_pool(size, stride, padding)

    def through_reduce_window(x):
        return lax.reduce_window(x, -jnp.inf, lax.max, (1, size, size, 1), (1, stride, stride, 1), padding)

    y = jax.eval_shape(through_reduce_window, x)
    dy = jnp.asarray(np.random.default_rng(2).normal(size=y.shape))

    @jit_unoptimized
    def both(x, dy):
        y, pull = jax.vjp(through_reduce_window, x)
        got_y, res = layer.forward((), x, None)
        return (got_y, layer.backward((), res, dy)[1]), (y, pull(dy)[0])

    assert _equal(*both(x, dy))


def test_the_bridge_hands_jax_the_layers_own_backward():
    """The derivative of `custom_vjp(layer)` is `layer.backward`, of a wrong one too."""
    wrong = sigmoid()._replace(backward=lambda params, res, dy: ((), 7 * dy))
    x = jnp.asarray([1.0, 2.0])
    assert (jax.grad(lambda x: custom_vjp(wrong)((), x).sum())(x) == 7).all()


@pytest.mark.parametrize("seed", [None, 3])
def test_the_bridge_to_jax_grad_agrees_with_autodiff(seed):
    model = serial(dense(11), dropout(0.3), sigmoid(), dense(5))
    key = None if seed is None else jax.random.key(seed)
    params, x = layer_args(model, (7, 13))

    def gradient(apply):
        return jit_unoptimized(jax.grad(lambda params, x: (apply(params, x, key) ** 2).sum(), argnums=(0, 1)))(
            params, x
        )

    assert _equal(gradient(custom_vjp(model)), gradient(lambda *args: model.forward(*args)[0]))


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_by_hand_and_by_autodiff_return_the_same(reduction):
    model, loss = mlp((11, 5), tanh()), softmax_cross_entropy(reduction)
    args = (*layer_args(model, (7, 13)), jnp.arange(7, dtype=jnp.int32) % 5)
    hand, auto = (
        jit_unoptimized(value_and_grad(model, loss))(*args),
        jit_unoptimized(autodiff_value_and_grad(model, loss))(*args),
    )
    assert jax.tree.structure(hand) == jax.tree.structure(auto)
    assert _equal(hand, auto)
