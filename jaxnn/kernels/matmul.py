"""The sums of an affine layer, each in the form that the machine computes fastest.

xᵀ dy contracts over the batch, which is not the contiguous axis of either operand, so one of them must be transposed,
by the matrix library or by us. All branches of `weight_gradient` compute the same product; the barriers stop XLA from
merging them into the first. 784-30 on two cores: 9 µs instead of 18 for 20 examples, 116 instead of 300 for 500
examples in a constant batch.

A net of a few neurons spends its time on calls of the matrix library: one for each layer and, under `jax.vmap`, for
each seed. There a matrix product is a sum of few terms, each elementwise along the batch, which XLA fuses with the
operations before and after it. 2-10-2 on 400 examples, 32 seeds, two cores: 0.29 ms a step instead of 0.61, and 0.22
instead of 0.42 when the seeds are vectorized.
"""

import functools
import math

from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float

from jaxnn.kernels import backend
from jaxnn.kernels.array_types import AnyArray
from jaxnn.kernels.sums import sum_places
from jaxnn.kernels.trace_context import batch_is_constant

#: With more inputs or units than this, a call of the matrix library is faster than a sum of elementwise terms.
MAX_NARROW_WIDTH = 16
#: Examples from which on a narrow product is a sum of elementwise terms along the batch.
MIN_LONG_BATCH = 64
#: Below this batch size, transposing costs as much as multiplying; with a batch of 2 under `jax.vmap`, XLA 0.10 fails.
MIN_TRANSPOSE_BATCH = 16
#: Scalar products up to which the matrix library uses one core and transposes its operands slowly.
MAX_TRANSPOSE_PRODUCTS = 2**21
#: With so many units, and so many times more inputs, the matrix library is faster with the inputs as the last axis: 768
#: examples, 512 inputs and 128 units, two cores: 1.2 ms in place of 1.7.
MIN_TALL_UNITS, MIN_TALL = 64, 2
#: Partial sums along the batch: as many as the widest vector registers hold. A single running sum would use one lane.
LANES = 16


def matmul(
    x: Float[AnyArray, "batch *rest n"], weight: Float[AnyArray, "n units"]
) -> Float[Array, "batch *rest units"]:
    """x W."""
    if not _is_narrow(x, *weight.shape):
        return jnp.matmul(x, weight)
    # One elementwise term an input, with the batch as the contiguous axis.
    return functools.reduce(jnp.add, (weight[i][:, None] * x.T[i][None] for i in range(weight.shape[0]))).T


def weight_gradient(
    x: Float[AnyArray, "batch *rest n"], dy: Float[AnyArray, "batch *rest units"]
) -> Float[Array, "n units"]:
    """xᵀ dy, summed over all axes but the last."""
    n, units = x.shape[-1], dy.shape[-1]
    if _is_narrow(x, n, units):
        return _sum_last_axis(x.T[:, None] * dy.T[None])
    x, dy = jnp.reshape(x, (-1, n)), jnp.reshape(dy, (-1, units))
    if backend.platform() != "cpu":
        return x.T @ dy
    if batch_is_constant() and n > MAX_NARROW_WIDTH:
        return lax.optimization_barrier(x.T) @ dy  # in the first layer, XLA hoists xᵀ out of the loop
    is_small = math.prod((*x.shape, units)) <= MAX_TRANSPOSE_PRODUCTS and len(x) >= 2 / 3 * units
    is_tall = units >= MIN_TALL_UNITS and n >= MIN_TALL * units
    if n > MAX_NARROW_WIDTH and len(x) >= MIN_TRANSPOSE_BATCH and (is_small or is_tall):
        return lax.optimization_barrier(dy.T @ x).T
    return x.T @ dy


def sum_leading(dy: Float[AnyArray, "batch *rest units"]) -> Float[Array, "units"]:
    """Σ dy over all axes but the last."""
    if not _is_narrow(dy, dy.shape[-1]):
        return sum_places(dy)
    return _sum_last_axis(dy.T)


def add_bias(
    y: Float[Array, "batch *rest units"], bias: Float[AnyArray, "units"] | None
) -> Float[Array, "batch *rest units"]:
    """y + b, or y without a bias."""
    return y if bias is None else y + jnp.broadcast_to(bias, y.shape)


def bias_gradient(
    bias: Float[AnyArray, "units"] | None, dy: Float[AnyArray, "batch *rest units"]
) -> Float[Array, "units"] | None:
    """db = Σ dy over all axes but the last, or None without a bias."""
    return None if bias is None else sum_leading(dy)


def _is_narrow(x: AnyArray, *widths: int) -> bool:
    return x.ndim == 2 and len(x) >= MIN_LONG_BATCH and max(widths) <= MAX_NARROW_WIDTH


def _sum_last_axis(z: Float[AnyArray, "*rest batch"]) -> Float[Array, "*rest"]:
    z = jnp.pad(z, [(0, 0)] * (z.ndim - 1) + [(0, -z.shape[-1] % LANES)])
    return z.reshape(*z.shape[:-1], -1, LANES).sum(-2).sum(-1)
