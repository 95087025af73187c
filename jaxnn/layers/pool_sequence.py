"""One vector for a sequence: the mean, the maximum or the last of its valid places."""

from typing import Any, Literal

from jax import numpy as jnp

from jaxnn.errors import UserError
from jaxnn.kernels.array_types import NoParams
from jaxnn.layer import Batch, Key, Layer, Time
from jaxnn.sequence import check_sequences, join_derivative, split_lengths, valid_places
from jaxnn.shapes import checked


def pool_sequence(kind: Literal["mean", "max", "last"] = "mean") -> Layer:
    """The mean, the largest value of each feature, or the last vector, over the valid places of a sequence.

    mean: y = (1/L) Σ xₜ,  dxₜ = dy / L;  max: dx is dy where xₜ is the first maximum, else 0;  last: dx_L = dy, else 0

    Derivation: a mean is linear in each place with the factor 1/L; a maximum has the slope 1 at the place that has it;
    the last place is the output itself.

    x (batch, time, n), also a `Sequence` with lengths L; y (batch, n). A sequence without places gives 0.
    Raises `UserError` for another kind.
    """
    if kind not in ("mean", "max", "last"):
        raise UserError(f"pool_sequence: expected mean, max or last, found {kind!r}")

    def init(key: Any, x: Batch) -> NoParams:
        del key
        check_sequences("pool_sequence", x)
        return ()

    def forward(params: NoParams, x: Batch, key: Key) -> tuple[Any, Any]:
        del params, key
        values, lengths = split_lengths(x)
        batch, time, _ = values.shape
        count = jnp.full((batch,), time) if lengths is None else lengths
        shape = (lengths, values[:0])
        if kind == "mean":
            return values.sum(1) / _divisor(count, values.dtype), (shape, None)
        if kind == "max":
            seen = values if lengths is None else _lowest_at_padding(values, lengths)
            index = jnp.argmax(seen, axis=1)
        else:
            index = jnp.broadcast_to(jnp.maximum(count - 1, 0)[:, None], (batch, values.shape[2]))
        # A sequence without places has zeros at its first place.
        return jnp.take_along_axis(values, index[:, None], axis=1)[:, 0], (shape, index)

    def backward(params: NoParams, res: Any, dy: Any) -> tuple[NoParams, Batch]:
        del params
        (lengths, empty), kept = res
        time = empty.shape[1]
        if kind == "mean":
            count = jnp.full((len(dy),), time) if lengths is None else lengths
            dx = jnp.broadcast_to((dy / _divisor(count, dy.dtype))[:, None], (len(dy), time, dy.shape[-1]))
        else:
            chosen = jnp.arange(time, dtype=kept.dtype)[None, :, None] == kept[:, None]
            dx = jnp.where(chosen, dy[:, None], 0)
        return (), join_derivative(dx, lengths)

    return checked(Layer(init, forward, backward, "pool_sequence", time=Time()))


def _divisor(count: Any, dtype: Any) -> Any:
    return jnp.maximum(count, 1).astype(dtype)[:, None]


def _lowest_at_padding(values: Any, lengths: Any) -> Any:
    return jnp.where(valid_places(lengths, values.shape[1])[..., None], values, -jnp.inf)
