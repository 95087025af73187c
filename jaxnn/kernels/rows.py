"""The derivative of a table whose rows are gathered by integers: for each row, a sum over the places that read it.

On a CPU a scatter is fastest: 65 rows of 128, 8,192 places, two cores: 0.3 ms, and 3.7 ms as a product with one-hot
rows. On a GPU the order of a scatter's sums differs from run to run, and some versions of XLA make it slow. There the
derivative of a small table is that product, which is deterministic.
"""

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float, Integer

from jaxnn.kernels import backend

#: Rows of a table up to which the derivative is a product with one-hot rows, except on a CPU.
MAX_ONE_HOT_ROWS = 512


def table_gradient(
    ids: Integer[Array, "*places"], dy: Float[Array, "*places units"], rows: int
) -> Float[Array, "rows units"]:
    """For each row, the sum of dy over the places whose id it is. Ids outside 0 … rows − 1 count for no row."""
    ids, dy = ids.reshape(-1), dy.reshape(-1, dy.shape[-1])
    if backend.platform() != "cpu" and rows <= MAX_ONE_HOT_ROWS:
        return jax.nn.one_hot(ids, rows, dtype=dy.dtype).T @ dy
    return jnp.zeros((rows, dy.shape[-1]), dy.dtype).at[ids].add(dy, mode="drop")
