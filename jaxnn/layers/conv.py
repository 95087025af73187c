"""Convolution over images."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float

from jaxnn.errors import UserError
from jaxnn.initializers import Init, initializer
from jaxnn.kernels import backend
from jaxnn.kernels.batch_blocks import mapped, summed
from jaxnn.kernels.window import Padding, Window, pair, window
from jaxnn.layer import Layer
from jaxnn.layers.affine import Affine, Linear, add_bias, affine_gradient

#: From this many input channels on, one matmul for each row of taps beats one over all the patches (2-core CPU, batch
#: 128: 12×12×16 → 32, 3×3: 2.4 against 3.1 ms, and 3.8 for each tap alone; 28×28×1 → 20, 5×5: 7.8 against 2.1 ms).
CHANNELS_FOR_A_MATMUL = 8
#: Up to so many bytes of a batch's patches, a GPU takes them as one matrix; beyond, cuDNN convolves.
PATCH_BYTES_ON_A_GPU = 2**28

Images = Float[Array, "batch height width channel"]
Outputs = Float[Array, "batch rows columns channels"]
Kernel = Float[Array, "n m channel channels"]


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

    Derivation: y is a sum of products of one x and one W. Each W is a factor once for each place (n, r, s), and the
    other factor there is the x that its tap reads; each x is one once for each tap that reads it, and the other is W.

    x (batch, height, width, channel), W (*kernel, channel, channels), b (channels), y (batch, rows, columns, channels).
    `kernel`, `stride`, `dilation`: one number or (height, width); `padding`: "SAME", "VALID" or
    [[low, high], [low, high]].
    Raises `UserError` when built of impossible numbers, or initialized for images smaller than the kernel.
    (Dumoulin and Visin 2016.)
    """
    size, strides, dilations = pair(kernel, "conv kernel"), pair(stride, "conv stride"), pair(dilation, "conv dilation")
    if channels < 1:
        raise UserError(f"conv: expected at least 1 channel, found {channels}")
    make_weight, make_bias = initializer(weight_init), initializer(bias_init)

    def over(x) -> Window:
        return window(x, f"conv kernel {size[0]}×{size[1]}", size, strides, padding, dilations)

    def init(key, x):
        over(x)
        key_weight, key_bias = jax.random.split(key)
        weight = make_weight(key_weight, (*size, x.shape[-1], channels), x.dtype)
        return Affine(weight, make_bias(key_bias, (channels,), x.dtype)) if bias else Linear(weight)

    def forward(params, x, key):
        del key
        w = over(x)
        return add_bias(params, ways(w, x).output(w, x, params.weight)), x

    def backward(params, res, dy):
        x, w = res, over(res)
        way = ways(w, x)
        dx = way.input_gradient(w, dy, params.weight, x)
        return affine_gradient(params, way.weight_gradient(w, x, dy), dy), dx

    return Layer(init, forward, backward, "conv")


class Ways(NamedTuple):
    """How the three sums are computed."""

    output: Callable[[Window, Images, Kernel], Outputs]
    weight_gradient: Callable[[Window, Images, Outputs], Kernel]
    input_gradient: Callable[[Window, Outputs, Kernel, Images], Images]


def ways(w: Window, x: Images) -> Ways:
    """The fastest for images like `x` where JAX computes."""
    if backend.platform() == "cpu":
        return Ways(output_by_conv, weight_gradient_by_taps, input_gradient_by_taps)
    if backend.platform() == "gpu" and len(x) * _patch_bytes(w, x) <= PATCH_BYTES_ON_A_GPU:
        return Ways(output_by_patches, weight_gradient_by_patches, input_gradient_by_patches)
    return Ways(output_by_conv, weight_gradient_by_conv, input_gradient_by_conv)


def output_by_conv(w: Window, x: Images, weight: Kernel) -> Outputs:
    return lax.conv_general_dilated(
        x, weight, w.stride, w.pads, rhs_dilation=w.dilation, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def output_by_patches(w: Window, x: Images, weight: Kernel) -> Outputs:
    """y as one matmul over the patches."""
    y = w.patches(x) @ weight.reshape(-1, weight.shape[-1])
    return y.reshape(len(x), *w.out(x), weight.shape[-1])


def weight_gradient_by_patches(w: Window, x: Images, dy: Outputs) -> Kernel:
    """dW as one matmul over the patches."""
    return (w.patches(x).T @ dy.reshape(-1, dy.shape[-1])).reshape(*w.size, x.shape[-1], dy.shape[-1])


def input_gradient_by_patches(w: Window, dy: Outputs, weight: Kernel, x: Images) -> Images:
    """dx as one matmul, whose column blocks are added back where each tap read."""
    columns = dy @ weight.reshape(-1, weight.shape[-1]).T
    return w.scatter(jnp.split(columns, w.size[0] * w.size[1], axis=-1), x)


def weight_gradient_by_taps(w: Window, x: Images, dy: Outputs) -> Kernel:
    """dW as matmuls over what each tap reads: XLA on a CPU is 3–70× slower at the convolution it equals."""
    channel = x.shape[-1]

    def of_block(x, dy):
        if channel < CHANNELS_FOR_A_MATMUL:
            return weight_gradient_by_patches(w, x, dy)
        dy_rows = dy.reshape(-1, dy.shape[-1])
        down, across = w.axes()
        rows = down.taps(jnp.concatenate(across.taps(x), axis=-1))
        products = [row.reshape(dy_rows.shape[0], -1).T @ dy_rows for row in rows]
        return jnp.stack(products).reshape(*w.size, channel, dy.shape[-1])

    return summed(of_block, (x, dy), _patch_bytes(w, x))


def input_gradient_by_taps(w: Window, dy: Outputs, weight: Kernel, x: Images) -> Images:
    """`input_gradient_by_patches`, a few images at a time."""

    def of_block(dy):
        return input_gradient_by_patches(w, dy, weight, x[: len(dy)])  # of x, its shape

    return mapped(of_block, (dy,), _patch_bytes(w, x))


def _patch_bytes(w: Window, x: Images) -> int:
    """The bytes of what all taps read of one image."""
    return math.prod((*w.out(x), *w.size, x.shape[-1])) * x.dtype.itemsize


def weight_gradient_by_conv(w: Window, x: Images, dy: Outputs) -> Kernel:
    """dW as a convolution of x with dy: channels and batch change places, so do stride and dilation."""
    pads = []
    for axis, (low, _) in enumerate(w.pads):
        reach = (w.size[axis] - 1) * w.dilation[axis] + (dy.shape[1 + axis] - 1) * w.stride[axis] + 1
        pads.append((low, reach - x.shape[1 + axis] - low))
    return lax.conv_general_dilated(
        x, dy, w.dilation, pads, rhs_dilation=w.stride, dimension_numbers=("CHWN", "IHWO", "HWNC")
    )


def input_gradient_by_conv(w: Window, dy: Outputs, weight: Kernel, x: Images) -> Images:
    """dx as a convolution of dy, spread out by the stride, with the kernel turned by 180°."""
    pads = []
    for axis, (low, _) in enumerate(w.pads):
        span = (w.size[axis] - 1) * w.dilation[axis] + 1
        spread = (dy.shape[1 + axis] - 1) * w.stride[axis] + 1
        pads.append((span - 1 - low, x.shape[1 + axis] + low - spread))
    return lax.conv_general_dilated(
        dy, weight[::-1, ::-1], (1, 1), pads, lhs_dilation=w.stride, rhs_dilation=w.dilation,
        dimension_numbers=("NHWC", "HWOI", "NHWC"),
    )  # fmt: skip
