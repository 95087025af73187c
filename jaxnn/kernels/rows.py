"""The derivative of a table whose rows are gathered by integers, without a scatter where that is faster.

XLA's scatter-add is a serial loop on a CPU; on a GPU the order of its sums differs from run to run. For a small table
the derivative is a matrix product with one-hot rows: exact, deterministic, and faster.
"""

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float, Integer

#: Rows of a table up to which the derivative is a product with one-hot rows.
MAX_ONE_HOT_ROWS = 512


def table_gradient(
    ids: Integer[Array, "*places"], dy: Float[Array, "*places units"], rows: int
) -> Float[Array, "rows units"]:
    """For each row, the sum of dy over the places whose id it is. Ids outside 0 … rows − 1 count for no row."""
    ids, dy = ids.reshape(-1), dy.reshape(-1, dy.shape[-1])
    if rows <= MAX_ONE_HOT_ROWS:
        return jax.nn.one_hot(ids, rows, dtype=dy.dtype).T @ dy
    return jnp.zeros((rows, dy.shape[-1]), dy.dtype).at[ids].add(dy, mode="drop")
