"""What a loss is: a mean or a sum over places of terms with a derivative by hand. Only a loss averages or sums.

A loss is a function `loss(y, target) -> (value, dy)`. The ones of `jaxnn.losses` also serve as metrics (`Loss.sums`).
What a target may be stands in `jaxnn.targets`.
"""

import collections.abc
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
from jax import numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float

from jaxnn.errors import UserError
from jaxnn.quantities import Sum
from jaxnn.sequence import Sequence, join_derivative
from jaxnn.targets import Output, Target, binary_labels, dense_target, split_weight

Reduction = Literal["mean", "sum"]

#: (y, target) -> (value, dy): all that training needs of a loss
LossFunction = Callable[[Any, Any], tuple[Any, Any]]


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

    weights: a positive number for each class. Raises `UserError` for others, and for a loss whose target is no label.
    """
    if loss.split is not split_weight:
        raise UserError(f"class_weights: expected a loss of labels, found {loss.name}; remove class_weights")
    if not weights or not all(isinstance(w, Tracer) or w > 0 for w in weights):
        raise UserError(f"class_weights: expected a positive number for each class, found {list(weights)}")
    return loss._replace(class_weights=tuple(weights))


def make_loss(
    name: str,
    terms: Callable[[Any, Any], Float[Array, "*places"]],
    derivative: Callable[[Any, Any], Any],
    reduction: Reduction,
) -> Loss:
    """A loss without class weights. Raises `UserError` for another reduction."""
    if reduction not in ("mean", "sum"):
        raise UserError(f"{name}: expected reduction 'mean' or 'sum', found {reduction!r}")
    return Loss(name, terms, derivative, reduction)
