"""Compares optimizers on one net: the loss by step and by time, and their paths over a plane of the loss surface."""

import os
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn.config import Config
from jaxnn.config.experiment import make_experiment
from jaxnn.config.schema import CompareTable
from jaxnn.course.budget import FULL, Budget, allows, limit_config
from jaxnn.engine.hooks import Hooks, Progress
from jaxnn.experiment.definition import Experiment
from jaxnn.experiment.run import run
from jaxnn.experiment.trajectory import loss_surface, parameter_trajectory

#: Points along each side of the plane.
PLANE_POINTS = 61
#: How far the plane extends beyond the paths, relative to their extent.
PLANE_MARGIN = 0.25
#: The points of each path that choose the plane.
POINTS_PER_PATH = 20
#: Points this many times farther from the start than the median path ever is do not choose the plane. If there are any,
#: the axes of the plane are logarithmic beyond the reach of the median path, so that all paths fit and near ones stay
#: legible.
MAX_RELATIVE_DISTANCE = 1.5
#: Points this many times farther than the median path's reach are not in the picture.
MAX_SHOWN_DISTANCE = 1000


class OptimizerRun(NamedTuple):
    """One optimizer's training of the net.

    loss: of the training part (seeds, epochs)
    seconds: the time at which each epoch ended, per seed (epochs,)
    final: the training loss of the best parameters of each seed
    """

    name: str
    loss: np.ndarray
    seconds: np.ndarray
    final: tuple[float, ...]


class LossPlane(NamedTuple):
    """The loss of one seed over a plane of its parameters, and each optimizer's path (epochs, 2) projected on it.

    linear_width: half the width in which the axes are linear; None: they are linear everywhere
    """

    x: np.ndarray
    y: np.ndarray
    loss: np.ndarray
    paths: dict[str, np.ndarray]
    linear_width: float | None


class Projection(NamedTuple):
    """A plane through the start (parameters,) with two orthonormal directions (2, parameters), and what lies on it.

    The other fields are those of `LossPlane`.
    """

    start: np.ndarray
    directions: np.ndarray
    x: np.ndarray
    y: np.ndarray
    paths: dict[str, np.ndarray]
    linear_width: float | None


def optimizer_label(table: CompareTable) -> str:
    """The optimizer's name, with its batch size where it trains in mini-batches."""
    return table.optimizer.name + (f", batch {table.batch_size}" if table.batch_size else "")


def with_optimizer(config: Config, table: CompareTable) -> Config:
    """The config with another optimizer and its batch size."""
    train = config.train.model_copy(update={"batch_size": table.batch_size})
    return config.model_copy(update={"optimizer": table.optimizer, "train": train})


def limit_comparison(config: Config, budget: Budget) -> tuple[Config, tuple[CompareTable, ...]]:
    """The config and its optimizers, within the budget."""
    tables = tuple(table for table in config.compare if allows(budget.optimizers, table.optimizer.name))
    return limit_config(config, budget), tables


def compare_optimizers(
    config: Config,
    *,
    seeds: int,
    budget: Budget = FULL,
    data_dir: str | os.PathLike[str] | None = None,
    report: Callable[[str, int, int], Any] = lambda text, i, n: None,
) -> tuple[OptimizerRun, ...]:
    """Trains with each optimizer of `config.compare` from the same seeds. Raises `UserError` for one that cannot.

    report(text, i, n): called before the i-th of n trainings
    """
    config, tables = limit_comparison(config, budget)
    runs = []
    with jax.enable_x64(config.train.precision == "float64"):
        for i, table in enumerate(tables):
            report(f"{config.title}, {optimizer_label(table)}", i, len(tables))
            runs.append(_run_optimizer(config, table, seeds, data_dir))
    return tuple(runs)


def _run_optimizer(config: Config, table: CompareTable, seeds: int, data_dir) -> OptimizerRun:
    experiment = make_experiment(with_optimizer(config, table), data_dir=data_dir, seeds=range(seeds))
    reports: list[tuple[int, float]] = [(0, 0.0)]

    def report(progress: Progress) -> None:
        reports.append((progress.done, progress.seconds))

    result = run(experiment, Hooks(report=report))
    epochs_done, at_seconds = zip(*reports, strict=True)
    loss = np.asarray(result.outcome.history.train["loss"])
    # The engine reports every few epochs; between two reports, epochs are assumed to take equally long.
    seconds = np.interp(np.arange(1, loss.shape[1] + 1), epochs_done, at_seconds) / seeds
    final = tuple(float(value) for value in result.scores["train"]["loss"])
    return OptimizerRun(optimizer_label(table), loss, seconds, final)


def make_loss_plane(
    config: Config, *, budget: Budget = FULL, data_dir: str | os.PathLike[str] | None = None
) -> LossPlane:
    """The paths of all optimizers from one start, on the plane that has most of their variance (principal components).

    Raises `UserError` for an optimizer that cannot train this net.
    """
    config, tables = limit_comparison(config, budget)
    with jax.enable_x64(config.train.precision == "float64"):
        experiments = {
            optimizer_label(table): make_experiment(with_optimizer(config, table), data_dir=data_dir)
            for table in tables
        }
        trajectories = {name: parameter_trajectory(experiment) for name, experiment in experiments.items()}
        # All have one loss: that of any is the surface.
        return _measure_loss(next(reversed(experiments.values())), project_paths(trajectories))


def _median_reach(trajectories: Iterable[np.ndarray], start: np.ndarray) -> float:
    """The median over the trajectories of the greatest distance from the start."""
    finite = [trajectory[np.isfinite(trajectory).all(axis=1)] for trajectory in trajectories]
    return float(np.median([np.linalg.norm(points - start, axis=1).max() for points in finite]))


def _measure_loss(experiment: Experiment, projection: Projection) -> LossPlane:
    start, directions, x, y, paths, linear_width = projection
    mesh = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    loss = loss_surface(experiment)((start + mesh @ directions).astype(start.dtype)).reshape(PLANE_POINTS, PLANE_POINTS)
    return LossPlane(x, y, loss, paths, linear_width)


def project_paths(trajectories: dict[str, np.ndarray]) -> Projection:
    """The plane with most of the variance of the trajectories (epochs, parameters), which begin at one point."""
    start = next(iter(trajectories.values()))[0]
    reach = _median_reach(trajectories.values(), start)
    # The same number of points from each trajectory, so that a long one does not determine the plane alone.
    points = np.concatenate([t[np.linspace(0, len(t) - 1, POINTS_PER_PATH).astype(int)] for t in trajectories.values()])
    points = points - start
    points = points[np.linalg.norm(points, axis=1) <= MAX_RELATIVE_DISTANCE * reach]
    directions = np.linalg.svd(points, full_matrices=False)[2][:2]
    paths = {name: (trajectory - start) @ directions.T for name, trajectory in trajectories.items()}
    visible = np.concatenate(list(paths.values()))
    visible = visible[np.linalg.norm(visible, axis=1) <= MAX_SHOWN_DISTANCE * reach]
    far = np.linalg.norm(visible, axis=1).max() > MAX_RELATIVE_DISTANCE * reach
    linear_width = reach if far else None
    x, y = _axis(visible[:, 0], linear_width), _axis(visible[:, 1], linear_width)
    return Projection(start, directions, x, y, paths, linear_width)


def _axis(coordinates: np.ndarray, linear_width: float | None) -> np.ndarray:
    """The positions of the plane's points along an axis, evenly spaced in the picture, with a margin at both ends."""
    positions = coordinates if linear_width is None else np.arcsinh(coordinates / linear_width)
    low, high = positions.min(), positions.max()
    margin = PLANE_MARGIN * max(high - low, 1e-3)
    grid = np.linspace(low - margin, high + margin, PLANE_POINTS)
    return grid if linear_width is None else linear_width * np.sinh(grid)
