"""Metrics of classes that need a whole part of the data: precision, recall, F1, balanced accuracy, area under the ROC.

They are computed on the host, of the predictions that an evaluation leaves for each example, and are those of
scikit-learn, whose own functions take a second to import. What is not defined is NaN: the precision of a class that is
never predicted, the recall of one that never occurs.
"""

from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Float, Int, Shaped

from jaxnn.detection import average_precisions
from jaxnn.layer import Batch, Params
from jaxnn.metrics import predicted_labels, true_labels
from jaxnn.targets import Boxes, Weighted, plain_output, plain_target, split_weight
from jaxnn.train.novelty import NORMAL_SHARE
from jaxnn.train.step import Update
from jaxnn.train.task import Task, task_of

#: More classes, such as the words of a text, or more numbers in a part are not measured one by one.
MAX_CLASSES = 1000
MAX_NUMBERS = 20_000_000


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ClassOutcomes:
    """What was predicted and what is true at each place, with a leading axis of examples.

    predicted, true: labels (*places); in a multilabel task 0 or 1 for each label (*places, label)
    scores: of a class against all others, larger where it is likelier: of the second of two classes (*places), of each
        label (*places, label); None for more classes
    weight: of each place; None where all count alike
    """

    predicted: Int[Array | np.ndarray, "..."]
    true: Shaped[Array | np.ndarray, "..."]
    scores: Float[Array | np.ndarray, "..."] | None
    weight: Float[Array | np.ndarray, "*places"] | None
    task: Task = field(metadata={"static": True})
    classes: int = field(metadata={"static": True})


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class NoveltyOutcomes:
    """How new each example is found, and whether it is: (*batches, examples)."""

    score: Float[Array | np.ndarray, "*batches examples"]
    new: Shaped[Array | np.ndarray, "*batches examples"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class DetectionOutcomes:
    """What a detector says of each cell, and what is there, with a leading axis of examples."""

    prediction: Float[Array | np.ndarray, "..."]
    target: Boxes


Outcomes = ClassOutcomes | NoveltyOutcomes | DetectionOutcomes


def class_outcomes(update: Update, params: Params, batch: Batch, limit: int) -> Outcomes | None:
    """The outcomes of a batch (x, target); None for a task without classes, and for a token at each place of tokens.

    limit: the numbers of an example, beyond which there are none
    """
    if update.predict is None or not (isinstance(batch, tuple) and len(batch) == 2):
        return None
    prediction = update.predict(params, batch[0])
    if update.activation == "novelty" and isinstance(batch[1], Weighted):
        return NoveltyOutcomes(prediction[:, 0], jnp.asarray(batch[1].weight) == 0)
    if update.activation == "detection" and isinstance(batch[1], Boxes):
        return DetectionOutcomes(prediction, batch[1]) if prediction[0].size <= limit else None
    y, target = plain_output(prediction), plain_target(batch[1])
    task = task_of(update.activation, y, target)
    if task not in ("classification", "multilabel") or y.shape[-1] > MAX_CLASSES or y[0].size > limit:
        return None
    x = plain_output(batch[0])
    if task == "classification" and y.ndim > 2 and jnp.issubdtype(getattr(x, "dtype", float), jnp.integer):
        # A language model: how well it tells each token says nothing that its loss does not.
        return None
    weight = split_weight(task, prediction, batch[1])[2]
    outputs = y.shape[-1]
    if task == "multilabel":
        return ClassOutcomes((y >= 0.5).astype(jnp.int32), jnp.asarray(target, y.dtype), y, weight, task, outputs)
    scores = None
    if outputs == 1:
        scores = y[..., 0]
    elif outputs == 2:
        scores = y[..., 1] if update.activation == "softmax" else y[..., 1] - y[..., 0]
    labels = true_labels(y, target)
    return ClassOutcomes(predicted_labels(y), labels, scores, weight, task, max(outputs, 2))


def class_metrics(outcomes: Outcomes | None) -> dict[str, np.ndarray]:
    """The metrics of a part by name; NaN where one is not defined, and {} without outcomes.

    Of two classes: precision, recall, f1 and roc_auc of the second, and balanced_accuracy. Of more: balanced_accuracy
    and f1_macro. Of a multilabel task: f1_macro, f1_micro, and roc_auc, the mean over the labels.
    Of each class or label (classes,): precision_per_class, recall_per_class, f1_per_class and support_per_class, which
    is the number or the weight of its examples.
    Of a novelty detection: roc_auc of the new examples, and novelty_threshold, the score below which `NORMAL_SHARE` of
    the normal examples lie.
    Of a detection: those of `average_precisions`.
    """
    if outcomes is None:
        return {}
    if isinstance(outcomes, DetectionOutcomes):
        return average_precisions(np.asarray(outcomes.prediction), jax.tree.map(np.asarray, outcomes.target))
    if isinstance(outcomes, NoveltyOutcomes):
        score, new = np.asarray(outcomes.score, np.float64).ravel(), np.asarray(outcomes.new).ravel()
        threshold = np.quantile(score[~new], NORMAL_SHARE) if (~new).any() else np.nan
        return {
            "roc_auc": np.asarray(roc_auc(new, score)),
            "novelty_threshold": np.asarray(threshold),
        }
    is_multilabel = outcomes.task == "multilabel"
    shape = (-1, outcomes.classes) if is_multilabel else (-1,)
    predicted, true = (np.asarray(a).reshape(shape) for a in (outcomes.predicted, outcomes.true))
    scores = None if outcomes.scores is None else np.asarray(outcomes.scores, np.float64).reshape(shape)
    weight = np.ones(len(true)) if outcomes.weight is None else np.asarray(outcomes.weight, np.float64).ravel()
    counts = weight > 0
    if is_multilabel and not np.isin(true, (0, 1)).all():  # shares, such as grey pixels, are no labels
        return {}
    true, predicted, weight = true[counts].astype(np.int32), predicted[counts], weight[counts]
    scores = None if scores is None else scores[counts]
    right, support, found = _counts(true, predicted, weight, outcomes.classes)
    precision, recall, f1 = _ratio(right, found), _ratio(right, support), _ratio(2 * right, found + support)
    per_class = {
        "precision_per_class": precision,
        "recall_per_class": recall,
        "f1_per_class": f1,
        "support_per_class": support,
    }
    metrics: dict[str, Any] = {}
    if is_multilabel:
        assert scores is not None
        # Over all labels together.
        f1_micro = _ratio(2 * right.sum(), found.sum() + support.sum())
        metrics |= {"f1_macro": _defined_mean(f1), "f1_micro": f1_micro}
        metrics["roc_auc"] = np.mean([roc_auc(t, s, weight) for t, s in zip(true.T, scores.T, strict=True)])
    else:
        occurring = support > 0
        balanced = recall[occurring].mean() if occurring.sum() > 1 else np.nan
        metrics["balanced_accuracy"] = balanced
        if outcomes.classes == 2:
            metrics |= {"precision": precision[1], "recall": recall[1], "f1": f1[1]}
        else:
            metrics["f1_macro"] = _defined_mean(f1)
        if scores is not None:
            metrics["roc_auc"] = roc_auc(true, scores, weight)
    return {name: np.asarray(value, np.float64) for name, value in (metrics | per_class).items()}


def _counts(
    true: np.ndarray, predicted: np.ndarray, weight: np.ndarray, classes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each class (classes,) the weight of the places where it is predicted rightly, is true, and is predicted.

    true, predicted: a label at each place (n,), or 0 or 1 for each label (n, classes)
    """

    def summed(chosen: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """The weight of the chosen places in each class."""
        if labels.ndim == 2:
            return weight @ (chosen * labels)
        chosen = chosen & (labels >= 0) & (labels < classes)
        return np.bincount(labels[chosen], weight[chosen], classes)

    everywhere = np.ones(true.shape, bool)
    return summed(true == predicted, true), summed(everywhere, true), summed(everywhere, predicted)


def _ratio(a: np.ndarray | np.floating, b: np.ndarray | np.floating) -> np.ndarray:
    """a / b; NaN where b is 0."""
    return np.where(b > 0, a / np.where(b > 0, b, 1), np.nan)


def roc_auc(true: np.ndarray, scores: np.ndarray, weight: np.ndarray | None = None) -> float:
    """The area under the ROC; NaN with one class alone, or where a score is not finite.

    true: 0 or 1, or booleans (n,); scores (n,), larger where 1 is likelier; weight (n,)

    The area is the share of the pairs of a 1 and a 0 in which the 1 has the larger score; equal scores count half.
    """
    if len(np.unique(true)) < 2 or not np.isfinite(scores).all():
        return np.nan
    weight = np.ones(len(true)) if weight is None else weight
    levels, level = np.unique(scores, return_inverse=True)
    ones, zeros = (np.bincount(level, weight * (true == label), len(levels)) for label in (1, 0))
    return float(ones @ (np.cumsum(zeros) - zeros / 2) / (ones.sum() * zeros.sum()))


def _defined_mean(values: np.ndarray) -> float:
    """The mean of what is defined; NaN where nothing is."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else np.nan
