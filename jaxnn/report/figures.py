"""The figures of a run, where they apply, and the files that they become."""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxnn import plots
from jaxnn.errors import FigureWarning, plural
from jaxnn.experiment.definition import Experiment, seed_params
from jaxnn.experiment.sampling import draw_samples, samples_examples
from jaxnn.experiment.trajectory import loss_surface, parameter_trajectory
from jaxnn.layer import Params
from jaxnn.report import Picture
from jaxnn.report.figure import Figure
from jaxnn.report.prediction_figures import GRID, prediction_figures
from jaxnn.report.structure_figures import structure_figures
from jaxnn.report.text_baselines import text_baselines

#: Samples in the figure of a run: points; images; of a net that is told classes, images of each of at most so many.
SAMPLED_POINTS, SAMPLED_IMAGES, SAMPLES_OF_A_CLASS, MAX_SAMPLED_CLASSES = 1000, 60, 10, 20


def run_figures(
    experiment: Experiment, params: Params, history: Mapping[str, np.ndarray], best_epoch: Sequence[int]
) -> Iterator[Figure]:
    """Every figure that applies to a run. `params` are the best, with a leading axis of seeds.

    Those that cannot be drawn are left out, with a `FigureWarning`: a run that took hours is not lost to one of them.
    """
    first, seed = seed_params(params, 0), experiment.seeds[0]
    kinds: dict[str, Iterator[Figure]] = {
        "learning curves": curve_figures(experiment, history, best_epoch),
        "predictions": prediction_figures(experiment, first),
        "the descent": descent_figures(experiment, first),
        "samples": sample_figures(experiment, first),
        "the structure": structure_figures(experiment, first),
        "the first layer": first_layer_figures(experiment, first, seed),
    }
    for kind, figures in kinds.items():
        yield from drawn(kind, figures)


def drawn(kind: str, figures: Iterable[Figure]) -> Iterator[Figure]:
    """The figures up to one that cannot be drawn, of which a `FigureWarning` says why."""
    try:
        yield from figures
    except Exception as error:  # of a model of the user's own, anything
        reason = " ".join(str(error).split()) or type(error).__name__
        warnings.warn(f"figures of {kind}: not drawn: {reason}", FigureWarning, stacklevel=2)


def curve_figures(
    experiment: Experiment, history: Mapping[str, np.ndarray], best_epoch: Sequence[int]
) -> Iterator[Figure]:
    """The learning curves."""
    n = len(experiment.seeds)
    levels = {metric: {"equilibrium": value} for metric, value in experiment.bound().levels}
    levels |= {"loss": baselines} if (baselines := text_baselines(experiment)) else {}
    yield Figure(
        "learning_curves",
        "Learning curves",
        plots.learning_curves(history, title=experiment.title, best_epoch=np.asarray(best_epoch), levels=levels),
        f"The metrics of {' and '.join(measured_parts(history))} against the epoch, {plural(n, 'seed')}.",
    )


def measured_parts(history: Mapping[str, np.ndarray]) -> list[str]:
    """The parts of the data with a finite value in the history, in words."""
    measured = {key.split("_", 1)[0] for key, values in history.items() if np.isfinite(values).any()}
    words = {"train": "the training part", "validation": "the validation part"}
    return [words[part] for part in words if part in measured] or ["no part"]


def sample_figures(experiment: Experiment, params: Params) -> Iterator[Figure]:
    """What a generative net makes with the parameters of the first seed: images, or points of the plane."""
    if not samples_examples(experiment):
        return
    seed, classes = experiment.seeds[0], experiment.bound().sample_classes
    shape = jax.tree.leaves(experiment.source.example)[0].shape[1:]
    key, title = jax.random.key(0), f"Samples, seed {seed}"
    if shape == (2,):
        real = experiment.source.training_examples()
        points = None if real is None else np.asarray(jax.tree.leaves(real)[0])
        samples = draw_samples(experiment, params, SAMPLED_POINTS, key)
        figure = plots.sample_points(samples, points, title=title)
        yield Figure("samples", "Samples", figure, f"{SAMPLED_POINTS:,} samples over the training points.")
    elif len(shape) == 3 and shape[-1] in (1, 3):
        rows = [
            draw_samples(experiment, params, SAMPLES_OF_A_CLASS, jax.random.fold_in(key, label), label)
            for label in range(min(classes, MAX_SAMPLED_CLASSES))
        ]
        images = np.concatenate(rows) if rows else draw_samples(experiment, params, SAMPLED_IMAGES, key)
        alt = f"{len(images)} samples" + (", a row for each class." if rows else ".")
        yield Figure("samples", "Samples", plots.sample_images(images, title=title), alt)


def descent_figures(experiment: Experiment, params: Params) -> Iterator[Figure]:
    """The path of a net's parameter down its loss, if it has one alone."""
    is_one_number = sum(np.size(leaf) for leaf in jax.tree.leaves(params)) == 1
    if not is_one_number or experiment.examples("train") is None or experiment.source.block:
        return
    trajectory, height = parameter_trajectory(experiment), loss_surface(experiment)
    reach = 1.1 * max(float(np.abs(trajectory[np.isfinite(trajectory)]).max(initial=0)), 1e-3)
    grid = np.linspace(-reach, reach, GRID, dtype=trajectory.dtype)
    figure = plots.gradient_descent(
        grid, height(grid[:, None]), trajectory[:, 0], height(trajectory), title=experiment.title
    )
    yield Figure(
        "descent", "Descent", figure, f"The loss over the one parameter, and {len(trajectory) - 1} steps down it."
    )


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
