"""Batches for the JAX libraries without a training loop: all examples on the device, shuffled each epoch."""

from collections.abc import Iterator

import jax
import numpy as np
from jax import numpy as jnp

from benchmarks.digits import Digits
from benchmarks.runner import Workload


def batches(workload: Workload, digits: Digits) -> Iterator[tuple[jax.Array, jax.Array]]:
    """x and y of each step, endlessly."""
    x, y, rng = jnp.asarray(digits.x), jnp.asarray(digits.y), np.random.default_rng(0)
    while True:
        order = rng.permutation(workload.examples)[: workload.steps_per_epoch * workload.batch_size]
        for rows in jnp.asarray(order.reshape(workload.steps_per_epoch, -1)):
            yield x[rows], y[rows]
