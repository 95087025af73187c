"""What is measured of a model: quantities as sums and counts, so that batches of any size add up to the right mean."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnn.targets import split_weight


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Sum:
    """A measured quantity: the sum of its terms, and their number or the sum of their weights.

    Both are floating arrays of one shape: (), or with axes in front, such as one of the steps of an epoch.
    """

    total: Any
    count: Any

    def mean(self) -> Any:
        """The mean over all terms; NaN where there are none."""
        return self.total.sum() / self.count.sum()


#: Measured quantities by name.
Sums = Mapping[str, Sum]
#: (prediction, target) -> Sum, or None where the metric does not apply to targets of this type
Metric = Callable[[Any, Any], Sum | None]


def means(sums: Sums) -> dict[str, Any]:
    """The mean of each quantity."""
    return {name: quantity.mean() for name, quantity in sums.items()}


def add(first: Sums, second: Sums) -> dict[str, Sum]:
    """The quantities of two sets of examples together."""
    return jax.tree.map(jnp.add, dict(first), dict(second))


#: Quantities of which less is better; of all others, more.
_LOWER_IS_BETTER = re.compile(r"(^|_)(loss|error|perplexity|distance|bits|nats)(_|$)")


def lower_is_better(name: str) -> bool:
    """Whether a quantity of this name is to be made small: `loss`, `test_error`, `perplexity`; not `accuracy`.

    >>> from jaxnn.metrics import lower_is_better
    >>> lower_is_better("loss"), lower_is_better("critic_loss"), lower_is_better("accuracy")
    (True, True, False)
    """
    return _LOWER_IS_BETTER.search(name) is not None


def predicted_labels(prediction: Float[Array, "*places output"]) -> Int[Array, "*places"]:
    """The likeliest class. With a single output: 1 where it is at least one half, else 0."""
    if prediction.shape[-1] == 1:
        return (prediction[..., 0] >= 0.5).astype(jnp.int32)
    return jnp.argmax(prediction, axis=-1).astype(jnp.int32)


def accuracy(prediction: Float[Array, "*places output"], target: Any) -> Sum:
    """How many places are classified right, and how many there are.

    prediction: class probabilities, or anything whose largest entry is the class
    target: labels (*places), or rows as wide as the prediction, whose largest entry is the class; either may be
        `jaxnn.Weighted`
    Raises `UserError` for a target of another shape, and for labels that are no classes.
    """
    plain, weight = split_weight("accuracy", target, prediction)
    labels = jnp.asarray(plain)
    if labels.shape == prediction.shape:
        labels = predicted_labels(labels.astype(prediction.dtype))
    right = (predicted_labels(prediction).astype(labels.dtype) == labels).astype(prediction.dtype)
    if weight is None:
        return Sum(right.sum(), jnp.full((), right.size, right.dtype))
    return Sum((weight * right).sum(), weight.sum())


def label_accuracy(prediction: Any, target: Any) -> Sum | None:
    """`accuracy` where the target holds integers; None where it does not, as in regression."""
    labels = getattr(target, "target", target)
    return accuracy(prediction, target) if jnp.issubdtype(labels.dtype, jnp.integer) else None
