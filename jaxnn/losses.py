"""Losses: how far an output is from its target, with the derivative written by hand. Only a loss averages or sums.

A loss is a function `loss(y, target) -> (value, dy)`. The ones below also serve as metrics (`Loss.sums`). What a
target may be stands in `jaxnn.targets`.
"""

import collections.abc
import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
from jax import numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float

from jaxnn.errors import UserError, describe
from jaxnn.quantities import Sum
from jaxnn.sequence import Sequence, clear_padding, join_derivative
from jaxnn.shapes import describe_shapes
from jaxnn.targets import (
    Output,
    Target,
    Weighted,
    binary_labels,
    check_target,
    dense_target,
    split_weight,
    spread_weight,
)

Reduction = Literal["mean", "sum"]

#: (y, target) -> (value, dy): all that training needs of a loss
LossFunction = Callable[[Any, Any], tuple[Any, Any]]


def check_loss(name: str, value: Any) -> None:
    """Raises `UserError` unless `value` can be a loss; it says `name`, the function that was given it."""
    is_constructor = any(value is constructor for constructor in LOSSES.values())
    if is_constructor or not callable(value) or isinstance(value, type):
        raise UserError(f"{name}: expected a loss, found {describe(value)}")


class Loss(NamedTuple):
    """`loss(y, target) -> (value, dy)`: the mean or the sum of `terms` over the places, and its derivative.

    name: the name of its constructor
    terms(y, target) -> (*places): the loss of each place
    derivative(y, target) -> (*places, output): the derivative of each term with respect to its own output
    class_weights: a weight for each class, by which its places count
    split(name, output, target) -> (y, target, weight of each place): the arrays that `terms` takes. They may be pytrees
    summands: what else is measured, such as the two terms of a sum: name -> function (y, target) -> (*places)
    draws: whether the loss is a mean over draws inside the model, so that an evaluation needs a key, too
    """

    name: str
    terms: Callable[[Output, Target], Float[Array, "*places"]]
    derivative: Callable[[Output, Target], Output]
    reduction: Reduction
    class_weights: tuple[float, ...] = ()
    split: Callable[[str, Any, Any], tuple[Any, Any, Any]] = split_weight
    summands: tuple[tuple[str, Callable[[Any, Any], Float[Array, "*places"]]], ...] = ()
    draws: bool = False

    def __call__(self, y: Any, target: Any) -> tuple[Float[Array, ""], Any]:
        """The value and its derivative with respect to y. Raises `UserError` for a target that does not fit y.

        y: (*places, output), or a `Sequence` of such, whose padding does not count
        """
        value, dy = self._value_and_derivative(*self._split(y, target))
        return value, join_derivative(dy, y.lengths) if isinstance(y, Sequence) else dy

    def _value_and_derivative(self, y: Any, plain: Any, weight: Any) -> tuple[Float[Array, ""], Any]:
        terms, dy = self.terms(y, plain), self.derivative(y, plain)
        if weight is None:
            if self.reduction == "sum":
                return terms.sum(), dy
            # Each term is divided before they are added: two of 2e38 have a mean in float32, but no sum.
            return (terms / terms.size).sum(), jax.tree.map(lambda dy: dy / terms.size, dy)
        total = weight.sum() if self.reduction == "mean" else jnp.ones((), terms.dtype)
        share = weight / jnp.where(total == 0, 1, total)
        # A select, not a product with 0: a masked place may hold infinity or NaN.
        value = jnp.where(share == 0, 0, share * terms).sum()

        def weighted(dy: Float[Array, "..."]) -> Float[Array, "..."]:
            factor = share.reshape(*share.shape, *[1] * (dy.ndim - share.ndim))
            return jnp.where(factor == 0, 0, factor * dy)

        return value, jax.tree.map(weighted, dy)

    def sums(self, y: Any, target: Any) -> Sum:
        """The loss as a metric: its terms added up, and their number (or the sum of their weights)."""
        return self.measured(y, target)["loss"]

    def measured(self, y: Any, target: Any) -> dict[str, Sum]:
        """The loss and its summands as metrics, by name."""
        y, plain, weight = self._split(y, target)

        def add_up(terms: Float[Array, "*places"]) -> Sum:
            if weight is None:
                return Sum(terms.sum(), jnp.full((), terms.size, terms.dtype))
            return Sum(jnp.where(weight == 0, 0, weight * terms).sum(), weight.sum())

        terms = {"loss": self.terms, **dict(self.summands)}
        return {name: add_up(function(y, plain)) for name, function in terms.items()}

    def _split(self, output: Any, target: Any) -> tuple[Any, Any, Float[Array, "*places"] | None]:
        """The output and the target as arrays, and the weight of each place; None where all count alike."""
        y, plain, weight = self.split(self.name, output, target)
        if self.class_weights:
            if len(self.class_weights) != (classes := max(y.shape[-1], 2)):
                raise UserError(
                    f"{self.name}: expected class_weights for {classes} classes, found {len(self.class_weights)}"
                )
            per_class = jnp.asarray(self.class_weights, y.dtype)
            if y.shape[-1] == 1:
                place_weight = per_class[binary_labels(plain, y)]
            else:
                place_weight = (dense_target(plain, y) * jnp.broadcast_to(per_class, y.shape)).sum(-1)
            weight = place_weight if weight is None else jnp.where(weight == 0, 0, weight * place_weight)
        return y, plain, weight


def class_weighted(loss: Loss, weights: collections.abc.Sequence[float]) -> Loss:
    """The loss in which a place counts by the weight of its class. With a mean, Σ w·term / Σ w.

    weights: a positive number for each class. Raises `UserError` for others.
    """
    if not weights or not all(isinstance(w, Tracer) or w > 0 for w in weights):
        raise UserError(f"class_weights: expected a positive number for each class, found {list(weights)}")
    return loss._replace(class_weights=tuple(weights))


def _loss(name: str, terms, derivative, reduction: Reduction) -> Loss:
    if reduction not in ("mean", "sum"):
        raise UserError(f"{name}: expected reduction 'mean' or 'sum', found {reduction!r}")
    return Loss(name, terms, derivative, reduction)


def quadratic(reduction: Reduction = "mean") -> Loss:
    """The course's cost, C = ½ Σₖ (yₖ − tₖ)² for each example;  dy = y − t.

    Derivation: ∂/∂yⱼ ½ Σₖ (yₖ − tₖ)²: only the term k = j depends on yⱼ, and ½ · 2 (yⱼ − tⱼ) = yⱼ − tⱼ.
    """
    return _loss(
        "quadratic",
        lambda y, t: 0.5 * ((y - dense_target(t, y)) ** 2).sum(-1),
        lambda y, t: y - dense_target(t, y),
        reduction,
    )


def mean_squared_error(reduction: Reduction = "mean") -> Loss:
    """Keras's, C = (1/m) Σₖ (yₖ − tₖ)² over an example's m outputs;  dy = 2 (y − t) / m.

    Derivation: ∂/∂yⱼ (1/m) Σₖ (yₖ − tₖ)²: only the term k = j depends on yⱼ, and the mean divides its 2 (yⱼ − tⱼ) by m.
    """
    return _loss(
        "mean_squared_error",
        lambda y, t: ((y - dense_target(t, y)) ** 2).mean(-1),
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
        return (t * jax.nn.softplus(-y) + (1 - t) * jax.nn.softplus(y)).sum(-1)

    def derivative(y, target):
        t = dense_target(target, y)
        return (1 - t) * jax.nn.sigmoid(y) - t * jax.nn.sigmoid(-y)

    return _loss("sigmoid_cross_entropy", terms, derivative, reduction)


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

    return _loss("softmax_cross_entropy", terms, derivative, reduction)


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

    return _loss("perceptron", terms, derivative, reduction)


def pixel_nats(logits: Output, target: Target) -> Float[Array, "batch"]:
    """−ln p(t) of each example, Σₖ tₖ softplus(−lₖ) + (1 − tₖ) softplus(lₖ), from logits of its pixels (batch, …)."""
    t = jnp.asarray(target, logits.dtype)
    terms = t * jax.nn.softplus(-logits) + (1 - t) * jax.nn.softplus(logits)
    return terms.reshape(len(logits), -1).sum(-1)


def elbo(reduction: Reduction = "mean", beta: float = 1.0) -> Loss:
    """The negative evidence lower bound of a variational autoencoder, in nats for each example, from logits of pixels.

    y = (logits l, code [μ ℓ]): what `with_input(serial(gaussian(), decoder))` gives
    C = Σₖ [tₖ softplus(−lₖ) + (1 − tₖ) softplus(lₖ)] + β ½ Σⱼ (μⱼ² + e^{ℓⱼ} − 1 − ℓⱼ)
    dl = σ(l) − t,  dμ = β μ,  dℓ = β ½ (e^ℓ − 1)

    The first sum is −ln p(t | z) of pixels that are 0 or 1 (a grey value counts as its share of ones), and the second
    is the divergence KL(N(μ, e^ℓ) ‖ N(0, 1)). They are measured as "reconstruction" and "divergence".

    Derivation: the first sum is the sigmoid cross-entropy. In the second, ∂/∂μ ½ μ² = μ and ∂/∂ℓ ½ (e^ℓ − ℓ) =
    ½ (e^ℓ − 1).

    l and t of one shape (batch, ...), the code (batch, 2 n). (Kingma and Welling 2014; β: Higgins et al. 2017.)
    Raises `UserError` for other outputs, and for a negative β.
    """
    if isinstance(beta, float | int) and beta < 0:
        raise UserError(f"elbo: expected beta of at least 0, found {beta}")

    def reconstruction(y, target):
        return pixel_nats(y[0], target)

    def divergence(y, target):
        del target
        mean, log_variance = jnp.split(y[1], 2, -1)
        return 0.5 * (mean**2 + jnp.expm1(log_variance) - log_variance).sum(-1)

    def derivative(y, target):
        logits, code = y
        t = jnp.asarray(target, logits.dtype)
        mean, log_variance = jnp.split(code, 2, -1)
        dcode = jnp.concatenate([mean, 0.5 * jnp.expm1(log_variance)], -1)
        return (1 - t) * jax.nn.sigmoid(logits) - t * jax.nn.sigmoid(-logits), beta * dcode

    loss = _loss("elbo", lambda y, t: reconstruction(y, t) + beta * divergence(y, t), derivative, reduction)
    summands = (("reconstruction", reconstruction), ("divergence", divergence))
    return loss._replace(split=_split_code, summands=summands, draws=True)


def _split_code(name: str, output: Any, target: Any) -> tuple[Any, Any, Any]:
    """The output of a variational autoencoder, its target, and the weight of each example."""
    pair = isinstance(output, tuple) and len(output) == 2 and all(hasattr(a, "shape") for a in output)
    logits, code = output if pair else (jnp.zeros(0), jnp.zeros(0))
    if code.ndim != 2 or code.shape[-1] % 2 or code.shape[0] != logits.shape[0]:
        raise UserError(
            f"{name}: expected the output (logits, code), with a code (batch, 2 n), found {describe_shapes(output)}; "
            "end the net with with_input around gaussian and the decoder"
        )
    plain, weight = (target.target, target.weight) if isinstance(target, Weighted) else (target, None)
    if tuple(getattr(plain, "shape", ())) != tuple(logits.shape):
        raise UserError(
            f"{name}: expected targets of the logits' shape {tuple(logits.shape)}, found {describe_shapes(plain)}"
        )
    if weight is not None:
        weight = spread_weight(name, weight, logits.shape[:1], logits.dtype)
    return output, plain, weight


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
    )
}
#: Those whose output is one array (*places, output); the other one takes a pair.
OUTPUT_LOSSES = {name: constructor for name, constructor in LOSSES.items() if name != "elbo"}


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
