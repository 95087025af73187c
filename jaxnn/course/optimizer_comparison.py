"""Several optimizers on one net: the loss against steps and against seconds, and their ways over a plane of it."""

import functools
import os
from collections.abc import Callable, Iterable
from typing import NamedTuple

import jax
import numpy as np
from jax import numpy as jnp
from jax.flatten_util import ravel_pytree

from jaxnn.backprop import objective
from jaxnn.config import Config
from jaxnn.config.experiment import Experiment, device_data, make_experiment, training_of
from jaxnn.config.schema import CompareTable
from jaxnn.course.run_system import shortened
from jaxnn.engine.driver import Progress
from jaxnn.experiment.results import run
from jaxnn.kernels.xla_options import compiler_options
from jaxnn.layer import Params

QUICK = ("adam", "bfgs")
#: Points on each side of the plane, and how far it reaches beyond the paths.
GRID, MARGIN = 61, 0.25
#: A path that goes so many times farther than half of them do is drawn as far as the plane of the others goes.
FAR = 1.5


class Rival(NamedTuple):
    """What one optimizer made of the net: the training loss (seeds, epochs), and when each epoch ended, in seconds."""

    name: str
    loss: np.ndarray
    seconds: np.ndarray
    final: tuple[float, ...]


class Plane(NamedTuple):
    """The loss of one seed over a plane of its parameters, and each optimizer's path (epochs, 2) projected on it."""

    x: np.ndarray
    y: np.ndarray
    loss: np.ndarray
    paths: dict[str, np.ndarray]


def rival_name(rival: CompareTable) -> str:
    return rival.optimizer.name + (f", batch {rival.batch_size}" if rival.batch_size else "")


def with_rival(config: Config, rival: CompareTable) -> Config:
    """The config with another optimizer."""
    train = config.train.model_copy(update={"batch_size": rival.batch_size})
    return config.model_copy(update={"optimizer": rival.optimizer, "train": train})


def chosen(config: Config, quick: bool) -> tuple[Config, tuple[CompareTable, ...]]:
    """The config and its rivals, both short in quick mode."""
    if not quick:
        return config, config.compare
    return shortened(config), tuple(r for r in config.compare if r.optimizer.name in QUICK)


def compare(
    config: Config, *, seeds: int, quick: bool = False, data_dir: str | os.PathLike[str] | None = None
) -> tuple[Rival, ...]:
    """Runs each optimizer of `config.compare` on the same seeds. Raises `UserError` for one that cannot work."""
    config, rivals = chosen(config, quick)
    with jax.enable_x64(config.train.precision == "float64"):
        return tuple(_rival(config, rival, seeds, data_dir) for rival in rivals)


def _rival(config: Config, rival: CompareTable, seeds: int, data_dir) -> Rival:
    experiment = make_experiment(with_rival(config, rival), data_dir=data_dir, seeds=range(seeds))
    marks: list[tuple[int, float]] = [(0, 0.0)]

    def mark(progress: Progress) -> None:
        marks.append((progress.done, progress.seconds))

    result = run(experiment, report=mark)
    done, at = zip(*marks, strict=True)
    loss = np.asarray(result.outcome.history.train.loss)
    # The engine reports now and then; between two reports steps are taken to be equally long. Seconds are a seed's.
    seconds = np.interp(np.arange(1, loss.shape[1] + 1), done, at) / seeds
    final = tuple(float(v) for v in result.scores["train"].loss)
    return Rival(rival_name(rival), loss, seconds, final)


def plane(config: Config, *, quick: bool = False, data_dir: str | os.PathLike[str] | None = None) -> Plane:
    """The ways of all optimizers from one start, on the plane in which they spread most (principal components)."""
    config, rivals = chosen(config, quick)
    with jax.enable_x64(config.train.precision == "float64"):
        ways: dict[str, np.ndarray] = {}
        for rival in rivals:
            experiment = make_experiment(with_rival(config, rival), data_dir=data_dir)
            ways[rival_name(rival)] = path(experiment)
        return _plane(experiment, ways)


def path(experiment: Experiment, epochs: int | None = None) -> np.ndarray:
    """The parameters of the first seed before each epoch, as rows (epochs + 1, parameters)."""
    training, data = training_of(experiment, "hand"), _first(experiment)
    n = epochs or experiment.plan.epochs

    @functools.partial(jax.jit, compiler_options=compiler_options())
    def way(data):
        state = training.init(jax.random.key(experiment.seeds[0]), data)

        def one(state, _):
            flat = ravel_pytree(state.params)[0]
            return training.advance(state, data, 1, 1)[0], flat

        state, rows = jax.lax.scan(one, state, length=n)
        return jnp.concatenate([rows, ravel_pytree(state.params)[0][None]])

    return np.asarray(way(data))


def unraveler(experiment: Experiment) -> Callable[[jax.Array], Params]:
    """(a row of `path`) -> the parameters."""
    data = _first(experiment)
    x = jax.eval_shape(lambda: experiment.prepare(data.stats, data.train.x))
    shapes = jax.eval_shape(experiment.model.init, jax.random.key(0), x)
    return ravel_pytree(jax.tree.map(lambda s: np.zeros(s.shape, s.dtype), shapes))[1]


def surface(experiment: Experiment) -> Callable[[np.ndarray], np.ndarray]:
    """(parameters as rows, as `path` has them) -> the mean cost of a training example of the first seed, at each."""
    data, unravel = _first(experiment), unraveler(experiment)
    cost = objective(experiment.model, experiment.loss)

    @functools.partial(jax.jit, compiler_options=compiler_options())
    def heights(points):
        seen = experiment.prepare(data.stats, data.train.x)
        n = len(data.train.y) if experiment.loss.reduction == "sum" else 1
        return jax.lax.map(lambda p: cost(unravel(p), seen, data.train.y)[0] / n, points)

    return lambda points: np.asarray(heights(points))


def _first(experiment: Experiment):
    data = device_data(experiment)
    return jax.tree.map(lambda a: a[0], data) if len(experiment.splits) > 1 else data


def _near(points: np.ndarray, ways: Iterable[np.ndarray], start: np.ndarray) -> np.ndarray:
    """Which of the points, counted from the start, are finite and no farther than `FAR` times what most paths reach."""
    reach = [np.linalg.norm(way[np.isfinite(way).all(axis=1)] - start, axis=1).max() for way in ways]
    return np.linalg.norm(points, axis=1) <= FAR * np.median(reach)


def _plane(experiment: Experiment, ways: dict[str, np.ndarray]) -> Plane:
    start = next(iter(ways.values()))[0]
    # A few points of each path, so that a long one does not choose the plane alone.
    points = np.concatenate([way[np.linspace(0, len(way) - 1, 20).astype(int)] for way in ways.values()]) - start
    points = points[_near(points, ways.values(), start)]
    axes = np.linalg.svd(points, full_matrices=False)[2][:2]
    paths = {name: (way - start) @ axes.T for name, way in ways.items()}
    near = {name: _near(way - start, ways.values(), start) for name, way in ways.items()}
    corners = np.concatenate([paths[name][rows] for name, rows in near.items()])
    low, high = corners.min(axis=0), corners.max(axis=0)
    room = MARGIN * np.maximum(high - low, 1e-3)
    x, y = (np.linspace(a, b, GRID) for a, b in zip(low - room, high + room, strict=True))
    mesh = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    loss = surface(experiment)((start + mesh @ axes).astype(start.dtype)).reshape(GRID, GRID)
    return Plane(x, y, loss, paths)
