"""Tables of vectors: for tokens, for positions, and the way from a vector back to tokens."""

from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float, Integer, PRNGKeyArray, Shaped

from jaxnn.errors import UserError
from jaxnn.initializers import Init, initializer
from jaxnn.kernels.array_types import AnyArray, ArrayOrShape
from jaxnn.kernels.matmul import matmul, weight_gradient
from jaxnn.kernels.rows import table_gradient
from jaxnn.kernels.sums import sum_places
from jaxnn.layer import Key, Layer, Time
from jaxnn.shapes import check_array, check_floating, checked

Ids = Integer[AnyArray, "batch *places"]
Vectors = Float[AnyArray, "batch *places units"]
Logits = Float[AnyArray, "batch *places rows"]
Sequences = Float[AnyArray, "batch time units"]


class EmbeddingParams(NamedTuple):
    """A vector for each row. An optimizer's decay leaves it alone, since a rare row would only shrink."""

    table: Float[Array, "rows units"]


def embedding(rows: int, units: int, table_init: Init = "normal") -> Layer:
    """A vector for each token: the row of a table.

    y = E[x]
    dEᵣ = Σ dy over the places where x = r;  x holds integers and has no derivative

    Derivation: y = onehot(x) E is linear in E, so dE = onehot(x)ᵀ dy: each row gathers the dy of its places.

    x (batch, …) integers from 0 to rows − 1, E (rows, units), y (batch, …, units).
    Raises `UserError` for fewer than one row or unit, for x that holds no integers, and for an id that has no row.
    """
    _check_sizes("embedding", rows, units)
    make_table = initializer({"name": "normal", "stddev": 0.02} if table_init == "normal" else table_init)

    def init(key: PRNGKeyArray, x: Shaped[ArrayOrShape, "batch *places"]) -> EmbeddingParams:
        _check_ids(x, rows)
        return EmbeddingParams(make_table(key, (rows, units), _default_float()))

    def forward(params: EmbeddingParams, x: Ids, key: Key) -> tuple[Vectors, Ids]:
        del key
        _check_ids(x, len(params.table))
        return jnp.take(params.table, x, axis=0, mode="fill", fill_value=jnp.nan), x

    def backward(params: EmbeddingParams, res: Ids, dy: Vectors) -> tuple[EmbeddingParams, None]:
        return EmbeddingParams(table_gradient(jnp.asarray(res), jnp.asarray(dy), len(params.table))), None

    return checked(Layer(init, forward, backward, "embedding"))


def unembedding(rows: int) -> Layer:
    """Logits for each row of a table of vectors: how well a vector fits each token.

    y = x Eᵀ
    dE = dyᵀ x,  dx = dy E

    Derivation: that of a fully connected layer with the weight Eᵀ.

    x (batch, …, units), E (rows, units), y (batch, …, rows). With `share("embed", unembedding(rows))` it uses the table
    of the embedding `embed` (Press and Wolf 2017); the derivatives of both uses add.
    Raises `UserError` for fewer than one row.
    """
    _check_sizes("unembedding", rows, 1)
    make_table = initializer({"name": "normal", "stddev": 0.02})

    def init(key: PRNGKeyArray, x: Float[ArrayOrShape, "batch *places units"]) -> EmbeddingParams:
        check_floating("unembedding", x, axes=2)
        return EmbeddingParams(make_table(key, (rows, x.shape[-1]), x.dtype))

    def forward(params: EmbeddingParams, x: Vectors, key: Key) -> tuple[Logits, Vectors]:
        del key
        return matmul(x, params.table.T), x

    def backward(params: EmbeddingParams, res: Vectors, dy: Logits) -> tuple[EmbeddingParams, Vectors]:
        return EmbeddingParams(weight_gradient(dy, res)), matmul(dy, params.table)

    return checked(Layer(init, forward, backward, "unembedding"))


def positional_embedding(length: int) -> Layer:
    """Adds a learned vector for each place of a sequence (Vaswani et al. 2017, section 3.5).

    yₜ = xₜ + Pₜ
    dP = Σ dy over the batch,  dx = dy

    Derivation: y is a sum, and P is the same for all examples.

    x and y (batch, time, units) with time ≤ length, P (length, units). Raises `UserError` for a longer sequence.
    """
    _check_sizes("positional_embedding", length, 1)
    make_table = initializer({"name": "normal", "stddev": 0.02})

    def init(key: PRNGKeyArray, x: Float[ArrayOrShape, "batch time units"]) -> EmbeddingParams:
        check_floating("positional_embedding", x)
        if len(x.shape) != 3 or x.shape[1] > length:
            raise UserError(
                f"positional_embedding: expected x (batch, time, units) with at most {length} places, found shape "
                f"{tuple(x.shape)}"
            )
        return EmbeddingParams(make_table(key, (length, x.shape[-1]), x.dtype))

    def forward(params: EmbeddingParams, x: Sequences, key: Key) -> tuple[Sequences, tuple[()]]:
        del key
        return x + params.table[None, : x.shape[1]], ()

    def backward(params: EmbeddingParams, res: tuple[()], dy: Sequences) -> tuple[EmbeddingParams, Sequences]:
        del res
        unused = len(params.table) - dy.shape[1]
        table = sum_places(dy.reshape(len(dy), -1)).reshape(dy.shape[1:])
        return EmbeddingParams(jnp.pad(table, ((0, unused), (0, 0)))), dy

    def start(params: EmbeddingParams, batch: int, places: int) -> Any:
        del batch
        if places > len(params.table):
            raise UserError(f"positional_embedding: expected at most {len(params.table)} places, found {places}")
        return jnp.zeros((), jnp.int32)

    def extend(params: EmbeddingParams, memory: Any, x: Any) -> tuple[Any, Any]:
        added = jax.lax.dynamic_slice_in_dim(params.table, memory, x.shape[1])
        return x + added[None], memory + x.shape[1]

    time = Time(start, extend, grows=True, lengths=False)
    return checked(Layer(init, forward, backward, "positional_embedding", time=time))


def _check_sizes(name: str, rows: int, units: int) -> None:
    if rows < 1 or units < 1:
        raise UserError(f"{name}: expected at least 1 row and 1 unit, found {rows} and {units}")


def _check_ids(ids: Any, rows: int) -> None:
    """Raises `UserError` for what is no integer, and for an id without a row; a traced value is not known."""
    check_array("embedding", ids, axes=1)
    if not jnp.issubdtype(ids.dtype, jnp.integer):
        raise UserError(f"embedding: expected integers from 0 to {rows - 1}, found {ids.dtype} {tuple(ids.shape)}")
    if isinstance(ids, Tracer | jax.ShapeDtypeStruct) or ids.size == 0:
        return
    values = np.asarray(ids)
    low, high = values.min(), values.max()
    if low < 0 or high >= rows:
        raise UserError(f"embedding: expected integers from 0 to {rows - 1}, found {low} … {high}")


def _default_float():
    return jnp.zeros(()).dtype
