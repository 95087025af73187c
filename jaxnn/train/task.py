"""What the predictions of a model mean for its targets, and the metrics that apply."""

from collections.abc import Mapping
from typing import Any, Literal

from jax import numpy as jnp

from jaxnn import metrics
from jaxnn.loss import Loss, LossFunction
from jaxnn.metrics import Metric
from jaxnn.quantities import Sum
from jaxnn.sequence import Sequence
from jaxnn.targets import Weighted, plain_output, plain_target

#: What turns a model's output into a prediction: probabilities of classes that exclude each other, of classes that do
#: not, 0 or 1, how new an example is, the objects of a picture, or ("") the output itself.
Activation = Literal["softmax", "sigmoid", "threshold", "novelty", "detection", ""]
#: One class for each place; yes or no for each output of a place; numbers.
Task = Literal["classification", "multilabel", "regression"]

#: At most so many outputs are measured one by one, because every step of an epoch keeps five numbers of each.
MAX_SEPARATE_OUTPUTS = 64

_ACTIVATIONS: dict[str, Activation] = {
    "softmax_cross_entropy": "softmax",
    "sigmoid_cross_entropy": "sigmoid",
    "perceptron": "threshold",
    "detection": "detection",
}


def activation_of(loss: LossFunction) -> Activation:
    """What `jaxnn.losses.prediction_of` applies to the output of a net that is trained with a loss."""
    return _ACTIVATIONS.get(loss.name, "") if isinstance(loss, Loss) else ""


def task_of(activation: Activation, prediction: Any, target: Any) -> Task | None:
    """What predictions say of targets, by their shapes and types; None where neither is known to fit the other.

    prediction: arrays or shapes (*places, output)
    target: the same, or with labels (*places); it may be `jaxnn.Weighted`; both may be a `Sequence`

    Integers (*places) are labels, so this is a classification. Targets of the prediction's own shape are a
    classification under a softmax, and where there is one output, yes or no. They are yes or no for each output under a
    sigmoid or a threshold. Other integers are rows with a one at the class, other floats are numbers.
    """
    prediction, target = plain_output(prediction), plain_target(target)
    if activation in ("novelty", "detection"):
        return None
    if not (hasattr(prediction, "dtype") and hasattr(target, "dtype")) or len(prediction.shape) < 2:
        return None
    integers = jnp.issubdtype(target.dtype, jnp.integer)
    shape, outputs = tuple(target.shape), tuple(prediction.shape)
    if shape == outputs:
        if activation in ("sigmoid", "threshold"):
            return "multilabel" if outputs[-1] > 1 else "classification"
        return "classification" if activation == "softmax" or integers else "regression"
    return "classification" if integers and shape == outputs[:-1] else None


def default_metrics(activation: Activation) -> Mapping[str, Metric]:
    """The metrics of any task by name. Each is None for predictions and targets that it does not apply to.

    accuracy: of a classification, or of all outputs of a multilabel task
    perplexity, bits: of a classification of every place (batch, time) without weights under a softmax: a language model
    sequence_accuracy: of a classification of every place of a `Sequence`: the share without a wrong place
    mean_iou: of a classification of every pixel (batch, height, width)
    exact_match: the share of places that have all their labels right
    mae, r2: of a regression; with more than `MAX_SEPARATE_OUTPUTS` outputs the mean over all of them, and no R²
    """

    def accuracy(prediction, target):
        match task_of(activation, prediction, target):
            case "classification":
                return metrics.accuracy(prediction, target)
            case "multilabel":
                return metrics.binary_accuracy(prediction, target)
        return None

    def perplexity(prediction, target):
        return metrics.perplexity(prediction, target) if is_next_place(prediction, target) else None

    def bits(prediction, target):
        return metrics.bits(prediction, target) if is_next_place(prediction, target) else None

    def is_next_place(prediction, target):
        # Weighted places are those of a mask, such as the labelled nodes of a graph; no text is told there.
        if isinstance(target, Weighted):
            return False
        places = activation == "softmax" and len(getattr(plain_output(prediction), "shape", ())) == 3
        return places and task_of(activation, prediction, target) == "classification"

    def sequence_accuracy(prediction, target):
        if not isinstance(prediction, Sequence) or task_of(activation, prediction, target) != "classification":
            return None
        return metrics.sequence_accuracy(prediction, target)

    def mean_iou(prediction, target):
        pixels = activation == "softmax" and len(getattr(plain_output(prediction), "shape", ())) == 4
        if not pixels or task_of(activation, prediction, target) != "classification":
            return None
        return metrics.mean_iou(prediction, target)

    def exact_match(prediction, target):
        is_multilabel = task_of(activation, prediction, target) == "multilabel"
        return metrics.exact_match(prediction, target) if is_multilabel else None

    def mae(prediction, target):
        if task_of(activation, prediction, target) != "regression":
            return None
        error = metrics.mae(prediction, target)
        return (
            error
            if plain_output(prediction).shape[-1] <= MAX_SEPARATE_OUTPUTS
            else Sum(error.total.mean(), error.count)
        )

    def r2(prediction, target):
        if task_of(activation, prediction, target) != "regression":
            return None
        if plain_output(prediction).shape[-1] > MAX_SEPARATE_OUTPUTS:
            return None
        return metrics.r2(prediction, target)

    return {
        "accuracy": accuracy,
        "perplexity": perplexity,
        "bits": bits,
        "sequence_accuracy": sequence_accuracy,
        "mean_iou": mean_iou,
        "exact_match": exact_match,
        "mae": mae,
        "r2": r2,
    }
