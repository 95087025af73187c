"""The figures of the decks that belong to no single run: studies, optimizer comparisons, learned filters."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn import plots
from jaxnn.combine import serial
from jaxnn.config import Config, build_model, load
from jaxnn.config.experiment import make_experiment
from jaxnn.course import studies
from jaxnn.course.budget import FULL, Budget, allows, at_most, limit_config
from jaxnn.course.optimizer_comparison import LossPlane, OptimizerRun, compare_optimizers, make_loss_plane
from jaxnn.course.run_system import best_params
from jaxnn.experiment import Experiment, seed_params
from jaxnn.layer import Layer, Params
from jaxnn.layers import average_pool, l2_pool, max_pool
from jaxnn.layers.conv import ConvParams
from jaxnn.layers.dense import DenseParams
from jaxnn.report.figure import Figure


def activation_figures() -> list[Figure]:
    z, curves, _ = studies.activation_curves()
    figure = plots.activation_functions(z, curves)
    return [Figure("activations", "Activation functions", figure, "Each activation function and its derivative.")]


def cost_figures() -> list[Figure]:
    s = studies.saturated_neuron()
    figure = plots.cost_comparison(s.epoch, s.output, s.gradient, target=0.0)
    epochs = ", ".join(f"{s.epochs_to_half(cost)} steps with {cost}" for cost in s.output)
    alt = f"Output one half is reached after {epochs}."
    return [Figure("costs", "Slow learning from a saturated start", figure, alt)]


def preprocessing_figures() -> list[Figure]:
    clouds, error = studies.preprocessed_clouds()
    figure = plots.preprocessing(clouds)
    alt = f"A cloud raw, centred, normalized, whitened; the last's covariance is within {error:.1g} of the identity."
    return [Figure("preprocessing", "Preprocessing", figure, alt)]


def gradient_norm_figures(budget: Budget = FULL) -> list[Figure]:
    """The gradient norms of each net of `studies.DEEP_NETS` on the embedded digits."""
    experiment = make_experiment(load("digits_mlp"))
    x, y = map(jnp.asarray, experiment.examples("train") or ())
    n = at_most(len(y), budget.gradient_examples)
    x, y = experiment.source.prepare(experiment.source.stats, (x[:n], y[:n]))
    figures = []
    for name, (activation, weight_init, learning_rate) in studies.DEEP_NETS.items():
        if not allows(budget.deep_nets, name):
            continue
        epochs = at_most(20, budget.epochs)
        epoch, norms = studies.gradient_norms(x, y, activation, weight_init, learning_rate, epochs=epochs)
        figure = plots.gradient_norms(epoch, norms, title=f"Gradient of each layer: {name}")
        first, last = (norms[key][0] for key in ("layer 1", f"layer {len(norms)}"))
        alt = f"At the start the first layer's gradient is {first / last:.2g} times the last one's."
        figures.append(Figure(f"gradient_norms_{activation}_{len(figures)}", f"Gradient norms: {name}", figure, alt))
    return figures


def optimizer_figures(
    configs: Sequence[str], budget: Budget = FULL, report: Callable[[str, int, int], Any] = lambda text, i, n: None
) -> list[Figure]:
    """Runs the comparison of each config and draws it.

    report(text, i, n): called before the i-th of n trainings of a config
    """
    figures = []
    for name in configs:
        config = load(name)
        runs = compare_optimizers(config, seeds=budget.seeds or 5, budget=budget, report=report)
        figures += comparison_figures(name, config, runs, make_loss_plane(config, budget=budget))
    return figures


def comparison_figures(name: str, config: Config, runs: Sequence[OptimizerRun], plane: LossPlane) -> list[Figure]:
    """The loss by step, the loss by time, and the optimizers' paths over a plane of the first seed's loss surface."""
    steps = np.arange(1, runs[0].loss.shape[1] + 1)
    by_step = plots.loss_curves(steps, {r.name: r.loss for r in runs}, "step", title=config.title)
    # One time axis for all optimizers: each curve is resampled at these times.
    seconds = np.geomspace(max(1e-5, min(r.seconds[0] for r in runs)), max(r.seconds[-1] for r in runs), 200)
    curves = {r.name: np.array([_resample(seconds, r.seconds, row) for row in r.loss]) for r in runs}
    by_time = plots.loss_curves(seconds, curves, "seconds of one seed", title=config.title)
    axis = by_time.axes[0]
    axis.set_xscale("log")
    # The default formatter writes powers as mathtext, which our figures do not parse: a title may contain a dollar.
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    paths = plots.optimizer_paths(
        plane.x, plane.y, plane.loss, plane.paths,
        xlabel="first principal direction", ylabel="second principal direction", title=f"Paths: {config.title}",
        linear_width=plane.linear_width,
    )  # fmt: skip
    return [
        Figure(f"{name}_steps", f"{config.title}: loss by step", by_step, "Training loss against the step."),
        Figure(f"{name}_seconds", f"{config.title}: loss by time", by_time, "Training loss against seconds."),
        Figure(f"{name}_paths", f"{config.title}: paths", paths, "Paths over a plane of the loss surface, seed 0."),
    ]


def _resample(seconds: np.ndarray, epoch_ends: np.ndarray, loss: np.ndarray) -> np.ndarray:
    """The loss of the last epoch that had ended at each time, NaN before the first."""
    i = np.searchsorted(epoch_ends, seconds, side="right") - 1
    return np.where(i < 0, np.nan, loss[np.maximum(i, 0)])


def filter_figures(
    config_name: str = "digits_cnn", data_dir: Path | None = None, budget: Budget = FULL
) -> list[Figure]:
    """Trains a convolutional net and draws its first layer's filters and feature maps."""
    config = limit_config(load(config_name), budget)
    experiment = make_experiment(config, data_dir=data_dir)
    return list(feature_map_figures(build_model(config), experiment, best_params(experiment)))


def feature_map_figures(model: Layer, experiment: Experiment, params: Params) -> Iterator[Figure]:
    """The filters of the model's first convolution, their maps of one test digit, and these maps after each pooling.

    params: with a leading axis of seeds, of which the first is drawn
    """
    inputs: Any = jax.tree.leaves(experiment.examples("test") or experiment.examples("train"))[0]
    first_seed, image = seed_params(params, 0), inputs[:1]
    kernel = first_kernel(first_seed)
    x, _ = experiment.source.prepare(experiment.source.stats, (jnp.asarray(image), None))
    first_layers = serial(*(part.layer for part in model.parts[:2]))
    maps = jax.jit(lambda params, x: first_layers.apply(params, x))(first_seed[:2], x)
    yield Figure(
        "feature_maps",
        "Filters and feature maps",
        plots.feature_maps(image[0], np.asarray(kernel), np.asarray(maps[0])),
        "A digit, filters of the first layer and the feature map of each.",
    )
    for pool in (max_pool, average_pool, l2_pool):
        pooled = np.asarray(jax.jit(lambda x, pool=pool: pool(2).apply((), x))(maps)[0])
        name = pool.__name__
        figure = plots.feature_maps(image[0], np.asarray(kernel), pooled, title=f"After {name}, 2×2")
        yield Figure(f"maps_{name}", f"Maps after {name}", figure, "The same maps at half the size.")


def first_kernel(params: Params) -> jax.Array:
    """The weight of the first layer that has one."""
    return next(leaf for leaf in jax.tree.leaves(params, is_leaf=_is_affine) if _is_affine(leaf)).weight


def _is_affine(node: object) -> bool:
    return isinstance(node, DenseParams | ConvParams)
