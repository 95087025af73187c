"""Convolution over images."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
from jaxtyping import Array, Float, PRNGKeyArray

from jaxnn.errors import UserError
from jaxnn.initializers import Init, initializer
from jaxnn.kernels.array_types import ArrayOrShape, ExampleBatch, Images, Kernel, Outputs
from jaxnn.kernels.convolution import choose_formulation
from jaxnn.kernels.matmul import add_bias, bias_gradient
from jaxnn.kernels.window import Padding, Window, make_window, pair
from jaxnn.layer import Key, Layer
from jaxnn.shapes import check_dy, check_floating, parameter_check


class ConvParams(NamedTuple):
    """The parameters of `conv` and `conv_max_pool`; without a bias, `bias` is None."""

    weight: Kernel
    bias: Float[Array, "channels"] | None


def conv(
    channels: int,
    kernel: int | Sequence[int],
    stride: int | Sequence[int] = 1,
    padding: Padding = "VALID",
    dilation: int | Sequence[int] = 1,
    weight_init: Init = "glorot_uniform",
    bias_init: Init = "zeros",
    bias: bool = True,
) -> Layer:
    """Slides `channels` kernels over images (a cross-correlation, as in every deep-learning library).

    y[n, r, s, o] = b[o] + Σ_{i, j, c} x[n, r·t + i·d, s·t + j·d, c] W[i, j, c, o]     (stride t, dilation d, x padded)
    dW[i, j, c, o] = Σ_{n, r, s} x[n, r·t + i·d, s·t + j·d, c] dy[n, r, s, o],  db = Σ dy
    dx[n, h, w, c] = Σ_{i, j, o} dy[n, r, s, o] W[i, j, c, o] over all (r, s) with h = r·t + i·d, w = s·t + j·d

    Derivation: y is a sum of products of one x and one W. Each W is a factor once for each output (n, r, s), and the
    other factor there is the x that its tap reads. Each x is a factor once for each tap that reads it, and the other
    factor is W.

    x (batch, height, width, channel), W (*kernel, channel, channels), b (channels), y (batch, rows, columns, channels).
    `kernel`, `stride`, `dilation`: one number or (height, width); `padding`: "SAME", "VALID" or
    [[low, high], [low, high]].
    Raises `UserError` when built of impossible numbers, for images smaller than the kernel, and for params, x or dy
    that do not fit each other. (Dumoulin and Visin 2016.)
    """
    size, strides, dilations = pair(kernel, "conv kernel"), pair(stride, "conv stride"), pair(dilation, "conv dilation")
    if channels < 1:
        raise UserError(f"conv: expected at least 1 channel, found {channels}")
    make_weight, make_bias = initializer(weight_init), initializer(bias_init)

    def window_for(x: ArrayOrShape) -> Window:
        return make_window(x, f"conv kernel {size[0]}×{size[1]}", size, strides, padding, dilations)

    def init(key: PRNGKeyArray, x: ExampleBatch) -> ConvParams:
        check_floating("conv", x)
        window_for(x)
        key_weight, key_bias = jax.random.split(key)
        weight = make_weight(key_weight, (*size, x.shape[-1], channels), x.dtype)
        return ConvParams(weight, make_bias(key_bias, (channels,), x.dtype) if bias else None)

    check = parameter_check("conv", init)

    def forward(params: ConvParams, x: Images, key: Key) -> tuple[Outputs, Images]:
        del key
        check(params, x)
        window = window_for(x)
        return add_bias(choose_formulation(window, x).output(window, x, params.weight), params.bias), x

    def backward(params: ConvParams, res: Images, dy: Outputs) -> tuple[ConvParams, Images]:
        x, window = res, window_for(res)
        check(params, x)
        check_dy("conv", dy, (len(x), *window.output_size(x), channels))
        formulation = choose_formulation(window, x)
        dx = formulation.input_gradient(window, dy, params.weight, x)
        dweight = formulation.weight_gradient(window, x, dy)
        return ConvParams(dweight, bias_gradient(params.bias, dy)), dx

    return Layer(init, forward, backward, "conv")
