"""Newton's and Levenberg and Marquardt's methods as Optimistix's descents, from eigenvalues."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import optimistix as optx
from jax import numpy as jnp
from jaxtyping import Array

from jaxnn.kernels.factorization import one_at_a_time


class SaddleFreeNewtonDescent(optx.AbstractDescent[Array, Any, Array]):
    """−|H|⁻¹ g, from the eigenvalues of the Hessian that `hessian(y)` gives."""

    hessian: Callable[[Array], Array] = eqx.field(static=True)
    eps: float = eqx.field(static=True)

    def init(self, y: Array, f_info_struct: Any) -> Array:
        del f_info_struct
        return y

    def query(self, y: Array, f_info: Any, state: Array) -> Array:
        del state
        hessian = self.hessian(y)
        values, vectors = one_at_a_time(jnp.linalg.eigh)((hessian + hessian.T) / 2)
        size = jnp.abs(values)
        size = jnp.maximum(size, self.eps * size.max())
        return -vectors @ ((vectors.T @ f_info.grad) / size)

    def step(self, step_size: Array, state: Array) -> tuple[Array, optx.RESULTS]:
        return step_size * state, optx.RESULTS.successful


class Newton(optx.AbstractGradientDescent[Array, Any]):
    """Gradient descent along `descent`'s direction, halved until the cost has fallen enough (Armijo)."""

    rtol: float
    atol: float
    norm: Callable
    # Equinox freezes fields, so a narrower type is safe.
    descent: SaddleFreeNewtonDescent  # pyright: ignore[reportIncompatibleVariableOverride]
    search: optx.BacktrackingArmijo[Array]  # pyright: ignore[reportIncompatibleVariableOverride]


class NormalEquations(NamedTuple):
    """The normal equations at a point, diagonal: JᵀJ = V S Vᵀ and Vᵀ Jᵀ r."""

    size: Array
    vectors: Array
    slope: Array


class DampedGaussNewton(optx.AbstractDescent[Array, Any, NormalEquations]):
    """−(JᵀJ + λI)⁻¹ Jᵀr = −V (S + λ)⁻¹ Vᵀ Jᵀr, where λ is one over the size of the step.

    JᵀJ is taken apart once for each point that is accepted; after this another λ costs next to nothing. Optimistix's
    own factors J, with the damping below it, anew for each: a matrix as tall as there are residuals.
    """

    eps: float = eqx.field(static=True)

    def init(self, y: Array, f_info_struct: Any) -> NormalEquations:
        del f_info_struct
        return NormalEquations(y, jnp.zeros((y.size, y.size), y.dtype), y)

    def query(self, y: Array, f_info: Any, state: NormalEquations) -> NormalEquations:
        del y, state
        jacobian = f_info.jac.as_matrix()
        size, vectors = one_at_a_time(jnp.linalg.eigh)(jacobian.T @ jacobian)
        # What lies below the precision of JᵀJ is not known, not even its sign.
        size = jnp.maximum(size, self.eps * size.max())
        return NormalEquations(size, vectors, vectors.T @ (jacobian.T @ f_info.residual))

    def step(self, step_size: Array, state: NormalEquations) -> tuple[Array, optx.RESULTS]:
        damping = 1 / jnp.maximum(step_size, jnp.finfo(step_size.dtype).tiny)
        return -state.vectors @ (state.slope / (state.size + damping)), optx.RESULTS.successful


class LevenbergMarquardt(optx.AbstractGaussNewton[Array, Any, Any]):
    """Damped least squares, whose damping falls where the squares fall as foreseen, and grows where not."""

    rtol: float
    atol: float
    norm: Callable
    descent: DampedGaussNewton  # pyright: ignore[reportIncompatibleVariableOverride]
    search: optx.ClassicalTrustRegion[Array]  # pyright: ignore[reportIncompatibleVariableOverride]
    verbose: Callable = eqx.field(static=True, default=lambda **_: None)
