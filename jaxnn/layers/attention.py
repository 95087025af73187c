"""Attention: each place of a sequence reads from the others, by how well they match."""

from typing import Any, Literal, NamedTuple

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaxnn.errors import UserError
from jaxnn.initializers import Init, initializer
from jaxnn.kernels.attention import Attention, Heads, accumulation_type, attend, attend_back
from jaxnn.kernels.matmul import matmul, weight_gradient
from jaxnn.layer import Batch, Key, Layer, Time
from jaxnn.layers.dense import DenseParams
from jaxnn.layers.embedding import EmbeddingParams
from jaxnn.sequence import (
    check_sequences,
    join_derivative,
    join_lengths,
    split_derivative,
    split_lengths,
    valid_places,
)
from jaxnn.shapes import checked

#: The wavelengths of rotary positions go from 2π to 2π times this number of places.
ROTARY_BASE = 10_000.0


class AttentionParams(NamedTuple):
    """The parameters of `attention`.

    query_key_value: weight (n, 3n), for queries, keys and values; no bias, since that of the keys has no influence
    output: weight (n, n)
    positions: a vector for each place (length, n) with `positions="learned"`, else None
    """

    query_key_value: DenseParams
    output: DenseParams
    positions: EmbeddingParams | None


class AttentionResiduals(NamedTuple):
    """Kept: x; queries, keys and values; the heads' outputs and the logarithm of each row's sum; the key of dropout."""

    x: Any
    lengths: Any
    q: Heads
    k: Heads
    v: Heads
    o: Heads
    logs: Float[Array, "batch heads time"]
    key: Any


def attention(
    heads: int,
    causal: bool = False,
    dropout: float = 0.0,
    positions: Literal["none", "learned", "rotary"] = "none",
    length: int = 0,
    weight_init: Init = "glorot_uniform",
) -> Layer:
    """Multi-head self-attention (Vaswani et al. 2017): each place reads the values of the places whose keys match.

    [q, k, v] = x W, cut into heads of size d;  S = q kᵀ/√d,  P = softmax(S),  o = P v;  y = o U
    do = dy Uᵀ, dU = oᵀ dy;  D = Σ do ∘ o;  dv = Pᵀ do,  dS = P ∘ (do vᵀ − D),  dq = dS k/√d,  dk = dSᵀ q/√d;
    dW = xᵀ [dq, dk, dv],  dx = [dq, dk, dv] Wᵀ

    Derivation: o = P v gives dv and dP = do vᵀ. The softmax of a row has dS = P ∘ (dP − Σ P dP), and Σ P dP = Σ do ∘ o,
    since both are the sum of Pᵢⱼ doᵢ · vⱼ over j. So P is not kept: L, the logarithm of each row's sum, gives it again
    as exp(S − L) (Dao et al. 2022). S is linear in q and in k.

    x and y (batch, time, n), also a `Sequence`: no place reads padding. W (n, 3n), U (n, n).
    causal: a place reads from itself and from earlier places
    dropout: the fraction of P that is set to 0 while training; the mask is drawn again on the way back
    positions: "none"; "learned" adds a vector for each of `length` places to x; "rotary" turns queries and keys by an
        angle that grows with the place, so that S depends on distances (Su et al. 2021)
    Raises `UserError` for features that the heads do not divide, and for other options that cannot be.
    """
    _check_options(heads, dropout, positions, length)
    make_weight, make_positions = initializer(weight_init), initializer({"name": "normal", "stddev": 0.02})

    def init(key: PRNGKeyArray, x: Batch) -> AttentionParams:
        x = check_sequences("attention", x)
        if x.shape[-1] % heads or (positions == "rotary" and x.shape[-1] // heads % 2):
            raise UserError(
                f"attention: expected x (batch, time, features) with features that {heads} heads divide"
                f"{' into an even size' if positions == 'rotary' else ''}, found shape {tuple(x.shape)}"
            )
        _check_places(x, length)
        n = x.shape[-1]
        key_in, key_out, key_positions = jax.random.split(key, 3)
        blocks = [make_weight(k, (n, n), x.dtype) for k in jax.random.split(key_in, 3)]
        table = EmbeddingParams(make_positions(key_positions, (length, n), x.dtype)) if positions == "learned" else None
        return AttentionParams(
            DenseParams(jnp.concatenate(blocks, 1), None),
            DenseParams(make_weight(key_out, (n, n), x.dtype), None),
            table,
        )

    def heads_of(params: AttentionParams, x: Any, first: Any) -> tuple[Any, Heads, Heads, Heads]:
        """x with its positions, and queries, keys and values (batch, heads, time, size), from place `first` on."""
        time = x.shape[1]
        if params.positions is not None:
            x = x + jax.lax.dynamic_slice_in_dim(params.positions.table, first, time)[None]
        q, k, v = (_split_heads(part, heads) for part in jnp.split(matmul(x, params.query_key_value.weight), 3, -1))
        if positions == "rotary":
            q, k = (_rotate(part, first, 1) for part in (q, k))
        return x, q, k, v

    def forward(params: AttentionParams, x: Batch, key: Key) -> tuple[Batch, AttentionResiduals]:
        values, lengths = split_lengths(x)
        x, q, k, v = heads_of(params, values, 0)
        key = key if dropout else None
        o, logs = attend(q, k, v, _how(causal, lengths, values.shape[1], dropout, key))
        y = matmul(_join_heads(o), params.output.weight)
        return join_lengths(y, lengths), AttentionResiduals(x, lengths, q, k, v, o, logs, key)

    def backward(params: AttentionParams, res: AttentionResiduals, dy: Batch) -> tuple[AttentionParams, Batch]:
        x, lengths, q, k, v, o, logs, key = res
        dy = split_derivative(dy, lengths)
        do = _split_heads(matmul(dy, params.output.weight.T), heads)
        dq, dk, dv = attend_back(q, k, v, o, logs, do, _how(causal, lengths, x.shape[1], dropout, key))
        if positions == "rotary":
            dq, dk = (_rotate(part, 0, -1) for part in (dq, dk))
        together = jnp.concatenate([_join_heads(part) for part in (dq, dk, dv)], -1)
        dx = matmul(together, params.query_key_value.weight.T)
        table = None
        if params.positions is not None:
            unused = len(params.positions.table) - dx.shape[1]
            table = EmbeddingParams(jnp.pad(dx.sum(0), ((0, unused), (0, 0))))
        return AttentionParams(
            DenseParams(weight_gradient(x, together), None),
            DenseParams(weight_gradient(_join_heads(o), dy), None),
            table,
        ), join_derivative(dx, lengths)

    def start(params: AttentionParams, batch: int, places: int) -> Any:
        weight = params.output.weight
        if params.positions is not None and places > len(params.positions.table):
            raise UserError(f"attention: expected at most {len(params.positions.table)} places, found {places}")
        keys = jnp.zeros((batch, heads, places, len(weight) // heads), weight.dtype)
        return keys, keys, jnp.zeros((), jnp.int32)

    def extend(params: AttentionParams, memory: Any, x: Any) -> tuple[Any, Any]:
        keys, values, place = memory
        _, q, k, v = heads_of(params, x, place)
        keys, values = (
            jax.lax.dynamic_update_slice_in_dim(cache, part, place, 2) for cache, part in ((keys, k), (values, v))
        )
        seen = (
            jnp.arange(keys.shape[2], dtype=place.dtype)[None]
            <= place + jnp.arange(x.shape[1], dtype=place.dtype)[:, None]
        )
        scores = jnp.matmul(q, keys.swapaxes(2, 3)) * q.shape[-1] ** -0.5
        weights = jax.nn.softmax(jnp.where(jnp.broadcast_to(seen, scores.shape), scores, -jnp.inf), -1)
        o = jnp.matmul(weights, values)
        return matmul(_join_heads(o), params.output.weight), (keys, values, place + x.shape[1])

    time = Time(start, extend, grows=True) if causal else Time()
    return checked(Layer(init, forward, backward, "attention", time=time))


def _check_options(heads: int, dropout: float, positions: str, length: int) -> None:
    if heads < 1:
        raise UserError(f"attention: expected at least 1 head, found {heads}")
    if not 0 <= dropout < 1:
        raise UserError(f"attention: expected a dropout rate in [0, 1), found {dropout}")
    if positions not in ("none", "learned", "rotary"):
        raise UserError(f"attention: expected positions of none, learned, rotary, found {positions!r}")
    if (positions == "learned") != (length > 0):
        raise UserError(
            f"attention: expected a length with positions = 'learned', else none, found {positions!r} and {length}"
        )


def _check_places(x: Any, length: int) -> None:
    if 0 < length < x.shape[1]:
        raise UserError(f"attention: expected at most {length} places, found x of shape {tuple(x.shape)}")


def _how(causal: bool, lengths: Any, time: int, rate: float, key: Key) -> Attention:
    return Attention(causal, None if lengths is None else valid_places(lengths, time), rate, key)


def _split_heads(x: Float[Array, "batch time n"], heads: int) -> Heads:
    return x.reshape(*x.shape[:2], heads, -1).swapaxes(1, 2)


def _join_heads(x: Heads) -> Float[Array, "batch time n"]:
    return x.swapaxes(1, 2).reshape(x.shape[0], x.shape[2], -1)


def _rotate(x: Heads, first: Any, direction: int) -> Heads:
    """Turns the pairs (xᵢ, xᵢ₊ₕ), h half of the size, by an angle that is proportional to the place.

    A rotation's transpose is the rotation in the other direction, so the derivative needs nothing but dy.
    """
    half = x.shape[-1] // 2
    dtype = accumulation_type(x.dtype)
    rates = ROTARY_BASE ** (-jnp.arange(half, dtype=dtype) / half)
    angles = direction * (first + jnp.arange(x.shape[2], dtype=jnp.int32)).astype(dtype)[:, None] * rates[None]
    cosine, sine = (f(angles).astype(x.dtype)[None, None] for f in (jnp.cos, jnp.sin))
    a, b = x[..., :half], x[..., half:]
    return jnp.concatenate([a * cosine - b * sine, a * sine + b * cosine], -1)
