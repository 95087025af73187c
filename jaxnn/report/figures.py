"""The figures of a run, where they apply, and the files that they become."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from jax import numpy as jnp
from matplotlib.figure import Figure

from jaxnn import plots
from jaxnn.config.experiment import Experiment
from jaxnn.experiment.results import predict, seed_params
from jaxnn.experiment.trajectory import loss_surface, parameter_trajectory
from jaxnn.layer import Params
from jaxnn.layers.affine import Affine, Linear
from jaxnn.metrics import predicted_labels
from jaxnn.report import Picture

#: Points along each side of the plane in which a decision boundary is drawn.
GRID = 200


class Drawn(NamedTuple):
    """A figure with its file's name, its title, and what it shows to one who cannot see it."""

    name: str
    title: str
    figure: Figure
    alt: str


class Seen(NamedTuple):
    """What the first seed's best parameters make of a part of the data."""

    part: str
    x: np.ndarray
    y: np.ndarray
    output: np.ndarray


def pictures(
    experiment: Experiment, params: Params, history: Mapping[str, np.ndarray], best_epoch: Sequence[int]
) -> Iterator[Drawn]:
    """Every figure that applies to a run. `params` are the best, with a leading axis of seeds."""
    title = experiment.config.title
    n = len(experiment.seeds)
    yield Drawn(
        "learning_curves",
        "Learning curves",
        plots.learning_curves(history, title=title, best_epoch=best_epoch),
        f"Loss and accuracy of the training and validation parts against the epoch, {n} seed{'s'[: n > 1]}.",
    )
    first, seed = seed_params(params, 0), experiment.seeds[0]
    seen = look(experiment, first)
    if np.issubdtype(seen.y.dtype, np.integer):
        yield from of_classes(experiment, first, seen, seed)
    elif seen.x.shape == seen.y.shape and seen.x.shape[-1] > 1:
        yield Drawn(
            "denoised",
            "Denoised signals",
            plots.signals(seen.y, seen.x, seen.output, title=f"{title}: {seen.part} part, seed {seed}"),
            "Clean, noisy and denoised signals, one above the other.",
        )
    if sum(np.size(leaf) for leaf in jax.tree.leaves(first)) == 1:
        yield down(experiment)
    yield from of_first_layer(experiment, first, seed)


def down(experiment: Experiment) -> Drawn:
    """The way of the one parameter that there is down its cost."""
    way, height = parameter_trajectory(experiment), loss_surface(experiment)
    reach = 1.1 * max(float(np.abs(way[np.isfinite(way)]).max(initial=0)), 1e-3)
    over = np.linspace(-reach, reach, GRID, dtype=way.dtype)
    figure = plots.descent(over, height(over[:, None]), way[:, 0], height(way), title=experiment.config.title)
    return Drawn("descent", "Descent", figure, f"The cost over the one parameter, and {len(way) - 1} steps down it.")


def look(experiment: Experiment, params: Params) -> Seen:
    """The first seed's outputs on the test part, or the nearest thing to it."""
    splits, stats = experiment.of_seed(0)
    part = next(name for name in ("test", "validation", "train") if getattr(splits, name) is not None)
    x, y = getattr(splits, part)
    return Seen(part, x, y, predict(experiment.config, params, stats, x))


def of_classes(experiment: Experiment, params: Params, seen: Seen, seed: int) -> Iterator[Drawn]:
    classes = experiment.dataset.classes
    likeliest = labels_of(seen.output)
    where = f"{seen.part} part, seed {seed}"
    matrix = np.zeros((len(classes), len(classes)), int)
    np.add.at(matrix, (seen.y, likeliest), 1)
    yield Drawn(
        "confusion",
        "Confusion matrix",
        plots.confusion(matrix, classes, title=f"Confusion, {where}"),
        f"How often each true class was taken for each class; {(seen.y == likeliest).mean():.2%} right.",
    )
    if seen.x.ndim == 4:
        wrong = np.flatnonzero(seen.y != likeliest)
        sure = seen.output.max(axis=-1)
        order = wrong[np.argsort(-sure[wrong], kind="stable")]
        yield Drawn(
            "misclassified",
            "Misclassified examples",
            plots.misclassified(
                seen.x[order], seen.y[order], likeliest[order], sure[order], classes, title=f"Misclassified, {where}"
            ),
            f"The {min(24, len(wrong))} most confident of {len(wrong)} mistakes.",
        )
    if seen.x.shape[1:] == (2,):
        yield boundary(experiment, params, seen, seed)


def labels_of(output: np.ndarray) -> np.ndarray:
    """The predicted labels of class probabilities, as `jaxnn.train.predicted_labels` gives them."""
    return np.asarray(predicted_labels(jnp.asarray(output)))


def boundary(experiment: Experiment, params: Params, seen: Seen, seed: int) -> Drawn:
    splits, stats = experiment.of_seed(0)
    everything = np.concatenate([part.x for part in splits if part is not None])
    low, high = everything.min(axis=0), everything.max(axis=0)
    margin = 0.1 * (high - low)
    across, up = (np.linspace(a, b, GRID, dtype=np.float32) for a, b in zip(low - margin, high + margin, strict=True))
    plane = np.stack(np.meshgrid(across, up), axis=-1)
    output = predict(experiment.config, params, stats, plane.reshape(-1, 2)).reshape(GRID, GRID, -1)
    if output.shape[-1] == 1:
        output = np.concatenate([1 - output, output], axis=-1)
    if output.shape[-1] == 2:
        # Two outputs need not add to 1: where they are equal is the boundary.
        output = output[..., 1] / np.maximum(output.sum(axis=-1), np.finfo(np.float32).tiny)
    return Drawn(
        "decision_boundary",
        "Decision boundary",
        plots.decision_boundary(
            across, up, output, seen.x, seen.y, experiment.dataset.classes,
            title=f"Decision boundary, {seen.part} part, seed {seed}",
        ),
        "The plane of the two inputs, shaded by the predicted class, with the examples on it.",
    )  # fmt: skip


def of_first_layer(experiment: Experiment, params: Params, seed: int) -> Iterator[Drawn]:
    shape = experiment.dataset.train.x.shape[1:]
    affine = jax.tree.leaves(params, is_leaf=lambda node: isinstance(node, Affine | Linear))
    if not affine or len(shape) != 3:
        return
    weight = np.asarray(affine[0].weight)
    if weight.ndim == 4:
        figure = plots.filters(weight, title=f"Filters of the first layer, seed {seed}")
        yield Drawn("filters", "Convolution filters", figure, f"{weight.shape[-1]} kernels as images.")
    elif weight.shape[0] == np.prod(shape):
        figure = plots.weights(weight, shape, title=f"Weights of the first layer, seed {seed}")
        yield Drawn("weights", "First-layer weights", figure, "The weights into each hidden unit, as images.")


def save_pictures(folder: Path, drawn: Iterator[Drawn]) -> list[Picture]:
    """Writes the figures into `folder`, and gives them as a report takes them."""
    folder.mkdir(exist_ok=True)
    return [Picture(d.title, plots.save(d.figure, folder / f"{d.name}.png"), d.alt) for d in drawn]
