"""The figures that the decks show of no run in particular, from the studies that compute them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn import plots
from jaxnn.combine import serial
from jaxnn.config import Config, load
from jaxnn.config.experiment import Experiment, make_experiment
from jaxnn.course import studies
from jaxnn.course.optimizer_comparison import Plane, Rival, compare, plane
from jaxnn.course.run_system import shortened
from jaxnn.experiment.results import run, seed_params
from jaxnn.layer import Params
from jaxnn.layers import average_pool, l2_pool, max_pool
from jaxnn.layers.affine import Affine, Linear
from jaxnn.report.figures import Drawn


def activations() -> list[Drawn]:
    z, curves, _ = studies.activations()
    figure = plots.activation_functions(z, curves)
    return [Drawn("activations", "Activation functions", figure, "Each activation function and its derivative.")]


def costs() -> list[Drawn]:
    s = studies.saturated()
    figure = plots.cost_comparison(s.epoch, s.output, s.gradient, target=0.0)
    said = ", ".join(f"{s.halved(name)} steps with {name}" for name in s.output)
    return [Drawn("costs", "Slow learning from a saturated start", figure, f"Output one half is reached after {said}.")]


def preprocessing() -> list[Drawn]:
    cloud, away = studies.clouds()
    figure = plots.preprocessing(cloud)
    said = f"A cloud raw, centred, normalized, whitened; the last's covariance is within {away:.1g} of the identity."
    return [Drawn("preprocessing", "Preprocessing", figure, said)]


def gradient_norms(quick: bool = False) -> list[Drawn]:
    """On the embedded digits, for each of `studies.DEEP`; quick: for two of them."""
    experiment = make_experiment(load("digits_mlp"))
    splits, stats = experiment.of_seed(0)
    n = 200 if quick else len(splits.train.y)
    x, y = experiment.prepare(stats, jnp.asarray(splits.train.x[:n])), jnp.asarray(splits.train.y[:n])
    drawn = []
    for name, (activation, weight_init, rate) in list(studies.DEEP.items())[:: 3 if quick else 1]:
        epoch, norms = studies.gradient_norms(x, y, activation, weight_init, rate, epochs=2 if quick else 20)
        figure = plots.gradient_norms(epoch, norms, title=f"Gradient of each layer: {name}")
        first, last = (norms[key][0] for key in ("layer 1", f"layer {len(norms)}"))
        said = f"At the start the first layer's gradient is {first / last:.2g} times the last one's."
        drawn.append(Drawn(f"gradient_norms_{activation}_{len(drawn)}", f"Gradient norms: {name}", figure, said))
    return drawn


def optimizers(configs: Sequence[str], quick: bool = False) -> list[Drawn]:
    drawn = []
    for name in configs:
        config = load(name)
        drawn += of_rivals(
            name, config, compare(config, seeds=2 if quick else 5, quick=quick), plane(config, quick=quick)
        )
    return drawn


def of_rivals(name: str, config: Config, rivals: Sequence[Rival], ways: Plane) -> list[Drawn]:
    """Loss against steps and against seconds, and the ways over a plane of the first seed's loss."""
    steps = np.arange(1, rivals[0].loss.shape[1] + 1)
    by_step = plots.loss_curves(steps, {r.name: r.loss for r in rivals}, "step", title=config.title)
    # One time axis for all: each curve as a function of the seconds that a seed took.
    seconds = np.geomspace(max(1e-5, min(r.seconds[0] for r in rivals)), max(r.seconds[-1] for r in rivals), 200)
    curves = {r.name: np.array([_at(seconds, r.seconds, row) for row in r.loss]) for r in rivals}
    by_time = plots.loss_curves(seconds, curves, "seconds of one seed", title=config.title)
    axis = by_time.axes[0]
    axis.set_xscale("log")
    # The default writes powers in mathtext, which our figures do not read: a title may hold a dollar.
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    paths = plots.optimizer_paths(
        ways.x, ways.y, ways.loss, ways.paths,
        xlabel="first principal direction", ylabel="second principal direction", title=f"Paths: {config.title}",
    )  # fmt: skip
    return [
        Drawn(f"{name}_steps", f"{config.title}: loss by step", by_step, "Training loss against the step."),
        Drawn(f"{name}_seconds", f"{config.title}: loss by time", by_time, "Training loss against seconds."),
        Drawn(f"{name}_paths", f"{config.title}: paths", paths, "Paths over a plane of the loss surface, seed 0."),
    ]


def _at(seconds: np.ndarray, ends: np.ndarray, loss: np.ndarray) -> np.ndarray:
    """The newest loss at each time, NaN before the first."""
    i = np.searchsorted(ends, seconds, side="right") - 1
    return np.where(i < 0, np.nan, loss[np.maximum(i, 0)])


def filters(config_name: str = "digits_cnn", data_dir: Path | None = None, quick: bool = False) -> list[Drawn]:
    """Trains a convolutional net and shows what its first layer has learned."""
    config = load(config_name)
    experiment = make_experiment(shortened(config) if quick else config, data_dir=data_dir)
    return list(of_filters(experiment, run(experiment).outcome.state.best.params))


def of_filters(experiment: Experiment, params: Params) -> Iterator[Drawn]:
    """The first convolution's filters and their maps of one test digit; the maps' pools by max, mean and L2 norm."""
    splits, stats = experiment.of_seed(0)
    part = splits.test or splits.train
    first, image = seed_params(params, 0), part.x[:1]
    kernel = first_kernel(first)
    x = experiment.prepare(stats, jnp.asarray(image))
    begin = serial(*experiment.model.parts[:2])  # type: ignore[attr-defined]  # of a `serial`
    maps = jax.jit(lambda params, x: begin.apply(params, x))(first[:2], x)
    yield Drawn(
        "feature_maps",
        "Filters and feature maps",
        plots.feature_maps(image[0], np.asarray(kernel), np.asarray(maps[0])),
        f"A digit, the {kernel.shape[-1]} filters of the first layer and what each sees.",
    )
    for pool in (max_pool, average_pool, l2_pool):
        pooled = np.asarray(jax.jit(lambda x, pool=pool: pool(2).apply((), x))(maps)[0])
        name = pool.__name__
        figure = plots.feature_maps(image[0], np.asarray(kernel), pooled, title=f"After {name}, 2×2")
        yield Drawn(f"maps_{name}", f"Maps after {name}", figure, "The same maps at half the size.")


def first_kernel(params: Params) -> jax.Array:
    """The weight of the first layer that has one."""
    return next(p for p in jax.tree.leaves(params, is_leaf=_affine) if _affine(p)).weight


def _affine(node: object) -> bool:
    return isinstance(node, Affine | Linear)
