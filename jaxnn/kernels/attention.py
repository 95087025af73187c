"""Softmax attention over blocks of queries, and its derivative. Neither keeps an array of time × time.

The logarithm of each row's sum is kept in place of the row: P = exp(S − L) gives the weights again with one product.
In a causal attention a block of queries sees the keys up to its end only, so about half of the products are left out.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
from jax import numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxnn.kernels.batch_rows import draw_bernoulli
from jaxnn.kernels.sums import sum_outputs

Heads = Float[Array, "batch heads time size"]
PerQuery = Float[Array, "batch heads time"]

#: Queries of a block: at least this many, and at most so many blocks, since each is compiled by itself.
MIN_BLOCK, MAX_BLOCKS = 128, 16


class Attention(NamedTuple):
    """What is the same on both ways.

    causal: a query sees the keys up to its own place
    valid: (batch, time), the keys that may be seen; None for all
    rate: of dropout on the weights; key: None for none
    """

    causal: bool
    valid: Any = None
    rate: float = 0.0
    key: Any = None


def attend(q: Heads, k: Heads, v: Heads, how: Attention) -> tuple[Heads, PerQuery]:
    """o = softmax(q kᵀ/√d) v, and L, the logarithm of each row's sum. A row without any key is 0."""
    outputs, logs = [], []
    for rows, keys in _blocks(q.shape[2], how.causal):
        scores, seen = _scores(q[:, :, rows], k[:, :, keys], how, rows, keys)
        largest = jnp.max(jnp.where(seen, scores, -jnp.inf), -1, keepdims=True)
        largest = jnp.where(jnp.isfinite(largest), largest, 0)
        weights = jnp.where(seen, jnp.exp(scores - largest), 0)
        total = sum_outputs(weights)[..., None]
        total = jnp.where(total == 0, 1, total)
        dropped = _drop(weights / total, how, rows)
        outputs.append(jnp.matmul(dropped.astype(v.dtype), v[:, :, keys]))
        logs.append((largest + jnp.log(total))[..., 0])
    return jnp.concatenate(outputs, 2), jnp.concatenate(logs, 2)


def attend_back(
    q: Heads, k: Heads, v: Heads, o: Heads, logs: PerQuery, do: Heads, how: Attention
) -> tuple[Heads, Heads, Heads]:
    """dq, dk, dv. With D = Σ do ∘ o for each query:  dv = Pᵀ do,  dS = P ∘ (do vᵀ − D),  dq = dS k/√d,  dk = dSᵀ q/√d.

    With dropout, P and do vᵀ carry the mask; D stays as it is.
    """
    scale = q.shape[-1] ** -0.5
    dq, dk, dv = [], None, None
    for rows, keys in _blocks(q.shape[2], how.causal):
        scores, seen = _scores(q[:, :, rows], k[:, :, keys], how, rows, keys)
        weights = jnp.where(seen, jnp.exp(scores - logs[:, :, rows, None]), 0)
        dout = do[:, :, rows]
        dropped = _drop(weights, how, rows).astype(dout.dtype)
        dweights = jnp.matmul(dout, v[:, :, keys].swapaxes(2, 3)).astype(weights.dtype)
        dweights = _drop(dweights, how, rows)
        row_sums = sum_outputs(dout * o[:, :, rows])[..., None].astype(weights.dtype)
        dscores = (weights * (dweights - row_sums) * scale).astype(dout.dtype)
        dq.append(jnp.matmul(dscores, k[:, :, keys]))
        dk = _add_keys(dk, jnp.matmul(dscores.swapaxes(2, 3), q[:, :, rows]))
        dv = _add_keys(dv, jnp.matmul(dropped.swapaxes(2, 3), dout))
    assert dk is not None and dv is not None
    return jnp.concatenate(dq, 2), dk, dv


def _add_keys(total: Any, block: Float[Array, "batch heads key size"]) -> Float[Array, "batch heads key size"]:
    """The sum of the blocks so far and a further one, which has at least as many keys."""
    if total is None:
        return block
    further = block.shape[2] - total.shape[2]
    return block + jnp.pad(total, ((0, 0), (0, 0), (0, further), (0, 0)))


def _blocks(time: int, causal: bool) -> Iterator[tuple[slice, slice]]:
    """The rows of each block of queries, and the keys that it can see."""
    size = max(MIN_BLOCK, -(-time // MAX_BLOCKS))
    for first in range(0, time, size):
        end = min(first + size, time)
        yield slice(first, end), slice(0, end if causal else time)


def _scores(
    q: Float[Array, "batch heads query size"],
    k: Float[Array, "batch heads key size"],
    how: Attention,
    rows: slice,
    keys: slice,
) -> tuple[Float[Array, "batch heads query key"], Bool[Array, "batch heads query key"]]:
    """q kᵀ/√d in float32 at least, and which of the keys each query sees."""
    dtype = accumulation_type(q.dtype)
    scores = jnp.matmul(q, k.swapaxes(2, 3), preferred_element_type=dtype) * q.shape[-1] ** -0.5
    seen = jnp.ones((1, 1, 1, 1), bool)
    if how.causal:
        seen = (jnp.arange(keys.start, keys.stop)[None] <= jnp.arange(rows.start, rows.stop)[:, None])[None, None]
    if how.valid is not None:
        seen = seen & how.valid[:, None, None, keys]
    return scores, jnp.broadcast_to(seen, scores.shape)


def accumulation_type(dtype: Any) -> Any:
    """The type for sums and angles: float32 for shorter types, else the type itself."""
    return dtype if jnp.finfo(dtype).bits >= 32 else jnp.float32


def _drop(weights: Any, how: Attention, rows: slice) -> Any:
    """Dropout by a mask that is drawn again, not kept: the same key and block give the same mask."""
    if how.key is None or not how.rate:
        return weights
    keep = draw_bernoulli(jax.random.fold_in(how.key, rows.start), 1 - how.rate, weights.shape)
    return jnp.where(keep, weights / (1 - how.rate), 0)
