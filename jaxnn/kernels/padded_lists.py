"""Sums over padded lists: rows of a matrix gathered by the entries of a list, weighted and added up."""

from collections.abc import Callable
from typing import Any

import jax
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnn.kernels.array_types import AnyArray

#: A table with a row for each node, or entry: (n, ...).
Table = Float[Array, "n *rest"]


def rows_at(table: Float[AnyArray, "n *rest"], index: Int[AnyArray, "*places"]) -> Float[Array, "..."]:
    """The rows of a table at an index within it. Traced in half the time of `table.at[index].get()`."""
    table = jnp.asarray(table)
    trailing = tuple(range(index.ndim, index.ndim + table.ndim - 1))
    dimensions = lax.GatherDimensionNumbers(offset_dims=trailing, collapsed_slice_dims=(0,), start_index_map=(0,))
    return lax.gather(table, index[..., None], dimensions, (1, *table.shape[1:]), mode="promise_in_bounds")


def gather_rows(table: Float[AnyArray, "n *rest"], index: Int[Array, "*places"]) -> Float[Array, "..."]:
    """The rows of a table at an index; zeros where it is −1. What stands in the table is never multiplied there."""
    rows = rows_at(table, jnp.maximum(index, 0))
    seen = (index >= 0).reshape(*index.shape, *[1] * (table.ndim - 1))
    return jnp.where(seen, rows, jnp.zeros((), table.dtype))


def map_lists(lists: Any, function: Callable[[Any, Any, Any], Any]) -> Any:
    """`function(others, entries, rows)` of each group of rows, in the order of the rows. Without a batch axis."""
    groups = [function(*group) for group in zip(lists.others, lists.entries, lists.members, strict=True)]
    joined = jax.tree.map(lambda *parts: jnp.concatenate(parts), *groups)
    return jax.tree.map(lambda a: rows_at(a, lists.order), joined)


def by_entry(lists: Any, function: Callable[[Any, Any, Any], Any]) -> Any:
    """`function(others, entries, rows)` of each group, (rows, width, ...), as an array of entries (entries, ...)."""
    groups = [function(*group) for group in zip(lists.others, lists.entries, lists.members, strict=True)]
    flat = jax.tree.map(lambda *parts: jnp.concatenate([a.reshape(-1, *a.shape[2:]) for a in parts]), *groups)
    return jax.tree.map(lambda a: rows_at(a, lists.places), flat)


def sum_rows(lists: Any, table: Table) -> Float[Array, "rows *rest"]:
    """For each row of the lists the sum of the table's rows at its entries' columns."""
    return map_lists(lists, lambda others, entries, rows: gather_rows(table, others).sum(1))


def sum_weighted_rows(lists: Any, weights: Float[AnyArray, "entries"], table: Table) -> Float[Array, "rows units"]:
    """The same with a weight for each entry: a product of a sparse matrix and a table (n, units)."""

    def group(others: Any, entries: Any, rows: Any) -> Any:
        del rows
        weight = gather_rows(weights, entries)
        return jnp.einsum("rw,rwu->ru", weight, gather_rows(table, others))

    return map_lists(lists, group)
