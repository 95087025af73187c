"""Convolution and max-pooling as one layer: a pool takes the maximum over column blocks of one matrix product."""

import functools
from collections.abc import Sequence

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaxnn.errors import UserError
from jaxnn.initializers import Init, initializer
from jaxnn.kernels.array_types import ArrayOrShape, ExampleBatch, Images, Kernel, OutputIndex, Outputs
from jaxnn.kernels.matmul import add_bias
from jaxnn.kernels.maximum import maximum_of_products, products_gradient
from jaxnn.kernels.window import Window, make_window, pair
from jaxnn.layer import Key, Layer
from jaxnn.layers.conv import ConvParams
from jaxnn.shapes import check_dy, check_floating, parameter_check

#: V: the kernel at each offset in a patch, side by side.
ShiftedKernels = Float[Array, "patch blocks"]


def conv_max_pool(
    channels: int,
    kernel: int | Sequence[int],
    pool: int | Sequence[int] = 2,
    weight_init: Init = "glorot_uniform",
    bias_init: Init = "zeros",
) -> Layer:
    """`conv(channels, kernel)` and `max_pool(pool)` after it: the same numbers, in a form that a CPU computes fast.

    A pool of p×p outputs of a k×k kernel sees a patch of k + p − 1 rows and columns. With V the kernel at each of the
    p² offsets q in such a patch, side by side,

    z[n, r, s, q, o] = Σ patch[n, r, s, ·] V[·, q, o],  y = b + max over q of z, at q* (the first)
    dz = dy at q = q*, else 0
    dV = patchᵀ dz,  dW = Σ dV over the offsets,  db = Σ dy,  dpatch = dz Vᵀ,  dx = Σ dpatch over the patches

    Derivation: a maximum passes dy to the offset that has it. z is a dense layer of patches. W stands in V once for
    each offset, and x in the patches once for each patch that holds it: each gathers the derivatives of all its copies.

    x (batch, height, width, channel), W (*kernel, channel, channels), b (channels), y (batch, rows, columns, channels).
    Keeps x and q*, a byte each. A ReLU may follow instead of standing between, because max and ReLU commute.
    Raises `UserError` when built of impossible numbers, for images smaller than a patch, and for params, x or dy that
    do not fit each other.
    """
    size, pool_size = pair(kernel, "conv_max_pool kernel"), pair(pool, "conv_max_pool pool")
    if channels < 1:
        raise UserError(f"conv_max_pool: expected at least 1 channel, found {channels}")
    make_weight, make_bias = initializer(weight_init), initializer(bias_init)
    patch = (size[0] + pool_size[0] - 1, size[1] + pool_size[1] - 1)
    count = pool_size[0] * pool_size[1]

    def window_for(x: ArrayOrShape) -> Window:
        return make_window(x, f"conv_max_pool patch {patch[0]}×{patch[1]}", patch, pool_size, "VALID")

    def offsets() -> list[tuple[int, int]]:
        # Made when used: `init` refuses a pool beyond the image, whose list would fill the memory.
        return [(i, j) for i in range(pool_size[0]) for j in range(pool_size[1])]

    def shift(weight: Kernel) -> ShiftedKernels:
        """V from W."""
        padding = [((i, pool_size[0] - 1 - i), (j, pool_size[1] - 1 - j), (0, 0), (0, 0)) for i, j in offsets()]
        return jnp.stack([jnp.pad(weight, pads) for pads in padding], axis=3).reshape(-1, count * channels)

    def shift_transpose(dshifted: ShiftedKernels, weight: Kernel) -> Kernel:
        """dW from dV."""
        blocks = dshifted.reshape(*patch, weight.shape[2], count, channels)
        terms = [blocks[i : i + size[0], j : j + size[1], :, q] for q, (i, j) in enumerate(offsets())]
        return functools.reduce(jnp.add, terms)

    def init(key: PRNGKeyArray, x: ExampleBatch) -> ConvParams:
        check_floating("conv_max_pool", x)
        window_for(x)
        key_weight, key_bias = jax.random.split(key)
        weight = make_weight(key_weight, (*size, x.shape[-1], channels), x.dtype)
        return ConvParams(weight, make_bias(key_bias, (channels,), x.dtype))

    check = parameter_check("conv_max_pool", init)

    def forward(params: ConvParams, x: Images, key: Key) -> tuple[Outputs, tuple[Images, OutputIndex]]:
        del key
        check(params, x)
        y, index = maximum_of_products(window_for(x), x, shift(params.weight), count)
        return add_bias(y, params.bias), (x, index)

    def backward(params: ConvParams, res: tuple[Images, OutputIndex], dy: Outputs) -> tuple[ConvParams, Images]:
        x, index = res
        check(params, x)
        check_dy("conv_max_pool", dy, index.shape)
        window, dz = window_for(x), products_gradient(dy, index, count)
        dshifted = window.patches(x).T @ dz
        dpatches = (dz @ shift(params.weight).T).reshape(*dy.shape[:-1], -1)
        dx = window.add_patches(dpatches, x)
        return ConvParams(shift_transpose(dshifted, params.weight), dy.sum((0, 1, 2))), dx

    return Layer(init, forward, backward, "conv_max_pool")
