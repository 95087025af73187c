"""All formulations of a layer agree, whichever platform uses them, and only kernels ask for the platform."""

import ast
from pathlib import Path

import jax
import numpy as np
import pytest
from jax import lax
from jax import numpy as jnp

import jaxnn
from jaxnn import autodiff_value_and_grad, custom_vjp, serial, value_and_grad
from jaxnn.certify.case import layer_args
from jaxnn.certify.measurement import relative_error
from jaxnn.certify.pullback import compiled_pullback, jit_unoptimized
from jaxnn.certify.vjp_rule import layer_rule
from jaxnn.kernels.convolution import (
    input_gradient_blocked,
    input_gradient_im2col,
    input_gradient_lax_conv,
    input_gradient_phases,
    output_im2col,
    output_lax_conv,
    weight_gradient_blocked,
    weight_gradient_im2col,
    weight_gradient_lax_conv,
)
from jaxnn.kernels.matmul import weight_gradient
from jaxnn.kernels.sums import FEW_OUTPUTS, MIN_OUTPUTS, MIN_TERMS, mean_outputs, sum_outputs, sum_pixels, sum_places
from jaxnn.kernels.window import make_window
from jaxnn.layers import conv, conv_max_pool, dense, dropout, max_pool, sigmoid, tanh
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
    ((5, 4), (2, 2), (1, 1), "SAME", 5),
    ((5, 4), (2, 3), (1, 1), "VALID", 4),
    ((4, 4), (2, 4), (1, 1), [[1, 2], [3, 0]], 4),
    ((4, 6), (2, 3), (1, 1), "SAME", 1),
    ((6, 2), (3, 1), (1, 1), "VALID", 9),
]


def _equal(got, expected) -> bool:
    return all(
        relative_error(a, b) <= 1e-12 for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True)
    )


@pytest.mark.parametrize(("size", "stride", "dilation", "padding", "channel"), CONVOLUTIONS)
def test_convolution_formulations_agree(size, stride, dilation, padding, channel):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(2, 7, 11, channel)))
    weight = jnp.asarray(rng.normal(size=(*size, channel, 5)))
    window = make_window(x, "conv", size, stride, padding, dilation)
    dy = jnp.asarray(rng.normal(size=(2, *window.output_size(x), 5)))

    @jit_unoptimized
    def all_formulations(x, weight, dy):
        weight_gradients = (weight_gradient_lax_conv, weight_gradient_im2col, weight_gradient_blocked)
        input_gradients = [input_gradient_lax_conv, input_gradient_im2col, input_gradient_blocked]
        input_gradients += [input_gradient_phases] if dilation == (1, 1) else []
        return (
            [output(window, x, weight) for output in (output_lax_conv, output_im2col)],
            [gradient(window, x, dy) for gradient in weight_gradients],
            [gradient(window, dy, weight, x) for gradient in input_gradients],
        )

    for first, *others in all_formulations(x, weight, dy):
        assert all(_equal(other, first) for other in others)


@pytest.mark.parametrize("platform", ["gpu", "tpu"])
@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: conv(5, 3, 2), (2, 7, 11, 3)),
        (lambda: conv_max_pool(5, 3), (2, 7, 11, 3)),
        (lambda: conv_max_pool(5, 3), (2, 7, 11, 1)),
        (lambda: dense(19), (23, 17)),
    ],
)
def test_layer_formulations_of_all_platforms_agree(monkeypatch, make, shape, platform):
    layer = make()
    args = layer_args(layer, shape)
    dy = jnp.asarray(np.random.default_rng(0).normal(size=jax.eval_shape(layer.forward, *args, None)[0].shape))
    on_cpu = compiled_pullback(layer_rule(layer))(args, dy)
    monkeypatch.setattr("jaxnn.kernels.backend.platform", lambda: platform)
    on_platform = compiled_pullback(layer_rule(make()))(args, dy)
    assert _equal(list(on_platform.values()), list(on_cpu.values()))


def test_layers_do_not_import_the_backend():
    """Formulas stand in `jaxnn.layers`, forms for a platform in `jaxnn.kernels`."""
    files = sorted((Path(jaxnn.__file__).parent / "layers").glob("*.py"))
    assert len(files) >= 8
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{name}" for name in names]
            assert not any(name.startswith("jaxnn.kernels.backend") for name in names), file.name
            assert not (isinstance(node, ast.Attribute) and node.attr in ("default_backend", "platform")), file.name


@pytest.mark.parametrize(("kernel", "pool", "channel"), [(3, 2, 3), ([2, 3], [3, 2], 3), ([2, 3], [3, 2], 1)])
def test_conv_max_pool_equals_conv_then_max_pool(kernel, pool, channel):
    fused, separate = conv_max_pool(5, kernel, pool), serial(conv(5, kernel), max_pool(pool))
    params, x = layer_args(fused, (2, 7, 11, channel))
    x = x.at[0].set(0)  # all outputs of this image tie: the first has the derivative
    dy = jax.eval_shape(lambda: fused.forward(params, x, None)[0])
    dy = jnp.asarray(np.random.default_rng(0).normal(size=dy.shape))
    of_fused = compiled_pullback(layer_rule(fused))((params, x), dy)
    of_separate = compiled_pullback(layer_rule(separate))(((params, ()), x), dy)
    assert _equal(list(of_fused.values()), list(of_separate.values()))


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


def test_custom_vjp_uses_the_layers_backward():
    """The derivative of `custom_vjp(layer)` is `layer.backward`, of a wrong one too."""
    wrong = sigmoid()._replace(backward=lambda params, res, dy: ((), 7 * dy))
    x = jnp.asarray([1.0, 2.0])
    assert (jax.grad(lambda x: custom_vjp(wrong)((), x).sum())(x) == 7).all()


@pytest.mark.parametrize("seed", [None, 3])
def test_custom_vjp_agrees_with_autodiff(seed):
    model = serial(dense(11), dropout(0.3), sigmoid(), dense(5))
    key = None if seed is None else jax.random.key(seed)
    params, x = layer_args(model, (7, 13))

    def gradient(apply):
        return jit_unoptimized(jax.grad(lambda params, x: (apply(params, x, key) ** 2).sum(), argnums=(0, 1)))(
            params, x
        )

    assert _equal(gradient(custom_vjp(model)), gradient(lambda *args: model.forward(*args)[0]))


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_value_and_grad_agrees_with_autodiff(reduction):
    model, loss = mlp((11, 5), tanh()), softmax_cross_entropy(reduction)
    args = (*layer_args(model, (7, 13)), jnp.arange(7, dtype=jnp.int32) % 5)
    hand, auto = (
        jit_unoptimized(value_and_grad(model, loss))(*args),
        jit_unoptimized(autodiff_value_and_grad(model, loss))(*args),
    )
    assert jax.tree.structure(hand) == jax.tree.structure(auto)
    assert _equal(hand, auto)


@pytest.mark.parametrize("outputs", [1, MIN_OUTPUTS - 1, MIN_OUTPUTS, 200])
def test_sums_of_few_and_of_many_outputs_agree(outputs):
    terms = np.random.default_rng(0).normal(size=(7, 3, outputs))
    assert _equal(sum_outputs(terms), terms.sum(-1))
    assert _equal(mean_outputs(terms), terms.mean(-1, keepdims=True))
    factors = np.random.default_rng(1).normal(size=outputs)
    assert _equal(mean_outputs(terms, factors), (terms * factors).mean(-1, keepdims=True))
    assert _equal(sum_places(terms), terms.sum((0, 1)))


@pytest.mark.parametrize("outputs", range(1, FEW_OUTPUTS + 2))
@pytest.mark.parametrize("places", [MIN_TERMS, 128 * 28 * 28, 16_411])  # the last one is a prime
def test_sums_of_the_places_of_few_outputs_agree(places, outputs):
    terms = np.random.default_rng(0).normal(size=(places, outputs))
    assert _equal(sum_pixels(terms), terms.sum(0))


@pytest.mark.parametrize(("batch", "n", "units"), [(3, 20, 5), (20, 17, 4), (70, 8, 8), (300, 200, 90), (20, 128, 64)])
def test_weight_gradients_of_every_size_agree(batch, n, units):
    rng = np.random.default_rng(0)
    x, dy = jnp.asarray(rng.normal(size=(batch, n))), jnp.asarray(rng.normal(size=(batch, units)))
    assert _equal(weight_gradient(x, dy), x.T @ dy)
