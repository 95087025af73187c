"""Optimistix's solvers, one step at a time, on our own cost, gradient and residuals."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import optimistix as optx
from jax import numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool

from jaxnn.backprop import ValueAndGrad
from jaxnn.layer import Layer, Params
from jaxnn.loss import Loss, LossFunction
from jaxnn.losses import RESIDUALS
from jaxnn.quantities import Sums
from jaxnn.train.descents import DampedGaussNewton, LevenbergMarquardt, Newton, SaddleFreeNewtonDescent
from jaxnn.train.optimizers import is_weight
from jaxnn.train.second_order import SecondOrder, check_memory, check_second_order


class SolverState(NamedTuple):
    """The solver's own state as plain arrays; whether it has ended; the metrics at the current point."""

    leaves: tuple[Array, ...]
    done: Bool[Array, ""]
    sums: Sums


class SolverSteps(NamedTuple):
    """begin(params, x, target) -> state (shapes of x and target suffice);
    step(params, state, x, target) -> (params, state, sums at `params`)."""

    begin: Callable[..., SolverState]
    step: Callable[..., tuple[Params, SolverState, Sums]]


def solver_steps(
    optimizer: SecondOrder,
    model: Layer,
    loss: LossFunction,
    gradient: ValueAndGrad,
    measure: Callable[[Any, Any], Sums],
) -> SolverSteps:
    """The optimizer as two pure functions. `gradient` is by hand or by autodiff, as in every other training.

    measure(y, target): the metrics of a batch of outputs
    A step evaluates the proposed point and accepts it or not. Once the solver has converged or failed, the parameters
    stay. Raises `UserError` for a model or a loss that the method cannot train.
    """
    check_second_order(optimizer, model, loss)

    def parts(params, x, target):
        flat, unravel = _ravel(params)
        if optimizer.name == "levenberg_marquardt":
            function = _residuals(model, loss, unravel, optimizer.l2, measure, x, target)
        else:
            function = _cost(gradient, unravel, optimizer.l2, measure, x, target)
        eps = max(float(jnp.finfo(leaf.dtype).eps) for leaf in jax.tree.leaves(params))
        solver = _solver(optimizer, _gradient(gradient, unravel, optimizer.l2, x, target), eps)
        value, sums = jax.eval_shape(lambda flat: function(flat, None), flat)
        state = solver.init(function, flat, None, {}, value, sums, frozenset())
        return flat, unravel, function, solver, state, sums

    def begin(params, x, target):
        check_memory(optimizer, params, jax.eval_shape(model.apply, params, x))
        # The state at the start depends on shapes alone.
        x, target = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), (x, target))
        *_, state, sums = parts(params, x, target)
        leaves = tuple(jax.tree.leaves(eqx.filter(state, eqx.is_array)))
        blank = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), sums)
        return SolverState(leaves, jnp.zeros((), bool), blank)

    def step(params, state, x, target):
        flat, unravel, function, solver, template, _ = parts(params, x, target)
        # Only arrays are carried; functions and names are the same in every step.
        arrays, static = eqx.partition(template, eqx.is_array)
        inner = eqx.combine(jax.tree.unflatten(jax.tree.structure(arrays), state.leaves), static)

        def advance():
            new, after, sums = solver.step(function, flat, None, {}, inner, frozenset())
            ended, result = solver.terminate(function, new, None, {}, after, frozenset())
            leaves = tuple(jax.tree.leaves(eqx.filter(after, eqx.is_array)))
            return new, SolverState(leaves, ended | (result != optx.RESULTS.successful), sums)

        new, state = jax.lax.cond(state.done, lambda: (flat, state), advance)
        return unravel(new), state, state.sums

    return SolverSteps(begin, step)


def _ravel(params: Params) -> tuple[Array, Callable[[Array], Params]]:
    """The parameters as one row of JAX's default type, in which Optimistix computes, and the way back to their own."""
    flat, unravel = ravel_pytree(params)
    return flat.astype(jnp.result_type(float)), lambda row: unravel(row.astype(flat.dtype))


def _solver(optimizer: SecondOrder, gradient: Callable[[Array], Array], eps: float) -> Any:
    """eps: the relative precision of the parameters, which may be lower than that of the solver"""
    rtol = atol = optimizer.tolerance
    match optimizer.name:
        case "newton":
            return Newton(
                rtol,
                atol,
                optx.max_norm,
                SaddleFreeNewtonDescent(jax.jacfwd(gradient), eps),
                optx.BacktrackingArmijo(),
            )
        case "dfp":
            return optx.DFP(rtol, atol)
        case "bfgs":
            return optx.BFGS(rtol, atol)
        case "lbfgs":
            return optx.LBFGS(rtol, atol, history_length=optimizer.history)
        case "nonlinear_cg":
            return optx.NonlinearCG(rtol, atol, method=getattr(optx, optimizer.method))
        case "levenberg_marquardt":
            return LevenbergMarquardt(rtol, atol, optx.max_norm, DampedGaussNewton(eps), optx.ClassicalTrustRegion())
        case name:
            raise ValueError(f"no solver {name!r}")


def _penalty(params: Params, l2: float) -> Array:
    """(λ/2) Σ w² over the weights."""
    kept = jax.tree.map(lambda w, yes: (w * w).sum() if yes else jnp.zeros((), w.dtype), params, is_weight(params))
    return l2 / 2 * jnp.stack(jax.tree.leaves(kept)).sum()


def _decayed(dparams: Params, params: Params, l2: float) -> Params:
    return jax.tree.map(lambda g, w, yes: g + l2 * w if yes else g, dparams, params, is_weight(params))


def _gradient(gradient: ValueAndGrad, unravel, l2: float, x, target) -> Callable[[Array], Array]:
    def gradient_at(flat):
        params = unravel(flat)
        return ravel_pytree(_decayed(gradient(params, x, target)[1], params, l2))[0].astype(flat.dtype)

    return gradient_at


def _cost(gradient: ValueAndGrad, unravel, l2: float, measure, x, target):
    """(parameters, None) -> (cost, sums); its derivative is the given gradient, not that of JAX."""

    def value_and_sums(params, x, target):
        (value, out), dparams = gradient(params, x, target)
        return (value + _penalty(params, l2), measure(out, target)), _decayed(dparams, params, l2)

    @jax.custom_jvp
    def cost(flat, x, target):
        value, sums = value_and_sums(unravel(flat), x, target)[0]
        return value.astype(flat.dtype), sums

    @cost.defjvp
    def derivative(primals, tangents):
        flat, x, target = primals
        (value, sums), dparams = value_and_sums(unravel(flat), x, target)
        slope = jnp.vdot(ravel_pytree(dparams)[0].astype(flat.dtype), tangents[0])
        return (value.astype(flat.dtype), sums), (slope, jax.tree.map(jnp.zeros_like, sums))

    return lambda flat, args: cost(flat, x, target)


def _residuals(model: Layer, loss: LossFunction, unravel, l2: float, measure, x, target):
    """(parameters, None) -> (r, sums) with cost ½ Σ r²: the plain forward pass, for forward-mode derivatives."""
    assert isinstance(loss, Loss)

    def residuals(flat, args):
        del args
        params = unravel(flat)
        out = model.apply(params, x)
        r = RESIDUALS[loss.name](out, target)
        places = r.size // r.shape[-1]
        rows = [(math.sqrt(1 / places) if loss.reduction == "mean" else 1.0) * r.ravel()]
        if l2:
            kept = zip(jax.tree.leaves(params), jax.tree.leaves(is_weight(params)), strict=True)
            rows += [math.sqrt(l2) * w.ravel() for w, yes in kept if yes]
        return jnp.concatenate(rows).astype(flat.dtype), measure(out, target)

    return residuals
