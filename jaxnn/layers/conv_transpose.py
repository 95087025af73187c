"""The transpose of a convolution: a small image becomes a large one."""

from collections.abc import Sequence
from typing import Any, Literal

import jax
from jax import numpy as jnp
from jaxtyping import PRNGKeyArray

from jaxnn.errors import UserError
from jaxnn.initializers import Init, initializer
from jaxnn.kernels.array_types import ArrayOrShape, ExampleBatch, Images, Outputs
from jaxnn.kernels.convolution import choose_formulation
from jaxnn.kernels.matmul import add_bias, bias_gradient
from jaxnn.kernels.window import Window, make_window, pair
from jaxnn.layer import Key, Layer
from jaxnn.layers.conv import ConvParams
from jaxnn.shapes import check_dy, check_floating, parameter_check


def conv_transpose(
    channels: int,
    kernel: int | Sequence[int],
    stride: int | Sequence[int] = 1,
    padding: Literal["SAME", "VALID"] = "SAME",
    weight_init: Init = "glorot_uniform",
    bias_init: Init = "zeros",
    bias: bool = True,
) -> Layer:
    """The transpose of `conv` with this kernel and stride: what its backward pass does to dy, this does to x.

    y[n, h, w, o] = b[o] + Σ_{i, j, c} x[n, r, s, c] W[i, j, o, c] over all (r, s) with h = r·t + i, w = s·t + j
    dx[n, r, s, c] = Σ_{i, j, o} dy[n, r·t + i, s·t + j, o] W[i, j, o, c]: the convolution of dy
    dW[i, j, o, c] = Σ_{n, r, s} dy[n, r·t + i, s·t + j, o] x[n, r, s, c],  db = Σ dy     (stride t, y without padding)

    Derivation: for a convolution K the sums ⟨K u, x⟩ and ⟨u, Kᵀ x⟩ are equal. y = Kᵀ x is linear in x, so its
    backward pass is the transpose of the transpose, K itself. Each product in y has one W, whose other factor is x.

    x (batch, rows, columns, channel), W (*kernel, channels, channel), b (channels), y (batch, height, width, channels):
    "SAME" gives `stride` times as many rows, "VALID" (rows − 1) · stride + kernel. No zero is multiplied, as happens
    where x is first spread by the stride. (Dumoulin and Visin 2016.)
    Raises `UserError` when built of impossible numbers, and for params, x or dy that do not fit each other.
    """
    size, strides = pair(kernel, "conv_transpose kernel"), pair(stride, "conv_transpose stride")
    if channels < 1:
        raise UserError(f"conv_transpose: expected at least 1 channel, found {channels}")
    if padding not in ("SAME", "VALID"):
        raise UserError(f"conv_transpose: expected padding SAME or VALID, found {padding!r}")
    make_weight, make_bias = initializer(weight_init), initializer(bias_init)

    def output_of(x: ArrayOrShape) -> Any:
        """The shape of y."""
        if x.ndim != 4:
            raise UserError(f"conv_transpose: expected images (batch, height, width, channel), found {tuple(x.shape)}")
        extents = [
            n * t if padding == "SAME" else (n - 1) * t + k for n, t, k in zip(x.shape[1:3], strides, size, strict=True)
        ]
        return jax.ShapeDtypeStruct((x.shape[0], *extents, channels), x.dtype)

    def window_of(y: ArrayOrShape) -> Window:
        return make_window(y, f"conv_transpose kernel {size[0]}×{size[1]}", size, strides, padding)

    def init(key: PRNGKeyArray, x: ExampleBatch) -> ConvParams:
        check_floating("conv_transpose", x)
        window_of(output_of(x))
        key_weight, key_bias = jax.random.split(key)
        # Drawn as the weight from `channel` to `channels`, so that an initializer counts what goes in and out.
        weight = make_weight(key_weight, (*size, x.shape[-1], channels), x.dtype).swapaxes(2, 3)
        return ConvParams(weight, make_bias(key_bias, (channels,), x.dtype) if bias else None)

    check = parameter_check("conv_transpose", init)

    def forward(params: ConvParams, x: Images, key: Key) -> tuple[Outputs, Images]:
        del key
        check(params, x)
        like = jnp.zeros(output_of(x).shape, x.dtype)  # only its shape is used
        window = window_of(like)
        y = choose_formulation(window, like).input_gradient(window, x, params.weight, like)
        return add_bias(y, params.bias), x

    def backward(params: ConvParams, res: Images, dy: Outputs) -> tuple[ConvParams, Images]:
        x = res
        check(params, x)
        check_dy("conv_transpose", dy, output_of(x).shape)
        window = window_of(dy)
        formulation = choose_formulation(window, dy)
        dx = formulation.output(window, dy, params.weight)
        dweight = formulation.weight_gradient(window, dy, x)
        return ConvParams(dweight, bias_gradient(params.bias, dy)), dx

    return Layer(init, forward, backward, "conv_transpose")
