"""Sums of many terms, such as those of a loss, of a norm's features or of a bias's gradient.

XLA for CPU adds such terms one after another, or in windows of 32 that it does not vectorize. The matrix library adds
whole vectors: a step of a transformer of 4 blocks and 128 units takes a tenth less time. With few outputs, a sum is one
loop with the operations before it, which is faster.
"""

import math

from jax import numpy as jnp
from jaxtyping import Array, Float

from jaxnn.kernels import backend
from jaxnn.kernels.array_types import AnyArray

#: Outputs from which on the matrix library adds those of a place, and adds places.
MIN_OUTPUTS = 32


def sum_outputs(terms: Float[AnyArray, "*places outputs"]) -> Float[Array, "*places"]:
    """Σ over the outputs of each place."""
    if not _is_wide(terms.shape[-1]):
        return jnp.sum(terms, axis=-1)
    return jnp.dot(terms, jnp.ones(terms.shape[-1], terms.dtype), precision="highest")


def mean_outputs(x: Float[AnyArray, "*places outputs"]) -> Float[Array, "*places 1"]:
    """The mean over the outputs of each place."""
    return sum_outputs(x)[..., None] / x.shape[-1]


def sum_places(terms: Float[AnyArray, "*places outputs"]) -> Float[Array, "outputs"]:
    """Σ over the places, for each output."""
    places = terms.shape[:-1]
    if not _is_wide(terms.shape[-1]):
        return jnp.sum(terms, axis=tuple(range(len(places))))
    rows = terms.reshape(math.prod(places), -1)
    return jnp.dot(jnp.ones(len(rows), terms.dtype), rows, precision="highest")


def _is_wide(outputs: int) -> bool:
    return outputs >= MIN_OUTPUTS and backend.platform() == "cpu"
