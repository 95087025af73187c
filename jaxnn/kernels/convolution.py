"""The three sums of a convolution, in formulations that agree and differ in speed.

- lax_conv: XLA's convolution. XLA on a CPU takes 3 to 70 times as long for the gradient of the weight.
- im2col: one matrix product over the patches.
- blocked: matrix products over the patches of a few images at a time, which stay in a CPU's cache.
- phases: where the stride is t, the pixels of each of the t × t phases by a convolution of stride 1.
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float

from jaxnn.kernels import backend
from jaxnn.kernels.array_types import Images, Kernel, Outputs
from jaxnn.kernels.batch_blocks import BLOCK_BYTES, map_over_blocks, sum_over_blocks
from jaxnn.kernels.window import Window

#: From this many input channels on, one matrix product for each row of taps is faster than one over all patches (2-core
#: CPU, batch 128: 12×12×16 → 32, 3×3: 2.4 against 3.1 ms, and 3.8 for one product a tap; 28×28×1 → 20, 5×5: 7.8 against
#: 2.1 ms).
MIN_CHANNELS_FOR_TAP_ROWS = 8
#: The input gradient is computed by phases for images of at least so many channels, where the kernel fills at least
#: this share of the taps of all phases (2-core CPU, 64 × 7×7×64 → 14×14×32, stride 2: 4×4 taps 1.4 against 1.8 ms, 5×5
#: 3.6 against 3.1, of which 36 are computed; one channel 1.3 against 0.5 ms; 3×3 taps 1.6 against 1.4).
MIN_CHANNELS_FOR_PHASES, MIN_SHARE_OF_PHASES = 4, 0.75
#: Bytes of a batch's patches up to which a GPU computes one matrix product over them; beyond, cuDNN convolves.
MAX_GPU_PATCH_BYTES = 2**28


class Formulation(NamedTuple):
    """One function for each of the three sums."""

    output: Callable[[Window, Images, Kernel], Outputs]
    weight_gradient: Callable[[Window, Images, Outputs], Kernel]
    input_gradient: Callable[[Window, Outputs, Kernel, Images], Images]


def choose_formulation(window: Window, x: Images) -> Formulation:
    """The fastest formulation for images of the shape of `x` on the default platform."""
    patch_bytes = x.shape[0] * _patch_bytes(window, x)
    if backend.platform() == "cpu":
        by_phases = _has_phases(window) and x.shape[-1] >= MIN_CHANNELS_FOR_PHASES
        input_gradient = input_gradient_phases if by_phases else input_gradient_blocked
        # dW is computed of the same patches, which XLA then makes once.
        shares_patches = x.shape[-1] < MIN_CHANNELS_FOR_TAP_ROWS and patch_bytes <= BLOCK_BYTES
        output = output_im2col if shares_patches else output_lax_conv
        return Formulation(output, weight_gradient_blocked, input_gradient)
    if backend.platform() == "gpu" and patch_bytes <= MAX_GPU_PATCH_BYTES:
        return Formulation(output_im2col, weight_gradient_im2col, input_gradient_im2col)
    return Formulation(output_lax_conv, weight_gradient_lax_conv, input_gradient_lax_conv)


def output_lax_conv(window: Window, x: Images, weight: Kernel) -> Outputs:
    """y as one convolution."""
    return lax.conv_general_dilated(
        x, weight, window.stride, window.pads, rhs_dilation=window.dilation, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def weight_gradient_lax_conv(window: Window, x: Images, dy: Outputs) -> Kernel:
    """dW as a convolution of x with dy: channels and batch exchange their roles, and so do stride and dilation."""
    pads = []
    for axis, (low, _) in enumerate(window.pads):
        reach = (window.size[axis] - 1) * window.dilation[axis] + (dy.shape[1 + axis] - 1) * window.stride[axis] + 1
        pads.append((low, reach - x.shape[1 + axis] - low))
    return lax.conv_general_dilated(
        x, dy, window.dilation, pads, rhs_dilation=window.stride, dimension_numbers=("CHWN", "IHWO", "HWNC")
    )


def input_gradient_lax_conv(window: Window, dy: Outputs, weight: Kernel, x: Images) -> Images:
    """dx as a convolution of dy, dilated by the stride, with the kernel rotated by 180°."""
    pads = []
    for axis, (low, _) in enumerate(window.pads):
        span = (window.size[axis] - 1) * window.dilation[axis] + 1
        dilated = (dy.shape[1 + axis] - 1) * window.stride[axis] + 1
        pads.append((span - 1 - low, x.shape[1 + axis] + low - dilated))
    return lax.conv_general_dilated(
        dy, weight[::-1, ::-1], (1, 1), pads, lhs_dilation=window.stride, rhs_dilation=window.dilation,
        dimension_numbers=("NHWC", "HWOI", "NHWC"),
    )  # fmt: skip


def output_im2col(window: Window, x: Images, weight: Kernel) -> Outputs:
    """y as one matrix product over the patches."""
    y = window.patches(x) @ weight.reshape(-1, weight.shape[-1])
    return y.reshape(len(x), *window.output_size(x), weight.shape[-1])


def weight_gradient_im2col(window: Window, x: Images, dy: Outputs) -> Kernel:
    """dW as one matrix product over the patches."""
    return (window.patches(x).T @ dy.reshape(-1, dy.shape[-1])).reshape(*window.size, x.shape[-1], dy.shape[-1])


def input_gradient_im2col(window: Window, dy: Outputs, weight: Kernel, x: Images) -> Images:
    """dx as one matrix product, whose column blocks are added where each tap read."""
    return window.add_patches(dy @ weight.reshape(-1, weight.shape[-1]).T, x)


def weight_gradient_blocked(window: Window, x: Images, dy: Outputs) -> Kernel:
    """dW of a few images at a time: one matrix product for each row of taps, or one over the patches where the images
    have few channels."""
    channel, patch_bytes = x.shape[-1], _patch_bytes(window, x)
    if channel < MIN_CHANNELS_FOR_TAP_ROWS:
        return sum_over_blocks(functools.partial(weight_gradient_im2col, window), (x, dy), patch_bytes)

    def products_of_rows(x: Images, dy: Outputs) -> Float[Array, "kh channels taps"]:
        dy_rows = dy.reshape(-1, dy.shape[-1])
        vertical, horizontal = window.split_axes()
        rows = vertical.shifted_views(jnp.concatenate(horizontal.shifted_views(x), axis=-1))
        # The library transposes one operand, slowly: dy, which is the smaller one, takes 0.8 of the time of `row`.
        return jnp.stack([dy_rows.T @ row.reshape(dy_rows.shape[0], -1) for row in rows])

    # Two arrays as large as the patches of one row of taps: that which all rows are cut from, and the row that is read.
    products = sum_over_blocks(products_of_rows, (x, dy), 2 * patch_bytes // window.size[0])
    return products.swapaxes(1, 2).reshape(*window.size, channel, dy.shape[-1])


def input_gradient_blocked(window: Window, dy: Outputs, weight: Kernel, x: Images) -> Images:
    """dx of a few images at a time, each block by `input_gradient_im2col`."""

    def block_gradient(dy: Outputs) -> Images:
        return input_gradient_im2col(window, dy, weight, x[: len(dy)])  # only the shape of x is used

    return map_over_blocks(block_gradient, (dy,), _patch_bytes(window, x))


def _has_phases(window: Window) -> bool:
    taps = math.prod(window.phase_taps()) * math.prod(window.stride)
    share = math.prod(window.size) / taps
    return window.dilation == (1, 1) and math.prod(window.stride) > 1 and share >= MIN_SHARE_OF_PHASES


def input_gradient_phases(window: Window, dy: Outputs, weight: Kernel, x: Images) -> Images:
    """dx as one convolution of stride 1, whose channels are the pixels of a block of `stride` pixels.

    In the padded image, pixel t p + a gets Σ_m dy[p − m] W[t m + a] along each axis: no product with a zero that the
    stride would put between the outputs. For a dilation of 1.
    """
    (rows, columns), (down, across) = window.phase_taps(), window.stride
    channel, channels = weight.shape[2:]
    fill = [(0, n * t - k) for n, t, k in zip((rows, columns), window.stride, window.size, strict=True)]
    taps = jnp.pad(weight, (*fill, (0, 0), (0, 0))).reshape(rows, down, columns, across, channel, channels)
    kernel = taps[::-1, :, ::-1].transpose(0, 2, 5, 1, 3, 4).reshape(rows, columns, channels, -1)
    pads = [(n - 1, n - 1) for n in (rows, columns)]
    blocks = lax.conv_general_dilated(dy, kernel, (1, 1), pads, dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return window.join_phases(blocks.reshape(*blocks.shape[:3], down, across, channel), x)


def _patch_bytes(window: Window, x: Images) -> int:
    """The bytes of the patches of one image."""
    return math.prod((*window.output_size(x), *window.size, x.shape[-1])) * x.dtype.itemsize
