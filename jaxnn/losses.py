"""Losses: how far an output is from its target, and the derivative by hand. The reduction stands here alone.

A target is as wide as the output, (batch, …, output), or integer labels (batch, …): label k stands for the row with
a one at k, and, where the output is one number wide, for the number itself.
"""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float, Shaped

from jaxnn.errors import UserError

Reduction = Literal["mean", "sum"]
Output = Float[Array, "batch output"]
Target = Shaped[Array | np.ndarray, "..."]


class Loss(NamedTuple):
    """`loss(y, target) -> (value, dy)`, the mean or the sum over the batch of `terms`, and its derivative.

    terms(y, target) -> (batch,): each example's loss
    derivative(y, target) -> (batch, output): each example's derivative with respect to its own output
    probabilities(y) -> (batch, output): what an output says of the classes
    residuals(y, target) -> (batch, output): r with terms = ½ Σ r², where the cost is a sum of squares; else None
    """

    terms: Callable[[Output, Target], Float[Array, "batch"]]
    derivative: Callable[[Output, Target], Output]
    probabilities: Callable[[Output], Output]
    reduction: Reduction
    residuals: Callable[[Output, Target], Output] | None = None

    def __call__(self, y: Output, target: Target) -> tuple[Float[Array, ""], Output]:
        """The value and its derivative; raises `UserError` for concrete labels outside the classes."""
        check_labels(target, y.shape[-1])
        terms, dy = self.terms(y, target), self.derivative(y, target)
        # Each term is divided before they are added: two of 2e38 have a mean in float32, but no sum.
        return ((terms / len(y)).sum(), dy / len(y)) if self.reduction == "mean" else (terms.sum(), dy)


def check_labels(target: Target, outputs: int) -> None:
    """Raises `UserError` unless integer labels lie among the classes; what is traced is not looked at."""
    if isinstance(target, Tracer) or not jnp.issubdtype(target.dtype, jnp.integer) or target.size == 0:
        return
    classes = max(outputs, 2)
    labels = np.asarray(target)
    low, high = labels.min(), labels.max()
    if low < 0 or high >= classes:
        raise UserError(f"expected labels 0 … {classes - 1} for {outputs} outputs, found labels {low} … {high}")


def _dense(target: Target, y: Output) -> Output:
    """The target as wide as the output."""
    if target.ndim == y.ndim:
        return jnp.asarray(target, y.dtype)
    if y.shape[-1] == 1:
        return jnp.asarray(target, y.dtype)[..., None]
    return jax.nn.one_hot(target, y.shape[-1], dtype=y.dtype)


def _loss(terms, derivative, probabilities, reduction: Reduction, residuals=None) -> Loss:
    if reduction not in ("mean", "sum"):
        raise UserError(f"expected reduction 'mean' or 'sum', found {reduction!r}")
    return Loss(terms, derivative, probabilities, reduction, residuals)


def quadratic(reduction: Reduction = "mean") -> Loss:
    """The course's cost, C = ½ Σₖ (yₖ − tₖ)² for each example;  dy = y − t.

    Derivation: the ½ takes the 2 of the square.
    """
    return _loss(
        lambda y, t: 0.5 * ((y - _dense(t, y)) ** 2).sum(-1),
        lambda y, t: y - _dense(t, y),
        lambda y: y,
        reduction,
        lambda y, t: y - _dense(t, y),
    )


def mean_squared_error(reduction: Reduction = "mean") -> Loss:
    """Keras's, C = (1/m) Σₖ (yₖ − tₖ)² over an example's m outputs;  dy = 2 (y − t) / m.

    Derivation: that of the square, for each of m terms.
    """
    return _loss(
        lambda y, t: ((y - _dense(t, y)) ** 2).mean(-1),
        lambda y, t: (2 / y.shape[-1]) * (y - _dense(t, y)),
        lambda y: y,
        reduction,
        lambda y, t: math.sqrt(2 / y.shape[-1]) * (y - _dense(t, y)),
    )


def sigmoid_cross_entropy(reduction: Reduction = "mean") -> Loss:
    """C = −Σₖ [tₖ ln σ(yₖ) + (1 − tₖ) ln(1 − σ(yₖ))] from logits;  dy = σ(y) − t = (1 − t) σ(y) − t σ(−y).

    Written with −ln σ(y) = softplus(−y) and with σ(−y) = 1 − σ(y), which neither overflow nor cancel.

    Derivation: softplus′ = σ, so the two terms give −t σ(−y) + (1 − t) σ(y).
    """

    def terms(y, target):
        t = _dense(target, y)
        return (t * jax.nn.softplus(-y) + (1 - t) * jax.nn.softplus(y)).sum(-1)

    def derivative(y, target):
        t = _dense(target, y)
        return (1 - t) * jax.nn.sigmoid(y) - t * jax.nn.sigmoid(-y)

    return _loss(terms, derivative, jax.nn.sigmoid, reduction)


def softmax_cross_entropy(reduction: Reduction = "mean") -> Loss:
    """C = −Σₖ tₖ ln softmax(y)ₖ from logits;  dy = (Σₖ tₖ) softmax(y) − t, where Σₖ tₖ is 1 for labels.

    Written with ln softmax(y)ₖ = (yₖ − max y) − ln Σⱼ e^{yⱼ − max y}, which does not overflow.

    Derivation: C = −Σₖ tₖ yₖ + (Σₖ tₖ) ln Σⱼ e^{yⱼ}, and the logarithm's derivative is softmax(y).
    """

    def terms(y, target):
        t = _dense(target, y)
        # A logit of −inf times a target of 0 is left out, not NaN.
        return -jnp.where(t == 0, 0, t * jax.nn.log_softmax(y)).sum(-1)

    def derivative(y, target):
        t = _dense(target, y)
        return t.sum(-1, keepdims=True) * jax.nn.softmax(y) - t

    return _loss(terms, derivative, jax.nn.softmax, reduction)


def perceptron(reduction: Reduction = "mean") -> Loss:
    """The perceptron criterion, C = Σₖ zₖ ([zₖ ≥ 0] − tₖ), from what the threshold is given;  dz = [z ≥ 0] − t.

    A right answer costs nothing, a wrong one |z|. Its descent is the perceptron rule, Δw = η (t − y) x with
    y = [z ≥ 0]: the step itself has no derivative that could be descended (Rosenblatt 1958).

    Derivation: C is linear on each side of z = 0.
    """

    def derivative(z, target):
        return (z >= 0).astype(z.dtype) - _dense(target, z)

    return _loss(
        lambda z, t: (z * derivative(z, t)).sum(-1),
        derivative,
        lambda z: (z >= 0).astype(z.dtype),
        reduction,
    )


#: name -> constructor
LOSSES = {
    constructor.__name__: constructor
    for constructor in (quadratic, mean_squared_error, sigmoid_cross_entropy, softmax_cross_entropy, perceptron)
}
