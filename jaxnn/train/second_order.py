"""Optimizers that look at the curvature, by name: what each is, and where it cannot work.

Each sees the whole training part in every step. A step is one evaluation of the cost and its gradient, at the point
that the method proposes: where its line search turns the point down, the parameters stay for that step.
"""

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn.errors import UserError
from jaxnn.layer import Layer, Params
from jaxnn.losses import Loss
from jaxnn.train.plan import Data, Plan, output, prepared_example

#: Copies of its largest matrix that a method holds at once: the old and the new estimate and two products (BFGS, DFP);
#: the Hessian, its eigenvectors and their workspace (Newton); of JᵀJ the same, old and new, beside J itself.
COPIES = {"newton": 3, "dfp": 4, "bfgs": 4, "levenberg_marquardt": 4}


class FullBatch(NamedTuple):
    """An optimizer by its name, with its options; `l2` is λ of the penalty (λ/2) Σ w² on weights."""

    name: str
    tolerance: float
    history: int = 0
    method: str = ""
    l2: float = 0.0


def newton(tolerance: float = 1e-8) -> FullBatch:
    """Newton's method: −|H|⁻¹ g, and half of it while that does not lower the cost enough.

    |H| is the Hessian with its eigenvalues' absolute values: where H is positive definite, H itself; elsewhere it still
    leads downhill, away from a saddle (Dauphin et al. 2014). H is the derivative of the gradient in each direction.
    """
    return FullBatch("newton", tolerance)


def dfp(tolerance: float = 1e-8) -> FullBatch:
    """The quasi-Newton method of Davidon, Fletcher and Powell: H⁻¹ is estimated from successive gradients."""
    return FullBatch("dfp", tolerance)


def bfgs(tolerance: float = 1e-8) -> FullBatch:
    """The quasi-Newton method of Broyden, Fletcher, Goldfarb and Shanno."""
    return FullBatch("bfgs", tolerance)


def lbfgs(tolerance: float = 1e-8, history: int = 10) -> FullBatch:
    """BFGS that remembers the last `history` steps in place of a matrix (Liu and Nocedal 1989)."""
    if history < 1:
        raise UserError(f"lbfgs: expected a history of at least 1 step, found {history}")
    return FullBatch("lbfgs", tolerance, history=history)


def nonlinear_cg(tolerance: float = 1e-8, method: str = "polak_ribiere") -> FullBatch:
    """Conjugate gradients; `method`: polak_ribiere, fletcher_reeves, hestenes_stiefel or dai_yuan."""
    good = ("polak_ribiere", "fletcher_reeves", "hestenes_stiefel", "dai_yuan")
    if method not in good:
        raise UserError(f"nonlinear_cg: expected method among {', '.join(good)}, found {method!r}")
    return FullBatch("nonlinear_cg", tolerance, method=method)


def levenberg_marquardt(tolerance: float = 1e-8) -> FullBatch:
    """Damped least squares, (JᵀJ + λI)⁻¹ Jᵀr for a cost ½ Σ r²: for squared costs alone (Marquardt 1963)."""
    return FullBatch("levenberg_marquardt", tolerance)


#: name -> constructor
SECOND_ORDER: dict[str, Callable[..., FullBatch]] = {
    constructor.__name__: constructor for constructor in (newton, dfp, bfgs, lbfgs, nonlinear_cg, levenberg_marquardt)
}


def check_optimizer(
    optimizer: Any, model: Layer, loss: Loss, data: Data, plan: Plan, prepare: Callable[..., Any]
) -> None:
    """Raises `UserError`, before anything is computed, for a second-order method that cannot train this."""
    if not isinstance(optimizer, FullBatch):
        return
    name = optimizer.name
    if name == "levenberg_marquardt" and loss.residuals is None:
        raise UserError(
            "levenberg_marquardt minimizes a sum of squares: expected the loss quadratic or mean_squared_error, "
            "found a cross-entropy; bfgs takes any loss"
        )
    compares = f"{name} compares the cost of one step with that of the next"
    if plan.batch_size is not None:
        raise UserError(
            f"{compares}: expected batch_size = 'full', found {plan.batch_size}; or choose a first-order optimizer"
        )
    if "dropout" in _names(model):
        raise UserError(f"{compares}: expected no dropout, found some; or choose a first-order optimizer")
    params = jax.eval_shape(model.init, jax.random.key(0), prepared_example(data, prepare))
    targets = len(data.train.y) * output(model, data, prepare).shape[-1]
    needed, there = matrix_bytes(optimizer, params, targets), memory_bytes()
    if needed > there:
        n = sum(leaf.size for leaf in jax.tree.leaves(params))
        raise UserError(
            f"{name} holds matrices over {n:,} parameters: expected at most the {there:,} bytes of memory that there "
            f"are, found {needed:,} bytes needed; lbfgs and nonlinear_cg hold none"
        )


def matrix_bytes(optimizer: FullBatch, params: Params, targets: int) -> int:
    """Bytes of the dense matrices that the optimizer holds at once."""
    leaves = jax.tree.leaves(params)
    n = sum(leaf.size for leaf in leaves)
    rows = COPIES.get(optimizer.name, 0) * n + (targets if optimizer.name == "levenberg_marquardt" else 0)
    return rows * n * max((np.dtype(leaf.dtype).itemsize for leaf in leaves), default=4)


def memory_bytes() -> int:
    """Memory of the device that computes; on a CPU the machine's."""
    stats = jax.local_devices()[0].memory_stats() or {}
    return int(stats.get("bytes_limit") or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def _names(model: Layer) -> set[str]:
    return {model.name}.union(*(_names(part.layer) for part in model.parts))
