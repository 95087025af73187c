"""The statistics that batch normalization evaluates with: measured on training batches, before each evaluation."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import optax
from jax import numpy as jnp
from jaxtyping import Float

from jaxnn.errors import UserError
from jaxnn.kernels.array_types import AnyArray
from jaxnn.layer import Batch, Key, Layer, Params, params_of, part_key

#: Batches of an epoch that the statistics are measured on.
MAX_BATCHES = 32


class Statistics(NamedTuple):
    """The mean of each channel and the root of its variance."""

    mean: Float[AnyArray, "n"]
    deviation: Float[AnyArray, "n"]


def statistics_of(x: Float[AnyArray, "batch *rest n"]) -> Statistics:
    """The statistics of each channel over all examples and places of a batch."""
    axes = tuple(range(x.ndim - 1))
    mean = jnp.mean(x, axes)
    variance = jnp.mean((x - jnp.broadcast_to(mean, x.shape)) ** 2, axes)
    return Statistics(mean, jnp.sqrt(variance))


def has_statistics(model: Layer) -> bool:
    """Whether a layer of the model evaluates with statistics among its parameters."""
    return model.statistics is not None or any(has_statistics(part.layer) for part in model.parts)


def settle(model: Layer, params: Params, batch: Callable[[Any], Batch], count: int, key: Any) -> Params:
    """The parameters with the statistics of `count` batches, as training sees them.

    batch(i): the i-th batch of inputs, 0 ≤ i < count; traced
    Each layer's statistics are those of its inputs while all layers normalize by their batch, with dropout: the mean of
    the means, and the mean of the variances plus the variance of the means. (Wu and Johnson 2021, section 3.)
    """

    def measured(i: Any) -> Params:
        return _measured(model, params, batch(i), jax.random.fold_in(key, i))[0]

    return jax.tree.map(_pooled, params, jax.lax.map(measured, jnp.arange(count)), is_leaf=_is_statistics)


def _is_statistics(node: Any) -> bool:
    return isinstance(node, Statistics)


def _pooled(before: Any, measured: Any) -> Any:
    """Statistics of several batches as one; what is no statistics does not change."""
    if not _is_statistics(before):
        return before
    mean = measured.mean.mean(0)
    deviation = jnp.sqrt((measured.deviation**2).mean(0) + measured.mean.var(0))
    return Statistics(mean, deviation)


def _measured(layer: Layer, params: Params, x: Batch, key: Key) -> tuple[Params, Batch]:
    """The parameters with the statistics of one batch, and the layer's output in training."""
    if layer.statistics is not None:
        return layer.statistics(params, x), layer.apply(params, x, key)
    if not has_statistics(layer):
        return params, layer.apply(params, x, key)
    if layer.flow is None:
        raise UserError(f"{layer.name}: expected layers without statistics inside it, found batch_norm; use group_norm")
    entries: dict[str, Params] = {}

    def apply(part: Any, x: Batch) -> Batch:
        if part.params in entries and has_statistics(part.layer):
            raise UserError(
                f"{layer.name}: {part.name} shares the weights of {part.params!r}: expected no batch_norm among shared "
                "layers, whose inputs have statistics of their own"
            )
        inner = part_key(key, part.name) if part.params else key
        entries[part.params], y = _measured(part.layer, params_of(part, params), x, inner)
        return y

    y = layer.flow(x, apply)
    if "" in entries:
        return entries[""], y
    return (entries if isinstance(params, dict) else tuple(entries[str(i)] for i in range(len(params)))), y


def leave_statistics(optimizer: optax.GradientTransformation, params: Params) -> optax.GradientTransformation:
    """The optimizer, which has no state for statistics and does not change them."""
    if not any(map(_is_statistics, jax.tree.leaves(params, is_leaf=_is_statistics))):
        return optimizer
    return optax.partition({"trained": optimizer, "statistics": optax.set_to_zero()}, _labels)


def _labels(params: Params) -> Params:
    def label(node: Any) -> Any:
        return Statistics("statistics", "statistics") if _is_statistics(node) else "trained"  # pyright: ignore

    return jax.tree.map(label, params, is_leaf=_is_statistics)
