"""The cumulative distribution function of the standard normal distribution.

In float32 it is one polynomial, one division and one exponential, which XLA shares with the density e^{−x²/2} / √(2π).
XLA's erfc computes three polynomials, two divisions and an exponential: a GELU's backward pass takes 1.7 times as long
with it, and it loses digits for x far below 0.
"""

import functools
import math
from typing import Any

import jax
from jax import numpy as jnp
from jax.scipy.special import erfc
from jaxtyping import Float

from jaxnn.kernels.array_types import AnyArray

#: Mills's ratio (1 − Φ(a)) / φ(a) is t R(t) with t = 1 / (1 + RATE a), for a from 0 to 14. R has these coefficients, of
#: the lowest power first: least squares, weighted until the largest relative error is smallest (1.2e−8).
RATE = 0.265
COEFFICIENTS = (
    0.2650547937, 0.2638142629, 0.2574331967, 0.1511824982, 0.3457972613, -0.2916779979, 0.5459813404, -0.3615276763,
    0.0772564639,
)  # fmt: skip


@jax.custom_jvp
def normal_cumulative(x: Float[AnyArray, "*shape"]) -> Float[AnyArray, "*shape"]:
    """Φ(x). In float32 its relative error is at most 4.8e−7, times 1 + x²/2 for x below 0."""
    if x.dtype != jnp.float32:
        # For x far below 0, erfc keeps its digits, and 1 + erf loses them.
        return 0.5 * erfc(-x * math.sqrt(0.5))
    t = 1 / (1 + RATE * jnp.abs(x))
    ratio = functools.reduce(lambda total, coefficient: total * t + coefficient, reversed(COEFFICIENTS))
    tail = t * ratio * (jnp.exp(-0.5 * x * x) / math.sqrt(2 * math.pi))
    return jnp.where(x < 0, tail, 1 - tail)


@normal_cumulative.defjvp
def _normal_cumulative_jvp(primals: tuple[Any], tangents: tuple[Any]) -> tuple[Any, Any]:
    """Φ′ = φ: the polynomial is close to Φ, and its own derivative need not be close to φ."""
    (x,), (dx,) = primals, tangents
    return normal_cumulative(x), jnp.exp(-0.5 * x * x) / math.sqrt(2 * math.pi) * dx
