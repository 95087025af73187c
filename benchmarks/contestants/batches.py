"""Batches for the JAX libraries that leave the loop to their users: all examples on the device, an order an epoch."""

from collections.abc import Iterator

import jax
import numpy as np
from jax import numpy as jnp

from benchmarks.digits import Digits
from benchmarks.runner import Work


def batches(work: Work, found: Digits) -> Iterator[tuple[jax.Array, jax.Array]]:
    """x and y of one step after the other, for ever."""
    x, y, rng = jnp.asarray(found.x), jnp.asarray(found.y), np.random.default_rng(0)
    while True:
        order = jnp.asarray(rng.permutation(work.examples)[: work.epoch * work.batch].reshape(work.epoch, -1))
        for rows in order:
            yield x[rows], y[rows]
