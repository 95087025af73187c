"""The metrics of a whole set of examples, a batch at a time."""

from collections.abc import Callable
from typing import Any

import jax
from jax import numpy as jnp

from jaxnn.layer import Batch, Params
from jaxnn.metrics import Sum, Sums, add


def evaluate(
    measure: Callable[[Params, Batch, Any], Sums],
    params: Params,
    examples: Batch,
    key: Any,
    *,
    prepare: Callable[[Batch], Batch] = lambda batch: batch,
    rows: int | None = 1000,
) -> dict[str, Sum]:
    """What `measure(params, batch, key)`, an update's `evaluate`, gives for all examples together.

    examples: a pytree with a leading axis of examples
    rows: examples of a batch; None: all at once. The last batch is what remains
    """
    n = jax.tree.leaves(examples)[0].shape[0]
    size = n if rows is None else min(rows, n)

    def part(start, size, key):
        batch = jax.tree.map(lambda a: jax.lax.dynamic_slice_in_dim(a, start, size), examples)
        return measure(params, prepare(batch), key)

    sums = jax.lax.map(lambda i: part(i * size, size, jax.random.fold_in(key, i)), jnp.arange(n // size))
    sums = jax.tree.map(lambda a: a.sum(axis=0), dict(sums))
    if n % size:
        sums = add(sums, part(n - n % size, n % size, jax.random.fold_in(key, n // size)))
    return sums
