"""Optimistix's solvers, one step at a time, on our own cost, gradient and residuals."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import optimistix as optx
import scipy.linalg.cython_lapack  # noqa: F401  whose threads are limited: it must be there
from jax import numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool
from threadpoolctl import threadpool_limits

from jaxnn.backprop import ValueAndGrad
from jaxnn.layer import Layer, Params
from jaxnn.losses import Loss
from jaxnn.metrics import Metrics, measure
from jaxnn.train.optimizers import is_weight
from jaxnn.train.second_order import FullBatch


class SolverState(NamedTuple):
    """What the solver remembers, as plain arrays; whether it has ended; the metrics of where it stands."""

    leaves: tuple[Array, ...]
    done: Bool[Array, ""]
    metrics: Metrics


class Steps(NamedTuple):
    """begin(params, x, target) -> state;  step(params, state, x, target) -> (params, state, metrics of `params`)."""

    begin: Callable[..., SolverState]
    step: Callable[..., tuple[Params, SolverState, Metrics]]


def solver_steps(optimizer: FullBatch, model: Layer, loss: Loss, gradient: ValueAndGrad) -> Steps:
    """The optimizer as two pure functions. `gradient` is by hand or by autodiff, as in every other training.

    A step evaluates the point that was proposed and accepts it or not; once the solver has converged, or fails, the
    parameters stay.

    From here on LAPACK, which factors matrices on a CPU, computes on one thread: several wait for one another while
    XLA's have the cores, and take 100 times as long.
    """
    threadpool_limits(1, user_api="blas")

    def parts(params, x, target):
        flat, unravel = ravel_pytree(params)
        if optimizer.name == "levenberg_marquardt":
            function = _residuals(model, loss, unravel, optimizer.l2, x, target)
        else:
            function = _cost(gradient, loss, unravel, optimizer.l2, x, target)
        solver = _solver(optimizer, _gradient(gradient, unravel, optimizer.l2, x, target))
        value, metrics = jax.eval_shape(lambda flat: function(flat, None), flat)
        state = solver.init(function, flat, None, {}, value, metrics, frozenset())
        return flat, unravel, function, solver, state, metrics

    def begin(params, x, target):
        *_, state, metrics = parts(params, x, target)
        leaves = tuple(jax.tree.leaves(eqx.filter(state, eqx.is_array)))
        blank = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), metrics)
        return SolverState(leaves, jnp.zeros((), bool), blank)

    def step(params, state, x, target):
        flat, unravel, function, solver, template, _ = parts(params, x, target)
        # What is no array (functions, names) is the same in every step: only the arrays were carried.
        arrays, static = eqx.partition(template, eqx.is_array)
        inner = eqx.combine(jax.tree.unflatten(jax.tree.structure(arrays), state.leaves), static)

        def advance():
            new, after, metrics = solver.step(function, flat, None, {}, inner, frozenset())
            ended, result = solver.terminate(function, new, None, {}, after, frozenset())
            leaves = tuple(jax.tree.leaves(eqx.filter(after, eqx.is_array)))
            return new, SolverState(leaves, ended | (result != optx.RESULTS.successful), metrics)

        new, state = jax.lax.cond(state.done, lambda: (flat, state), advance)
        return unravel(new), state, _of_classes(state.metrics, target)

    return Steps(begin, step)


def _solver(optimizer: FullBatch, gradient: Callable[[Array], Array]) -> Any:
    rtol = atol = optimizer.tolerance
    match optimizer.name:
        case "newton":
            return Newton(rtol, atol, optx.max_norm, Downhill(jax.jacfwd(gradient)), optx.BacktrackingArmijo())
        case "dfp":
            return optx.DFP(rtol, atol)
        case "bfgs":
            return optx.BFGS(rtol, atol)
        case "lbfgs":
            return optx.LBFGS(rtol, atol, history_length=optimizer.history)
        case "nonlinear_cg":
            return optx.NonlinearCG(rtol, atol, method=getattr(optx, optimizer.method))
        case "levenberg_marquardt":
            return LevenbergMarquardt(rtol, atol, optx.max_norm, Damped(), optx.ClassicalTrustRegion())
        case name:
            raise ValueError(f"no solver {name!r}")


class Downhill(optx.AbstractDescent):
    """−|H|⁻¹ g, from the eigenvalues of the Hessian that `hessian(y)` gives."""

    hessian: Callable[[Array], Array] = eqx.field(static=True)

    def init(self, y, f_info_struct):
        del f_info_struct
        return y

    def query(self, y, f_info, state):
        del state
        hessian = self.hessian(y)
        values, vectors = jnp.linalg.eigh((hessian + hessian.T) / 2)
        size = jnp.abs(values)
        size = jnp.maximum(size, jnp.finfo(y.dtype).eps * size.max())
        return -vectors @ ((vectors.T @ f_info.grad) / size)

    def step(self, step_size, state):
        return step_size * state, optx.RESULTS.successful


class Newton(optx.AbstractGradientDescent):
    """Gradient descent along `descent`'s direction, halved until the cost has fallen enough (Armijo)."""

    rtol: float
    atol: float
    norm: Callable
    descent: Downhill
    search: optx.BacktrackingArmijo


class Bowl(NamedTuple):
    """What the squares look like about a point: JᵀJ = V S Vᵀ and Vᵀ Jᵀ r."""

    size: Array
    vectors: Array
    slope: Array


class Damped(optx.AbstractDescent):
    """−(JᵀJ + λI)⁻¹ Jᵀr = −V (S + λ)⁻¹ Vᵀ Jᵀr, where λ is one over the size of the step.

    JᵀJ is taken apart once for each point that is accepted; after this another λ costs next to nothing. Optimistix's
    own factors J, with the damping below it, anew for each: a matrix as tall as there are residuals.
    """

    def init(self, y, f_info_struct):
        del f_info_struct
        return Bowl(y, jnp.zeros((y.size, y.size), y.dtype), y)

    def query(self, y, f_info, state):
        del state
        jacobian = f_info.jac.as_matrix()
        size, vectors = jnp.linalg.eigh(jacobian.T @ jacobian)
        # What lies below the precision of JᵀJ is not known, not even its sign.
        size = jnp.maximum(size, jnp.finfo(y.dtype).eps * size.max())
        return Bowl(size, vectors, vectors.T @ (jacobian.T @ f_info.residual))

    def step(self, step_size, state):
        damping = 1 / jnp.maximum(step_size, jnp.finfo(step_size.dtype).tiny)
        return -state.vectors @ (state.slope / (state.size + damping)), optx.RESULTS.successful


class LevenbergMarquardt(optx.AbstractGaussNewton):
    """Damped least squares, whose damping falls where the squares fall as foreseen, and grows where not."""

    rtol: float
    atol: float
    norm: Callable
    descent: Damped
    search: optx.ClassicalTrustRegion
    verbose: Callable = eqx.field(static=True, default=lambda **_: None)


def _measure(loss: Loss, out: Array, target: Array) -> Metrics:
    """The metrics, finite, so that a run watched for NaN can carry them: 0 for the accuracy of no classes."""
    metrics = measure(loss, out, target)
    return metrics if _has_classes(target) else metrics._replace(accuracy=jnp.zeros_like(metrics.accuracy))


def _of_classes(metrics: Metrics, target: Array) -> Metrics:
    return metrics if _has_classes(target) else metrics._replace(accuracy=jnp.full_like(metrics.accuracy, jnp.nan))


def _has_classes(target: Array) -> bool:
    return jnp.issubdtype(target.dtype, jnp.integer)


def _penalty(params: Params, l2: float) -> Array:
    """(λ/2) Σ w² over the weights."""
    kept = jax.tree.map(lambda w, yes: (w * w).sum() if yes else jnp.zeros((), w.dtype), params, is_weight(params))
    return l2 / 2 * jnp.stack(jax.tree.leaves(kept)).sum()


def _decayed(dparams: Params, params: Params, l2: float) -> Params:
    return jax.tree.map(lambda g, w, yes: g + l2 * w if yes else g, dparams, params, is_weight(params))


def _gradient(gradient: ValueAndGrad, unravel, l2: float, x, target) -> Callable[[Array], Array]:
    def of(flat):
        params = unravel(flat)
        return ravel_pytree(_decayed(gradient(params, x, target)[1], params, l2))[0]

    return of


def _cost(gradient: ValueAndGrad, loss: Loss, unravel, l2: float, x, target):
    """(parameters, None) -> (cost, metrics), whose derivative is the given gradient, whatever JAX would make of it."""

    def value_and_metrics(params, x, target):
        (value, out), dparams = gradient(params, x, target)
        return (value + _penalty(params, l2), _measure(loss, out, target)), _decayed(dparams, params, l2)

    @jax.custom_jvp
    def cost(flat, x, target):
        return value_and_metrics(unravel(flat), x, target)[0]

    @cost.defjvp
    def derivative(primals, tangents):
        flat, x, target = primals
        (value, metrics), dparams = value_and_metrics(unravel(flat), x, target)
        slope = jnp.vdot(ravel_pytree(dparams)[0], tangents[0])
        return (value, metrics), (slope, jax.tree.map(jnp.zeros_like, metrics))

    return lambda flat, args: cost(flat, x, target)


def _residuals(model: Layer, loss: Loss, unravel, l2: float, x, target):
    """(parameters, None) -> (r, metrics) with cost ½ Σ r²: the plain forward pass, for forward-mode derivatives."""
    scale = math.sqrt(1 / len(target)) if loss.reduction == "mean" else 1.0

    def residuals(flat, args):
        del args
        params = unravel(flat)
        out = model.apply(params, x)
        assert loss.residuals is not None
        rows = [scale * loss.residuals(out, target).ravel()]
        if l2:
            kept = zip(jax.tree.leaves(params), jax.tree.leaves(is_weight(params)), strict=True)
            rows += [math.sqrt(l2) * w.ravel() for w, yes in kept if yes]
        return jnp.concatenate(rows), _measure(loss, out, target)

    return residuals
