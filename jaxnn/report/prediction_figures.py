"""Figures of what a run predicts: confusion matrix, mistakes, decision boundary, parity, denoised signals."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn import plots
from jaxnn.errors import plural
from jaxnn.experiment.definition import Experiment
from jaxnn.experiment.plane import plane_grid
from jaxnn.experiment.scores import predict
from jaxnn.kernels.devices import copied_to_device
from jaxnn.layer import Params
from jaxnn.metrics import mean_iou, predicted_labels, true_labels
from jaxnn.plots.predictions import MAX_MISCLASSIFIED, MAX_SIGNALS
from jaxnn.report.detection_figures import detection_figures
from jaxnn.report.figure import Figure
from jaxnn.report.figured_examples import figured_examples, last_part, prepared_examples
from jaxnn.report.forecast_figure import forecast_figure
from jaxnn.report.novelty_figures import novelty_figures
from jaxnn.report.score_table import class_name, output_names
from jaxnn.targets import split_weight

#: Points along each side of the plane in which a decision boundary is drawn.
GRID = 200
#: More classes have no confusion matrix.
MAX_CLASSES = 1000
#: Outputs of a regression that are drawn, each in a panel, and points of a panel.
MAX_PARITY_PANELS = 6
MAX_PARITY_POINTS = 5000
#: Pictures whose classes of pixels are shown.
MAX_SEGMENTED = 6
#: Images whose reconstructions are shown.
MAX_SHOWN = 20


class Predictions(NamedTuple):
    """What a seed's best parameters predict for the examples of a part that count: weights of 0 do not.

    x: an array with a row for each example; None where the inputs are no array, or a part of the places counts
    output: (*places, output); target: labels (*places), or the output's shape
    """

    part: str
    x: np.ndarray | None
    target: np.ndarray
    output: np.ndarray


def prediction_figures(experiment: Experiment, params: Params) -> Iterator[Figure]:
    """The figures of the first seed's predictions that apply; none where examples are no pairs of arrays."""
    if experiment.bound().activation == "novelty":
        yield from novelty_figures(experiment, params)
        return
    if experiment.bound().activation == "detection":
        yield from detection_figures(experiment, params)
        return
    task = experiment.task()
    predictions = predict_part(experiment, params) if task in ("classification", "regression") else None
    if predictions is None:
        return
    if task == "classification":
        yield from classification_figures(experiment, params, predictions)
    else:
        yield regression_figure(experiment, predictions)
        yield from forecast_figure(experiment, params)


def predict_part(experiment: Experiment, params: Params) -> Predictions | None:
    """The first seed's predictions of a task for the test part, or the nearest thing to it; None for no predictions."""
    found = last_part(experiment)
    if found is None:
        return None
    part = found[0]
    examples: Any = figured_examples(experiment, part)
    x = np.asarray(examples[0]) if hasattr(examples[0], "dtype") else None
    # Prepared: an autoencoder's target is its input.
    _, wanted = prepared_examples(experiment, examples)
    output = copied_to_device(predict(experiment, params, examples[0]))
    output, target, weight = split_weight(part, output, wanted)
    output, target = np.asarray(output), np.asarray(target)
    if weight is not None:
        counts = np.asarray(weight) > 0
        examples_count = counts.reshape(len(counts), -1).any(1)
        if (counts == examples_count.reshape(-1, *[1] * (counts.ndim - 1))).all():
            counts = examples_count
        # Where some places of an example count, what is left is no longer a row of x for each target.
        x = x[counts] if x is not None and counts.ndim == 1 else None
        target, output = target[counts], output[counts]
    return Predictions(part, x, target, output) if len(output) else None


def classification_figures(experiment: Experiment, params: Params, predictions: Predictions) -> Iterator[Figure]:
    """The confusion matrix; of images the misclassified ones, of points of the plane the decision boundary."""
    part, x, _, output = predictions
    names, seed = output_names(experiment.data), experiment.seeds[0]
    count = max(output.shape[-1], 2, len(names))
    if count > MAX_CLASSES:
        return
    true = np.asarray(true_labels(output, predictions.target))
    predicted, classes = labels_of(output), tuple(class_name(names, i) for i in range(count))
    title = f"{part} part, seed {seed}"
    matrix = np.zeros((count, count), int)
    np.add.at(matrix, (true.ravel(), predicted.ravel()), 1)
    yield Figure(
        "confusion",
        "Confusion matrix",
        plots.confusion_matrix(matrix, classes, title=f"Confusion, {title}"),
        f"How often each true class was predicted as each class; {(true == predicted).mean():.2%} right.",
    )
    if x is not None and x.ndim == 4 and true.ndim == 3:
        figure = plots.segmentation(x[:MAX_SEGMENTED], true[:MAX_SEGMENTED], predicted[:MAX_SEGMENTED], title=title)
        alt = "Pictures, the true class of each pixel, the predicted one, and where they differ."
        yield Figure("segmentation", "Segmentation", figure, alt)
        iou = mean_iou(jnp.asarray(output), jnp.asarray(predictions.target)).per_class()
        figure = plots.class_bars(iou, names, "intersection over union", title=f"Overlap of each class, {part} part")
        alt = f"The intersection over union of the pixels of each of {count} classes, predicted and true."
        yield Figure("overlap", "Intersection over union", figure, alt)
    if x is None or true.ndim > 1:
        return
    if x.ndim == 4:
        wrong, confidence = np.flatnonzero(true != predicted), confidence_of(output, predicted)
        order = wrong[np.argsort(-confidence[wrong], kind="stable")]
        figure = plots.misclassified(
            x[order], true[order], predicted[order], confidence[order], classes, title=f"Misclassified, {title}"
        )
        alt = f"The most confident mistakes, {min(MAX_MISCLASSIFIED, len(wrong))} of {len(wrong)}."
        alt = alt if len(wrong) else f"No example of the {part} part was misclassified."
        yield Figure("misclassified", "Misclassified examples", figure, alt)
    if x.shape[1:] == (2,):
        yield boundary_figure(experiment, params, part, x, true, classes)


def labels_of(output: np.ndarray) -> np.ndarray:
    """The predicted labels of class probabilities, as `jaxnn.metrics.predicted_labels` gives them."""
    return np.asarray(predicted_labels(output))


def confidence_of(output: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """The number that speaks for each predicted class; a single output p speaks with 1 − p for the first of two."""
    if output.shape[-1] == 1:
        return np.where(predicted == 1, output[..., 0], 1 - output[..., 0])
    return output.max(axis=-1)


def boundary_figure(
    experiment: Experiment, params: Params, part: str, x: np.ndarray, true: np.ndarray, classes: tuple[str, ...]
) -> Figure:
    """The plane of two inputs, shaded by the predicted class, with the examples x and their labels."""
    inputs = [np.asarray(jax.tree.leaves(figured_examples(experiment, name))[0]) for name in experiment.parts()]
    points = np.concatenate(inputs)
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.1 * (high - low)
    across, up, plane = plane_grid(low - margin, high + margin, GRID)
    shade = probability_of_second(predict(experiment, params, plane)).reshape(GRID, GRID, -1)
    shade = shade[..., 0] if shade.shape[-1] == 1 else shade
    title = f"Decision boundary, {part} part, seed {experiment.seeds[0]}"
    figure = plots.decision_boundary(across, up, shade, x, true, classes, title=title)
    alt = "The plane of the two inputs, shaded by the predicted class, with the examples on it."
    return Figure("decision_boundary", "Decision boundary", figure, alt)


def probability_of_second(output: np.ndarray) -> np.ndarray:
    """For two classes, the probability of the second in a single column; for more, the probabilities as they are."""
    if output.shape[-1] == 2 and (output < 0).any():
        # Scores, such as those of a hinge loss: the logistic function of their difference.
        return 0.5 + 0.5 * np.tanh(output[..., 1:] / 2 - output[..., :1] / 2)
    if output.shape[-1] == 2:
        # Two outputs need not add up to 1: the boundary is where they are equal.
        return output[..., 1:] / np.maximum(output.sum(axis=-1, keepdims=True), np.finfo(np.float32).tiny)
    return output


def regression_figure(experiment: Experiment, predictions: Predictions) -> Figure:
    """Predicted against true values, or, of a net whose many outputs are its inputs without noise, the signals."""
    part, x, target, output = predictions
    title, outputs = f"{experiment.title}: {part} part, seed {experiment.seeds[0]}", output.shape[-1]
    if target.ndim == 4 and outputs in (1, 3):
        figure = plots.reconstructions(target[:MAX_SHOWN], output[:MAX_SHOWN], title=title)
        alt = f"Images of the {part} part in the upper row of each pair, and what the net makes of them in the lower."
        return Figure("reconstructions", "Reconstructions", figure, alt)
    if x is not None and x.shape == target.shape and x.ndim == 2 and outputs > MAX_PARITY_PANELS:
        figure = plots.denoised_signals(target, x, output, title=title)
        count = plural(min(len(x), MAX_SIGNALS), "example")
        alt = f"The input, the target and the output of {count} of the {part} part."
        return Figure("denoised", "Denoised signals", figure, alt)
    shown = min(outputs, MAX_PARITY_PANELS)
    t, y = (a.reshape(-1, outputs)[:, :shown] for a in (target, output))
    rows = np.linspace(0, len(t) - 1, min(len(t), MAX_PARITY_POINTS)).astype(int)
    names = (
        [class_name(output_names(experiment.data), i) for i in range(shown)]
        if outputs > 1
        else [*output_names(experiment.data)[:1]]
    )
    which = f" for the first {shown} of {outputs} outputs" if outputs > shown else ""
    points = f"{len(rows):,} of {plural(len(t), 'value')}" if len(rows) < len(t) else plural(len(t), "value")
    figure = plots.parity(t[rows], y[rows], names, title=title)
    return Figure(
        "parity", "Predicted against true", figure, f"Predicted against true values{which}; {points} of each."
    )
