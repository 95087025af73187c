"""Optimizers that use the curvature, by name: what each is, and where it cannot work.

Each sees the whole training part in every step. One step evaluates the cost and its gradient at the point that the
method proposes. If the line search rejects the point, the parameters do not change in that step.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn.errors import UserError
from jaxnn.kernels.devices import memory_bytes
from jaxnn.layer import Layer, Params
from jaxnn.loss import Loss, LossFunction
from jaxnn.losses import RESIDUALS

#: Copies of its largest matrix that a method holds at once: the old and the new estimate and two products (BFGS, DFP);
#: the Hessian, its eigenvectors and their workspace (Newton); the same for JᵀJ, old and new, beside J (Levenberg).
MATRICES_HELD = {"newton": 3, "dfp": 4, "bfgs": 4, "levenberg_marquardt": 4}


class SecondOrder(NamedTuple):
    """A second-order optimizer by its name, with its options; `l2` is λ of the penalty (λ/2) Σ w² on weights."""

    name: str
    tolerance: float
    history: int = 0
    method: str = ""
    l2: float = 0.0


def newton(tolerance: float = 1e-8) -> SecondOrder:
    """Newton's method: −|H|⁻¹ g, and half of it while that does not lower the cost enough.

    |H| is the Hessian with its eigenvalues' absolute values: where H is positive definite, H itself; elsewhere it still
    leads downhill, away from a saddle (Dauphin et al. 2014). H is the derivative of the gradient in each direction.
    """
    return SecondOrder("newton", tolerance)


def dfp(tolerance: float = 1e-8) -> SecondOrder:
    """The quasi-Newton method of Davidon, Fletcher and Powell: H⁻¹ is estimated from successive gradients."""
    return SecondOrder("dfp", tolerance)


def bfgs(tolerance: float = 1e-8) -> SecondOrder:
    """The quasi-Newton method of Broyden, Fletcher, Goldfarb and Shanno."""
    return SecondOrder("bfgs", tolerance)


def lbfgs(tolerance: float = 1e-8, history: int = 10) -> SecondOrder:
    """BFGS that remembers the last `history` steps in place of a matrix (Liu and Nocedal 1989)."""
    if history < 1:
        raise UserError(f"lbfgs: expected a history of at least 1 step, found {history}")
    return SecondOrder("lbfgs", tolerance, history=history)


def nonlinear_cg(tolerance: float = 1e-8, method: str = "polak_ribiere") -> SecondOrder:
    """Conjugate gradients; `method`: polak_ribiere, fletcher_reeves, hestenes_stiefel or dai_yuan."""
    good = ("polak_ribiere", "fletcher_reeves", "hestenes_stiefel", "dai_yuan")
    if method not in good:
        raise UserError(f"nonlinear_cg: expected method among {', '.join(good)}, found {method!r}")
    return SecondOrder("nonlinear_cg", tolerance, method=method)


def levenberg_marquardt(tolerance: float = 1e-8) -> SecondOrder:
    """Damped least squares, (JᵀJ + λI)⁻¹ Jᵀr for a cost ½ Σ r²: for squared costs alone (Marquardt 1963)."""
    return SecondOrder("levenberg_marquardt", tolerance)


#: name -> constructor
SECOND_ORDER: dict[str, Callable[..., SecondOrder]] = {
    constructor.__name__: constructor for constructor in (newton, dfp, bfgs, lbfgs, nonlinear_cg, levenberg_marquardt)
}


def check_second_order(optimizer: SecondOrder, model: Layer, loss: LossFunction) -> None:
    """Raises `UserError` for a second-order method that cannot train this model under this loss."""
    name = optimizer.name
    if name == "levenberg_marquardt" and not (isinstance(loss, Loss) and loss.name in RESIDUALS):
        raise UserError(
            "levenberg_marquardt minimizes a sum of squares: expected the loss quadratic or mean_squared_error, "
            f"found {getattr(loss, 'name', 'a function')}; bfgs takes any loss"
        )
    if isinstance(loss, Loss) and loss.class_weights and name == "levenberg_marquardt":
        raise UserError("levenberg_marquardt: expected a loss without class_weights, found some; bfgs takes any loss")
    if "dropout" in _names(model):
        raise UserError(
            f"{name} compares the cost of one step with that of the next: expected no dropout, found some; "
            "or choose a first-order optimizer"
        )


def check_memory(optimizer: SecondOrder, params: Params, target: Any) -> None:
    """Raises `UserError` where the matrices of the method do not fit into the memory of the device."""
    residuals = sum(leaf.size for leaf in jax.tree.leaves(target))
    needed, available = matrix_bytes(optimizer, params, residuals), memory_bytes()
    if needed > available:
        n = sum(leaf.size for leaf in jax.tree.leaves(params))
        raise UserError(
            f"{optimizer.name} holds matrices over {n:,} parameters: expected at most {available:,} bytes, the memory "
            f"of the device, found {needed:,} bytes needed; lbfgs and nonlinear_cg hold none"
        )


def matrix_bytes(optimizer: SecondOrder, params: Params, residuals: int) -> int:
    """Bytes of the dense matrices that the optimizer holds at once."""
    leaves = jax.tree.leaves(params)
    n = sum(leaf.size for leaf in leaves)
    rows = MATRICES_HELD.get(optimizer.name, 0) * n + (residuals if optimizer.name == "levenberg_marquardt" else 0)
    return rows * n * max((np.dtype(leaf.dtype).itemsize for leaf in leaves), default=4)


def _names(model: Layer) -> set[str]:
    return {model.name}.union(*(_names(part.layer) for part in model.parts))
