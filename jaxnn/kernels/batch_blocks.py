"""A batch taken a few examples at a time, so that what is made on the way stays small and in a CPU's cache."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from jax import lax
from jax import numpy as jnp
from jaxtyping import Array

#: Bytes that what is made of one block may take.
BLOCK_BYTES = 3 * 2**19


@contextmanager
def uncut() -> Iterator[None]:
    """Within it, what is traced takes every batch whole: for counting, since a compiler counts a loop's body once."""
    global BLOCK_BYTES
    before, BLOCK_BYTES = BLOCK_BYTES, sys.maxsize
    try:
        yield
    finally:
        BLOCK_BYTES = before


def summed(f: Callable[..., Array], arrays: tuple[Array, ...], bytes_of_one: int) -> Array:
    """f(*arrays), for an f that sums over the batch, as the sum of f over blocks of examples.

    bytes_of_one: what f makes of one example takes about so many
    """
    n, whole, block = _cut(arrays, bytes_of_one)
    # The sum begins with a block: one of zeros would not be shared out over devices as the arrays are.
    total = f(*block(0))
    if whole > 1:
        total, _ = lax.scan(lambda total, i: (total + f(*block(i * n)), None), total, jnp.arange(1, whole))
    rest = tuple(a[whole * n :] for a in arrays)
    return total + f(*rest) if len(rest[0]) else total


def mapped(f: Callable[..., Array], arrays: tuple[Array, ...], bytes_of_one: int) -> Array:
    """f(*arrays), for an f that takes each example by itself, as f of blocks of examples, joined along the batch."""
    n, whole, block = _cut(arrays, bytes_of_one)
    if whole == 1 and n == len(arrays[0]):
        return f(*arrays)
    y = lax.map(lambda i: f(*block(i * n)), jnp.arange(whole))
    y, rest = y.reshape(-1, *y.shape[2:]), tuple(a[whole * n :] for a in arrays)
    return jnp.concatenate([y, f(*rest)]) if len(rest[0]) else y


def _cut(arrays: tuple[Array, ...], bytes_of_one: int) -> tuple[int, int, Callable[[Array | int], tuple[Array, ...]]]:
    """How many examples a block holds, how many whole blocks there are, and the block that starts at an example."""
    batch = len(arrays[0])
    most = min(batch, max(1, BLOCK_BYTES // max(bytes_of_one, 1)))
    # Blocks that fill the batch spare the program a rest.
    n = next((n for n in range(most, most // 2, -1) if batch % n == 0), most)
    return n, batch // n, lambda start: tuple(lax.dynamic_slice_in_dim(a, start, n) for a in arrays)
