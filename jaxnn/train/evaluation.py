"""The metrics of a whole set of examples, a batch at a time, and what is predicted for each example."""

from collections.abc import Callable
from typing import Any

import jax
from jax import numpy as jnp

from jaxnn.layer import Batch, Params
from jaxnn.quantities import Quantity, Sums


def evaluate(
    measure: Callable[[Params, Batch, Any], Sums],
    params: Params,
    examples: Batch,
    key: Any,
    *,
    prepare: Callable[[Batch], Batch] = lambda batch: batch,
    rows: int | None = 1000,
) -> dict[str, Quantity]:
    """What `measure(params, batch, key)`, an update's `evaluate`, gives for the examples, the batches along a new axis.

    examples: a pytree with a leading axis of examples
    rows: examples of a batch; None: all at once. The last batch is what remains
    """

    def both(params, batch, key):
        return measure(params, batch, key), ()

    return evaluate_each(both, params, examples, key, prepare=prepare, rows=rows)[0]


def evaluate_each(
    measure: Callable[[Params, Batch, Any], tuple[Sums, Any]],
    params: Params,
    examples: Batch,
    key: Any,
    *,
    prepare: Callable[[Batch], Batch] = lambda batch: batch,
    rows: int | None = 1000,
    first: Any = 0,
) -> tuple[dict[str, Quantity], Any]:
    """The same of a `measure` that returns a pytree with a leading axis of examples besides: those of all examples.

    first: the number of the first batch, where the examples before it were measured before
    """
    n = jax.tree.leaves(examples)[0].shape[0]
    size = n if rows is None else min(rows, n)

    def part(start, size, key):
        batch = jax.tree.map(lambda a: jax.lax.dynamic_slice_in_dim(a, start, size), examples)
        sums, each = measure(params, prepare(batch), key)
        return dict(sums), each

    sums, each = jax.lax.map(lambda i: part(i * size, size, jax.random.fold_in(key, first + i)), jnp.arange(n // size))
    each = jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), each)
    if n % size:
        rest, last = part(n - n % size, n % size, jax.random.fold_in(key, first + n // size))
        sums = jax.tree.map(lambda a, b: jnp.concatenate([a, b[None]]), sums, rest)
        each = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), each, last)
    return sums, each
