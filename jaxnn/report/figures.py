"""The figures of a run, where they apply, and the files that they become."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import matplotlib.figure
import numpy as np
from jax import numpy as jnp

from jaxnn import plots
from jaxnn.errors import plural
from jaxnn.experiment.definition import Experiment, seed_params
from jaxnn.experiment.scores import predict
from jaxnn.experiment.trajectory import loss_surface, parameter_trajectory
from jaxnn.layer import Params
from jaxnn.metrics import predicted_labels
from jaxnn.plots.predictions import MAX_MISCLASSIFIED, MAX_SIGNALS
from jaxnn.report import Picture

#: Points along each side of the plane in which a decision boundary is drawn.
GRID = 200


class Figure(NamedTuple):
    """A figure with the name of its file, its title, and what it shows in words."""

    name: str
    title: str
    figure: matplotlib.figure.Figure
    alt: str


class Predictions(NamedTuple):
    """What the first seed's best parameters predict for a part of the data."""

    part: str
    x: np.ndarray
    target: np.ndarray
    output: np.ndarray


def run_figures(
    experiment: Experiment, params: Params, history: Mapping[str, np.ndarray], best_epoch: Sequence[int]
) -> Iterator[Figure]:
    """Every figure that applies to a run. `params` are the best, with a leading axis of seeds."""
    n = len(experiment.seeds)
    yield Figure(
        "learning_curves",
        "Learning curves",
        plots.learning_curves(history, title=experiment.title, best_epoch=np.asarray(best_epoch)),
        f"The metrics of {' and '.join(measured_parts(history))} against the epoch, {plural(n, 'seed')}.",
    )
    first, seed = seed_params(params, 0), experiment.seeds[0]
    predictions = predict_part(experiment, first)
    if predictions is not None:
        x, target, output = predictions[1:]
        if np.issubdtype(target.dtype, np.integer) and output.ndim == 2 and target.ndim == 1:
            yield from classification_figures(experiment, first, predictions, seed)
        elif x.shape == target.shape and x.ndim == 2 and x.shape[-1] > 1:
            title = f"{experiment.title}: {predictions.part} part, seed {seed}"
            figure = plots.denoised_signals(target, x, output, title=title)
            count = min(len(x), MAX_SIGNALS)
            alt = f"The input, the target and the output of {plural(count, 'example')} of the {predictions.part} part."
            yield Figure("denoised", "Denoised signals", figure, alt)
    if sum(np.size(leaf) for leaf in jax.tree.leaves(first)) == 1 and experiment.examples("train") is not None:
        yield descent_figure(experiment)
    yield from first_layer_figures(experiment, first, seed)


def measured_parts(history: Mapping[str, np.ndarray]) -> list[str]:
    """The parts of the data with a finite value in the history, in words."""
    measured = {key.split("_", 1)[0] for key, values in history.items() if np.isfinite(values).any()}
    words = {"train": "the training part", "validation": "the validation part"}
    return [words[part] for part in words if part in measured] or ["no part"]


def descent_figure(experiment: Experiment) -> Figure:
    """The path of a net's only parameter down its loss."""
    trajectory, height = parameter_trajectory(experiment), loss_surface(experiment)
    reach = 1.1 * max(float(np.abs(trajectory[np.isfinite(trajectory)]).max(initial=0)), 1e-3)
    grid = np.linspace(-reach, reach, GRID, dtype=trajectory.dtype)
    figure = plots.gradient_descent(
        grid, height(grid[:, None]), trajectory[:, 0], height(trajectory), title=experiment.title
    )
    return Figure(
        "descent", "Descent", figure, f"The loss over the one parameter, and {len(trajectory) - 1} steps down it."
    )


def predict_part(experiment: Experiment, params: Params) -> Predictions | None:
    """The first seed's predictions for the test part, or the nearest thing to it.

    None where examples are no pairs of arrays, or the update makes no predictions.
    """
    part = next((name for name in ("test", "validation", "train") if experiment.examples(name) is not None), None)
    if part is None or experiment.bound().predict is None:
        return None
    examples = experiment.examples(part)
    if not (isinstance(examples, tuple) and len(examples) == 2 and all(hasattr(a, "dtype") for a in examples)):
        return None
    x, target = map(np.asarray, examples)
    output = predict(experiment, params, x)
    return Predictions(part, x, target, output) if isinstance(output, np.ndarray) else None


def classification_figures(
    experiment: Experiment, params: Params, predictions: Predictions, seed: int
) -> Iterator[Figure]:
    """The confusion matrix; of images the misclassified ones, of points of the plane the decision boundary."""
    part, x, target, output = predictions
    predicted = labels_of(output)
    classes = class_names(experiment, target, output)
    title = f"{part} part, seed {seed}"
    matrix = np.zeros((len(classes), len(classes)), int)
    np.add.at(matrix, (target, predicted), 1)
    yield Figure(
        "confusion",
        "Confusion matrix",
        plots.confusion_matrix(matrix, classes, title=f"Confusion, {title}"),
        f"How often each true class was predicted as each class; {(target == predicted).mean():.2%} right.",
    )
    if x.ndim == 4:
        wrong = np.flatnonzero(target != predicted)
        confidence = output.max(axis=-1)
        order = wrong[np.argsort(-confidence[wrong], kind="stable")]
        figure = plots.misclassified(
            x[order], target[order], predicted[order], confidence[order], classes, title=f"Misclassified, {title}"
        )
        alt = f"The most confident mistakes, {min(MAX_MISCLASSIFIED, len(wrong))} of {len(wrong)}."
        alt = alt if len(wrong) else f"No example of the {part} part was misclassified."
        yield Figure("misclassified", "Misclassified examples", figure, alt)
    if x.shape[1:] == (2,):
        yield boundary_figure(experiment, params, predictions, seed)


def class_names(experiment: Experiment, target: np.ndarray, output: np.ndarray) -> tuple[str, ...]:
    """The names of the classes; their numbers where the experiment names none."""
    if experiment.data.classes:
        return experiment.data.classes
    return tuple(str(i) for i in range(max(output.shape[-1], 2, int(target.max(initial=0)) + 1)))


def labels_of(output: np.ndarray) -> np.ndarray:
    """The predicted labels of class probabilities, as `jaxnn.metrics.predicted_labels` gives them."""
    return np.asarray(predicted_labels(jnp.asarray(output)))


def boundary_figure(experiment: Experiment, params: Params, predictions: Predictions, seed: int) -> Figure:
    """The plane of two inputs, shaded by the predicted class."""
    part, x, target, output = predictions
    inputs = [np.asarray(jax.tree.leaves(experiment.examples(name))[0]) for name in experiment.parts()]
    points = np.concatenate(inputs)
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.1 * (high - low)
    across, up, plane = plane_grid(low - margin, high + margin, GRID)
    shade = probability_of_second(predict(experiment, params, plane)).reshape(GRID, GRID, -1)
    shade = shade[..., 0] if shade.shape[-1] == 1 else shade
    classes = class_names(experiment, target, output)
    title = f"Decision boundary, {part} part, seed {seed}"
    figure = plots.decision_boundary(across, up, shade, x, target, classes, title=title)
    alt = "The plane of the two inputs, shaded by the predicted class, with the examples on it."
    return Figure("decision_boundary", "Decision boundary", figure, alt)


def plane_grid(low: np.ndarray, high: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """n coordinates along each axis of a rectangle, and its n² points as rows."""
    across, up = (np.linspace(a, b, n, dtype=np.float32) for a, b in zip(low, high, strict=True))
    return across, up, np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)


def probability_of_second(output: np.ndarray) -> np.ndarray:
    """For two classes, the probability of the second in a single column; for more, the probabilities as they are."""
    if output.shape[-1] == 2 and (output < 0).any():
        # Scores, such as those of a hinge loss: the logistic function of their difference.
        return 0.5 + 0.5 * np.tanh(output[..., 1:] / 2 - output[..., :1] / 2)
    if output.shape[-1] == 2:
        # Two outputs need not add up to 1: the boundary is where they are equal.
        return output[..., 1:] / np.maximum(output.sum(axis=-1, keepdims=True), np.finfo(np.float32).tiny)
    return output


def first_layer_figures(experiment: Experiment, params: Params, seed: int) -> Iterator[Figure]:
    """The weights of the first layer of a net that sees images."""
    x = jax.tree.leaves(experiment.source.example)[0]
    weight = first_weight(params)
    if weight is None or len(x.shape) != 4:
        return
    if weight.ndim == 4:
        figure = plots.filters(weight, title=f"Filters of the first layer, seed {seed}")
        yield Figure("filters", "Convolution filters", figure, "The kernels of the first convolution as images.")
    elif weight.shape[0] == np.prod(x.shape[1:]):
        figure = plots.weights(weight, x.shape[1:], title=f"Weights of the first layer, seed {seed}")
        yield Figure(
            "weights", "First-layer weights", figure, "The weights into the units of the first layer as images."
        )


def first_weight(params: Params) -> np.ndarray | None:
    """The first leaf that is named `weight`; None without one."""
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return next((np.asarray(leaf) for path, leaf in leaves if path and _name(path[-1]) == "weight"), None)


def _name(entry: Any) -> Any:
    return getattr(entry, "name", getattr(entry, "key", ""))


def save_figures(folder: Path, figures: Iterator[Figure]) -> list[Picture]:
    """Writes the figures into `folder`, and returns them as a report takes them."""
    folder.mkdir(exist_ok=True)
    return [Picture(f.title, plots.save(f.figure, folder / f"{f.name}.png"), f.alt) for f in figures]
