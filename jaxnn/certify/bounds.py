"""The bounds of the laws, in the precision that a rule computes in."""

from typing import NamedTuple

from jax import numpy as jnp


class Bounds(NamedTuple):
    """The largest relative errors of the laws that run in float64.

    agreement: of a gradient from autodiff's, or from itself under a transformation. In float64 true agreement is 3e-16,
        and an error of 0.1 % in one bias is 1e-3
    second: of second derivatives
    differences: of a gradient from finite differences of the function
    """

    agreement: float
    second: float
    differences: float


#: By the lowest precision that a rule computes in while its arguments are float64.
BOUNDS = {
    "float64": Bounds(1e-12, 1e-10, 1e-6),
    "float32": Bounds(1e-4, 1e-2, 4e-4),
    "float16": Bounds(2e-2, 0.3, 5e-2),
    "bfloat16": Bounds(5e-2, 0.5, 0.2),
}

#: The bound of finite differences of a function that JAX cannot differentiate: it often is an iteration that ends at a
#: tolerance of its own. An error of 0.1 % is still ten times as large.
ALONE = 1e-4


def with_tolerance(bounds: Bounds, tolerance: float) -> Bounds:
    """Bounds of at least `tolerance`; second derivatives of an approximation agree less well than the first."""
    return Bounds(
        max(bounds.agreement, tolerance), max(bounds.second, 100 * tolerance), max(bounds.differences, tolerance)
    )


def epsilon(precision: str) -> float:
    """The distance from 1 to the next number."""
    return float(jnp.finfo(jnp.dtype(precision)).eps)
