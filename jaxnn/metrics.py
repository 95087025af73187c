"""What is measured of a model: the mean loss of an example, and the share of examples that are classified right."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Float, Int, Shaped

from jaxnn.layer import Batch, Layer, Params
from jaxnn.losses import Loss


class Metrics(NamedTuple):
    """The mean loss of an example, whatever the reduction that trains, and the accuracy in [0, 1].

    The accuracy is NaN where the targets are no classes.
    """

    loss: Float[Array, "..."]
    accuracy: Float[Array, "..."]


def predicted_labels(probabilities: Float[Array, "*batch output"]) -> Int[Array, "*batch"]:
    """The likeliest class; with a single output, whether it is at least one half."""
    if probabilities.shape[-1] == 1:
        return (probabilities[..., 0] >= 0.5).astype(jnp.int32)
    return jnp.argmax(probabilities, axis=-1).astype(jnp.int32)


def totals(loss: Loss, y: Batch, target: Shaped[Array, "batch ..."]) -> Metrics:
    """The metrics summed over a batch of outputs: its loss, and how many are right."""
    if jnp.issubdtype(target.dtype, jnp.integer):
        right = (predicted_labels(loss.probabilities(y)) == target).sum().astype(y.dtype)
    else:
        right = jnp.full((), jnp.nan, y.dtype)
    return Metrics(loss.terms(y, target).sum(), right)


def measure(loss: Loss, y: Batch, target: Shaped[Array, "batch ..."]) -> Metrics:
    """The metrics of one batch of outputs."""
    return jax.tree.map(lambda total: total / len(target), totals(loss, y, target))


def evaluate(
    model: Layer,
    loss: Loss,
    params: Params,
    x: Batch,
    target: Shaped[Array | np.ndarray, "n ..."],
    *,
    prepare: Callable[[Batch], Batch] = lambda x: x,
    batch_size: int = 1000,
) -> Metrics:
    """The metrics of a whole data set, `batch_size` examples at a time (the last batch is what remains)."""
    n, size = len(target), min(batch_size, len(target))

    def part(start, size):
        rows, labels = (jax.lax.dynamic_slice_in_dim(a, start, size) for a in (x, target))
        return totals(loss, model.apply(params, prepare(rows)), labels)

    sums = jax.tree.map(lambda a: a.sum(), jax.lax.map(lambda i: part(i * size, size), jnp.arange(n // size)))
    if n % size:
        sums = jax.tree.map(jnp.add, sums, part(n - n % size, n % size))
    return jax.tree.map(lambda total: total / n, sums)
