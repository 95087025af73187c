"""Sums of many terms, such as those of a loss, of a norm's features or of a bias's gradient.

XLA for CPU adds such terms one after another, or in windows of 32 that it does not vectorize. The matrix library adds
whole vectors: an LSTM of 128 units over the rows of digits trains in 0.85 of the time, a transformer of 128 units in
0.93. With few outputs, a sum is one loop with the operations before it, which is faster.
"""

import math

from jax import numpy as jnp
from jaxtyping import Array, Float

from jaxnn.kernels import backend
from jaxnn.kernels.array_types import AnyArray

#: Outputs from which on the matrix library adds those of a place, and adds so many places or more.
MIN_OUTPUTS, MIN_PLACES = 32, 8
#: From so many places on it adds them for so many outputs or more: a loop would compute again what an array holds that
#: other operations read, such as the dy of a convolution (16 channels of 8×8 digits: a step takes 0.85 of the time).
MANY_PLACES, MIN_OUTPUTS_OF_MANY_PLACES = 1024, 16
#: XLA counts the numbers of a matrix product in 32 bits, and ends the process where they are more.
MAX_TERMS = 2**31
#: From how many terms of at most how many outputs on `sum_pixels` adds them in rows, and the longest row.
MIN_TERMS, FEW_OUTPUTS, MAX_ROW = 16_384, 4, 1024


def sum_outputs(
    terms: Float[AnyArray, "*places outputs"], factors: Float[AnyArray, "outputs"] | None = None
) -> Float[Array, "*places"]:
    """Σ over the outputs of each place, each times its factor if there are factors."""
    if not _is_wide(terms.size, terms.shape[-1], MIN_OUTPUTS):
        return jnp.sum(terms if factors is None else terms * jnp.broadcast_to(factors, terms.shape), axis=-1)
    factors = jnp.ones(terms.shape[-1], terms.dtype) if factors is None else factors
    return jnp.dot(terms, factors, precision="highest")


def mean_outputs(
    x: Float[AnyArray, "*places outputs"], factors: Float[AnyArray, "outputs"] | None = None
) -> Float[Array, "*places 1"]:
    """The mean over the outputs of each place, each times its factor if there are factors."""
    return sum_outputs(x, factors)[..., None] / x.shape[-1]


def sum_places(terms: Float[AnyArray, "*places outputs"]) -> Float[Array, "outputs"]:
    """Σ over the places, for each output."""
    places = math.prod(terms.shape[:-1])
    least = MIN_OUTPUTS if places < MANY_PLACES else MIN_OUTPUTS_OF_MANY_PLACES
    if places < MIN_PLACES or not _is_wide(terms.size, terms.shape[-1], least):
        return sum_places_in_a_loop(terms)
    return jnp.dot(jnp.ones(places, terms.dtype), terms.reshape(places, -1), precision="highest")


def sum_places_in_a_loop(terms: Float[AnyArray, "*places outputs"]) -> Float[Array, "outputs"]:
    """`sum_places` in one loop with the operations before it.

    A norm of images keeps less so: the ones of a matrix product alone are 3 % of what it needs.
    """
    return jnp.sum(terms, axis=tuple(range(terms.ndim - 1)))


def sum_pixels(terms: Float[AnyArray, "places outputs"]) -> Float[Array, "outputs"]:
    """`sum_places` of few outputs of many places, such as pixels: those of a row beside each other are added first.

    It keeps the terms in memory, which a sum that is one loop with the operations before it does not.
    """
    places, outputs = terms.shape
    if outputs > FEW_OUTPUTS or not MIN_TERMS <= terms.size < MAX_TERMS:
        return sum_places(terms)
    joined = max(n for n in range(1, MAX_ROW // outputs + 1) if places % n == 0)
    return sum_places(terms.reshape(places // joined, -1)).reshape(joined, outputs).sum(0)


def _is_wide(terms: int, outputs: int, least: int) -> bool:
    """Whether the matrix library adds so many terms of so many outputs, at least `least`."""
    return outputs >= least and terms < MAX_TERMS and backend.platform() == "cpu"
