"""The losses: how far an output is from its target, with the derivative written by hand."""

import math
from collections.abc import Callable
from typing import Any

import jax
from jax import numpy as jnp

from jaxnn.errors import UserError, describe
from jaxnn.kernels.sums import sum_outputs
from jaxnn.loss import Loss, LossFunction, Reduction, make_loss
from jaxnn.sequence import Sequence, clear_padding
from jaxnn.structured_losses import detection, elbo, prediction_of_cells
from jaxnn.targets import Output, Target, Weighted, check_target, dense_target


def check_loss(name: str, value: Any) -> None:
    """Raises `UserError` unless `value` can be a loss; it says `name`, the function that was given it."""
    is_constructor = any(value is constructor for constructor in LOSSES.values())
    if is_constructor or not callable(value) or isinstance(value, type):
        raise UserError(f"{name}: expected a loss, found {describe(value)}")


def quadratic(reduction: Reduction = "mean") -> Loss:
    """The course's cost, C = ½ Σₖ (yₖ − tₖ)² for each example;  dy = y − t.

    Derivation: ∂/∂yⱼ ½ Σₖ (yₖ − tₖ)²: only the term k = j depends on yⱼ, and ½ · 2 (yⱼ − tⱼ) = yⱼ − tⱼ.
    """
    return make_loss(
        "quadratic",
        lambda y, t: 0.5 * sum_outputs((y - dense_target(t, y)) ** 2),
        lambda y, t: y - dense_target(t, y),
        reduction,
    )


def mean_squared_error(reduction: Reduction = "mean") -> Loss:
    """Keras's, C = (1/m) Σₖ (yₖ − tₖ)² over an example's m outputs;  dy = 2 (y − t) / m.

    Derivation: ∂/∂yⱼ (1/m) Σₖ (yₖ − tₖ)²: only the term k = j depends on yⱼ, and the mean divides its 2 (yⱼ − tⱼ) by m.
    """
    return make_loss(
        "mean_squared_error",
        lambda y, t: sum_outputs((y - dense_target(t, y)) ** 2) / y.shape[-1],
        lambda y, t: (2 / y.shape[-1]) * (y - dense_target(t, y)),
        reduction,
    )


def sigmoid_cross_entropy(reduction: Reduction = "mean") -> Loss:
    """C = −Σₖ [tₖ ln σ(yₖ) + (1 − tₖ) ln(1 − σ(yₖ))] from logits;  dy = σ(y) − t = (1 − t) σ(y) − t σ(−y).

    Written with −ln σ(y) = softplus(−y) and with σ(−y) = 1 − σ(y), which neither overflow nor cancel.

    Derivation: softplus′ = σ, so the two terms give −t σ(−y) + (1 − t) σ(y).
    """

    def terms(y, target):
        t = dense_target(target, y)
        return sum_outputs(t * jax.nn.softplus(-y) + (1 - t) * jax.nn.softplus(y))

    def derivative(y, target):
        t = dense_target(target, y)
        return (1 - t) * jax.nn.sigmoid(y) - t * jax.nn.sigmoid(-y)

    return make_loss("sigmoid_cross_entropy", terms, derivative, reduction)


def softmax_cross_entropy(reduction: Reduction = "mean") -> Loss:
    """C = −Σₖ tₖ ln softmax(y)ₖ from logits;  dy = (Σₖ tₖ) softmax(y) − t, where Σₖ tₖ is 1 for labels.

    Written with ln softmax(y)ₖ = (yₖ − max y) − ln Σⱼ e^{yⱼ − max y}, which does not overflow.

    Derivation: C = −Σₖ tₖ yₖ + (Σₖ tₖ) ln Σⱼ e^{yⱼ}, and the logarithm's derivative is softmax(y).

    It raises `UserError` for an output that is one number wide, whose softmax is always 1.
    """

    def terms(y, target):
        if y.shape[-1] == 1:
            raise UserError(
                f"softmax_cross_entropy: expected at least 2 outputs, found y of shape {tuple(y.shape)}: the softmax "
                "of one number is 1; two classes with one output: sigmoid_cross_entropy"
            )
        t = dense_target(target, y)
        # A logit of −inf times a target of 0 is left out, not NaN.
        return -jnp.where(t == 0, 0, t * jax.nn.log_softmax(y)).sum(-1)

    def derivative(y, target):
        t = dense_target(target, y)
        return t.sum(-1, keepdims=True) * jax.nn.softmax(y) - t

    return make_loss("softmax_cross_entropy", terms, derivative, reduction)


def perceptron(reduction: Reduction = "mean") -> Loss:
    """The perceptron criterion, C = Σₖ zₖ ([zₖ ≥ 0] − tₖ), from what the threshold is given;  dz = [z ≥ 0] − t.

    A right answer costs nothing, a wrong one |z|. Its descent is the perceptron rule, Δw = η (t − y) x with
    y = [z ≥ 0]: the step itself has no derivative that could be descended (Rosenblatt 1958).

    Derivation: with y = [z ≥ 0], each term is C = z (y − t). Where z ≠ 0, y is constant near z, so ∂C/∂z = y − t.
    For t = 1: C = 0 where z ≥ 0 and −z where z < 0, so dz = 0 or −1. For t = 0: C = z or 0, so dz = 1 or 0.
    Both are lines that meet in C = 0 at z = 0; there dz is that of the right side, the side on which y = 1.
    With z = x w + b the chain rule gives dw = x (y − t), and a step −η dw is the perceptron rule.
    """

    def derivative(z, target):
        return (z >= 0).astype(z.dtype) - dense_target(target, z)

    def terms(z, t):
        return (z * (_threshold(z) - dense_target(t, z))).sum(-1)

    return make_loss("perceptron", terms, derivative, reduction)


#: name -> constructor
LOSSES: dict[str, Callable[..., Loss]] = {
    constructor.__name__: constructor
    for constructor in (
        quadratic,
        mean_squared_error,
        sigmoid_cross_entropy,
        softmax_cross_entropy,
        perceptron,
        elbo,
        detection,
    )
}
#: Those whose output is one array (*places, output), and whose target is labels or an array of its shape.
OUTPUT_LOSSES = {name: constructor for name, constructor in LOSSES.items() if constructor not in (elbo, detection)}


def _threshold(z: Output) -> Output:
    return (z >= 0).astype(z.dtype)


def _same(y: Any) -> Any:
    return y


#: What the output of a net trained with a loss means: its activation, by the loss's name. Else the output itself.
PREDICTIONS: dict[str, Callable[[Any], Any]] = {
    "sigmoid_cross_entropy": jax.nn.sigmoid,
    "softmax_cross_entropy": jax.nn.softmax,
    "perceptron": _threshold,
    "elbo": lambda y: jax.nn.sigmoid(y[0]),
    "detection": prediction_of_cells,
}


def prediction_of(loss: LossFunction) -> Callable[[Any], Any]:
    """What turns an output into a prediction: class probabilities for the cross-entropies, else the output itself."""
    function = PREDICTIONS.get(loss.name, _same) if isinstance(loss, Loss) else _same

    def predict(y: Any) -> Any:
        if not isinstance(y, Sequence):
            return function(y)
        return Sequence(clear_padding(function(y.values), y.lengths), y.lengths)

    return predict


def _difference(y: Output, target: Target | Weighted) -> Output:
    if isinstance(target, Weighted):
        raise UserError("levenberg_marquardt: expected targets without weights, found Weighted; bfgs takes any targets")
    check_target("levenberg_marquardt", target, y.shape)
    return y - dense_target(target, y)


#: r(y, target) with terms = ½ Σ r², by the loss's name: what least-squares solvers need. Other losses have none.
RESIDUALS: dict[str, Callable[[Output, Target], Output]] = {
    "quadratic": _difference,
    "mean_squared_error": lambda y, t: math.sqrt(2 / y.shape[-1]) * _difference(y, t),
}
