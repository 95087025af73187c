"""Random numbers of the examples of a batch, where a program computes only some of its rows.

A mask of dropout belongs to its example, not to the device that computes it: what is drawn for the rows of a part is
what would be drawn for them in the whole batch.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import jax
from jax import lax

from jaxnn.kernels.random_bits import with_fused_rounds


class Rows(NamedTuple):
    """`size` rows of a batch of `total`, from the row `start` on, which may be traced."""

    start: Any
    size: int
    total: int


_rows: ContextVar[Rows | None] = ContextVar("batch_rows", default=None)


@contextmanager
def batch_rows(start: Any, size: int, total: int) -> Iterator[None]:
    """While active, the code being traced computes these rows of a batch.

    JAX remembers the jaxpr of a function that it has traced, without this: trace a new function within it.
    """
    token = _rows.set(Rows(start, size, total))
    try:
        yield
    finally:
        _rows.reset(token)


def draw_rows(draw: Callable[[tuple[int, ...]], Any], shape: tuple[int, ...]) -> Any:
    """`draw(shape)`, whose first axis holds the examples of a batch, or several places of each example in turn.

    Where only some rows of a batch are computed, those rows of what is drawn for the whole batch. Every device draws
    the whole: random numbers cost little beside the products of a net.
    """
    rows = _rows.get()
    if rows is None or not shape or shape[0] % rows.size:
        return draw(shape)
    places = shape[0] // rows.size
    whole = draw((rows.total * places, *shape[1:]))
    return lax.dynamic_slice_in_dim(whole, rows.start * places, shape[0])


def draw_bernoulli(key: Any, p: Any, shape: tuple[int, ...]) -> Any:
    """`jax.random.bernoulli` for the rows of a batch, see `draw_rows`."""
    return draw_rows(lambda shape: jax.random.bernoulli(with_fused_rounds(key, shape), p, shape), shape)


def draw_normal(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """`jax.random.normal` for the rows of a batch, see `draw_rows`."""
    return draw_rows(lambda shape: jax.random.normal(with_fused_rounds(key, shape), shape, dtype), shape)


def draw_uniform(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """`jax.random.uniform` for the rows of a batch, see `draw_rows`."""
    return draw_rows(lambda shape: jax.random.uniform(with_fused_rounds(key, shape), shape, dtype), shape)
