"""What is measured of a model.

A metric is a function (prediction, target). A prediction is an array (*places, output), or a `jaxnn.Sequence` of such,
whose padding does not count. What a target may be stands in `jaxnn.targets`.
"""

import math
import re
from collections.abc import Callable
from typing import Any

import jax
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxnn.errors import UserError
from jaxnn.kernels.array_types import AnyArray
from jaxnn.kernels.sums import sum_pixels
from jaxnn.quantities import MeanIoU, OutputMean, Perplexity, Quantity, RSquared, Sum
from jaxnn.targets import dense_target, split_weight

#: (prediction, target) -> Quantity, or None where the metric does not apply to targets of this type
Metric = Callable[[Any, Any], Quantity | None]


#: Quantities of which less is better; of all others, more.
_LOWER_IS_BETTER = re.compile(
    r"(^|_)(loss|error|mae|mse|rmse|perplexity|distance|bits|nats|reconstruction|divergence)(_|$)"
)


def lower_is_better(name: str) -> bool:
    """Whether a quantity of this name is to be made small: `loss`, `test_error`, `mae`; not `accuracy`.

    >>> from jaxnn.metrics import lower_is_better
    >>> lower_is_better("loss"), lower_is_better("critic_loss"), lower_is_better("accuracy")
    (True, True, False)
    """
    return _LOWER_IS_BETTER.search(name) is not None


def predicted_labels(prediction: Float[AnyArray, "*places output"]) -> Int[AnyArray, "*places"]:
    """The likeliest class. With a single output: 1 where it is at least one half, else 0."""
    if prediction.shape[-1] == 1:
        return (prediction[..., 0] >= 0.5).astype(jnp.int32)
    return prediction.argmax(axis=-1).astype(jnp.int32)


def accuracy(prediction: Any, target: Any) -> Sum:
    """How many places are classified right, and how many there are.

    prediction: class probabilities (*places, output), or anything whose largest entry is the class
    target: labels (*places), or rows as wide as the prediction, whose largest entry is the class; either may be
        `jaxnn.Weighted`
    Raises `UserError` for a target of another shape, and for labels that are no classes.
    """
    y, plain, weight = split_weight("accuracy", prediction, target)
    return _share(predicted_labels(y) == true_labels(y, plain), weight, y)


def sequence_accuracy(prediction: Any, target: Any) -> Sum:
    """How many sequences have all their places classified right, and how many sequences there are.

    prediction: (batch, *places, output); target: as for `accuracy`. A sequence counts by the largest weight of its
    places, so one without places does not count.
    Raises `UserError` for a target of another shape, and for a prediction without places.
    """
    y, plain, weight = split_weight("sequence_accuracy", prediction, target)
    if y.ndim < 3:
        raise UserError(f"sequence_accuracy: expected a prediction (batch, time, output), found shape {y.shape}")
    right = (predicted_labels(y) == true_labels(y, plain)).reshape(len(y), -1)
    if weight is None:
        return _share(right.all(-1), None, y)
    weight = weight.reshape(len(y), -1)
    return _share((right | (weight == 0)).all(-1), weight.max(-1, initial=0), y)


def perplexity(prediction: Any, target: Any) -> Perplexity:
    """e to the mean of −ln p over the places, with p the probability of the true class: k where k classes are even.

    prediction: class probabilities (*places, output); one below the smallest normal number counts as that
    target: labels (*places), or rows of probabilities
    Raises `UserError` for a target of another shape, and for labels that are no classes.
    """
    return Perplexity(*_nats("perplexity", prediction, target))


def bits(prediction: Any, target: Any) -> Sum:
    """The mean of −log₂ p over the places, with p as for `perplexity`: of a text's characters, bits per character."""
    total, count = _nats("bits", prediction, target)
    return Sum(total / math.log(2), count)


def mean_iou(prediction: Any, target: Any) -> MeanIoU:
    """The intersection over union of each class, predicted and true, over all places: of a segmentation, its pixels."""
    y, plain, weight = split_weight("mean_iou", prediction, target)
    classes = y.shape[-1]
    predicted = jax.nn.one_hot(predicted_labels(y), classes, dtype=_dtype(y))
    true = jax.nn.one_hot(true_labels(y, plain), classes, dtype=_dtype(y))
    counts = jnp.ones(y.shape[:-1], predicted.dtype) if weight is None else weight
    counts = jnp.broadcast_to(counts[..., None], y.shape)
    both = (counts * predicted * true).reshape(-1, classes).sum(0)
    either = (counts * (predicted + true)).reshape(-1, classes).sum(0) - both
    return MeanIoU(both, either)


def binary_accuracy(prediction: Any, target: Any) -> Sum:
    """How many of all outputs are right, each of which is yes or no: at least one half, or less.

    target: 0 or 1 for each output (*places, output); it may be `jaxnn.Weighted`
    Raises `UserError` for a target of another shape.
    """
    return _share(*_right_outputs("binary_accuracy", prediction, target))


def exact_match(prediction: Any, target: Any) -> Sum:
    """How many places have all their outputs right, each of which is yes or no, as for `binary_accuracy`."""
    right, weight, y = _right_outputs("exact_match", prediction, target)
    return _share(right.all(-1), weight, y)


def mae(prediction: Any, target: Any) -> OutputMean:
    """The mean absolute error of each output.

    target: (*places, output); it may be `jaxnn.Weighted`
    Raises `UserError` for a target of another shape.
    """
    y, t, weight = _rows(*_split_wide("mae", prediction, target))
    return OutputMean(sum_pixels(weight * jnp.where(weight > 0, jnp.abs(y - t), 0)), weight.sum())


def r2(prediction: Any, target: Any) -> RSquared:
    """The coefficient of determination R² of each output: 1 is best, and the mean of the targets has 0.

    target: (*places, output); it may be `jaxnn.Weighted`
    Raises `UserError` for a target of another shape.
    """
    y, plain, given = _split_wide("r2", prediction, target)
    y, t, weight = _rows(y, plain, given)
    counts, total = weight > 0, jnp.maximum(weight.sum(), jnp.finfo(weight.dtype).tiny)
    # XLA would search through constant weights while it compiles, for seconds.
    first = 0 if given is None else jnp.argmax(counts)
    # Relative to the first target that counts, so that equal targets have no spread in spite of rounding.
    base = jnp.where(counts.any(), lax.dynamic_slice_in_dim(t, first, 1), 0)
    offset = jnp.where(counts, t - base, 0)
    middle = sum_pixels(weight * offset)[None] / total
    spread = sum_pixels(weight * jnp.where(counts, offset - middle, 0) ** 2)
    residual = sum_pixels(weight * jnp.where(counts, y - t, 0) ** 2)
    return RSquared(residual, (base + middle)[0], spread, weight.sum())


def true_labels(prediction: Any, target: Any) -> Int[AnyArray, "*places"]:
    """The labels that a target holds: labels (*places), or rows as wide as the prediction, whose largest entry is one.

    target: without weights
    """
    if len(target.shape) == len(prediction.shape):
        return predicted_labels(jnp.asarray(target, prediction.dtype))
    return jnp.asarray(target).astype(jnp.int32)


def _share(right: Bool[Array, "..."], weight: Any, prediction: Any) -> Sum:
    """How many are right, of all places or of all outputs of all places, each with the weight of its place."""
    dtype = _dtype(prediction)
    right = right.astype(dtype)
    if weight is None:
        return Sum(right.sum(), jnp.full((), right.size, dtype))
    weight = weight.astype(dtype)
    weight = jnp.broadcast_to(weight.reshape(*weight.shape, *[1] * (right.ndim - weight.ndim)), right.shape)
    return Sum((weight * right).sum(), weight.sum())


def _nats(where: str, prediction: Any, target: Any) -> tuple[Any, Any]:
    """The sum of −ln p over the places, and their number or the sum of their weights."""
    y, plain, weight = split_weight(where, prediction, target)
    y = y.astype(_dtype(y))
    logarithms = jnp.log(jnp.maximum(y, jnp.finfo(y.dtype).tiny))
    t = dense_target(plain, y)
    terms = -jnp.where(t == 0, 0, t * logarithms).sum(-1)
    if weight is None:
        return terms.sum(), jnp.full((), terms.size, y.dtype)
    weight = weight.astype(y.dtype)
    return jnp.where(weight == 0, 0, weight * terms).sum(), weight.sum()


def _right_outputs(where: str, prediction: Any, target: Any) -> tuple[Bool[Array, "*places output"], Any, Any]:
    """Which outputs are right, the weights of the places, and the outputs."""
    y, plain, weight = _split_wide(where, prediction, target)
    return (y >= 0.5) == (jnp.asarray(plain, y.dtype) >= 0.5), weight, y


def _rows(y: Any, plain: Any, weight: Any) -> tuple[Any, Any, Any]:
    """The prediction and the target as rows (places, output), and the weight of each row (places, 1): 1 without one."""
    dtype, outputs = _dtype(y), y.shape[-1]
    weight = jnp.ones(y.shape[:-1], dtype) if weight is None else weight.astype(dtype)
    y, t = (jnp.asarray(a, dtype).reshape(-1, outputs) for a in (y, plain))
    return y, t, weight.reshape(-1, 1)


def _split_wide(where: str, prediction: Any, target: Any) -> tuple[Any, Any, Any]:
    """The prediction, the target and the weight of each place. Raises `UserError` for targets of another shape."""
    y, plain, weight = split_weight(where, prediction, target)
    if plain.shape != y.shape:
        raise UserError(f"{where}: expected targets of shape {y.shape}, found labels {tuple(plain.shape)}")
    return y, plain, weight


def _dtype(prediction: Any) -> Any:
    """At least float32: bfloat16 counts to 256."""
    return prediction.dtype if jnp.dtype(prediction.dtype).itemsize >= 4 else jnp.dtype(jnp.float32)
