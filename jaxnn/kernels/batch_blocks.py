"""Functions of a batch computed a few examples at a time, so that their intermediate arrays fit a CPU's cache."""

from collections.abc import Callable

from jax import lax
from jax import numpy as jnp
from jaxtyping import Array

from jaxnn.kernels.trace_context import batch_is_whole

#: Bytes that the intermediate arrays of one block may take.
BLOCK_BYTES = 3 * 2**19


def sum_over_blocks(f: Callable[..., Array], arrays: tuple[Array, ...], bytes_per_example: int) -> Array:
    """f(*arrays), for an f that sums over the batch, as the sum of f over blocks of examples.

    bytes_per_example: about how many bytes of intermediate arrays f makes for one example
    """
    size, count, block = _split(arrays, bytes_per_example)
    # The sum starts with the first block: an array of zeros would not be sharded over devices as the arrays are.
    total = f(*block(0))
    if count > 1:
        total, _ = lax.scan(lambda total, i: (total + f(*block(i * size)), None), total, jnp.arange(1, count))
    remainder = tuple(a[count * size :] for a in arrays)
    return total + f(*remainder) if len(remainder[0]) else total


def map_over_blocks(f: Callable[..., Array], arrays: tuple[Array, ...], bytes_per_example: int) -> Array:
    """f(*arrays), for an f that treats examples independently: f of blocks of examples, joined along the batch."""
    size, count, block = _split(arrays, bytes_per_example)
    if count == 1 and size == len(arrays[0]):
        return f(*arrays)
    y = lax.map(lambda i: f(*block(i * size)), jnp.arange(count))
    y, remainder = y.reshape(-1, *y.shape[2:]), tuple(a[count * size :] for a in arrays)
    return jnp.concatenate([y, f(*remainder)]) if len(remainder[0]) else y


def _split(
    arrays: tuple[Array, ...], bytes_per_example: int
) -> tuple[int, int, Callable[[Array | int], tuple[Array, ...]]]:
    """The number of examples in a block, the number of full blocks, and the block that starts at a given example."""
    batch = len(arrays[0])
    largest = batch if batch_is_whole() else min(batch, max(1, BLOCK_BYTES // max(bytes_per_example, 1)))
    # A block size that divides the batch leaves no remainder to compile a second time.
    size = next((n for n in range(largest, largest // 2, -1) if batch % n == 0), largest)
    return size, batch // size, lambda start: tuple(lax.dynamic_slice_in_dim(a, start, size) for a in arrays)
