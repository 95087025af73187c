"""Curves over epochs, steps or any other axis: learning curves, losses, gradient norms."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from jaxnn.curve_statistics import measured_metrics
from jaxnn.metric_labels import axis_label, is_share
from jaxnn.plots import layout, seed_bands, style

SPLITS = (("train", style.BLUE, "-"), ("validation", style.VERMILLION, "--"))


def learning_curves(
    history: Mapping[str, ArrayLike],
    *,
    title: str = "Learning curves",
    best_epoch: ArrayLike | None = None,
    levels: Mapping[str, Mapping[str, float]] | None = None,
) -> Figure:
    """Every metric of a run against the epoch, a panel each: the loss first, then the accuracy, then the others.

    Args:
        history: "epoch" (r,) and metrics by split and name, such as "train_loss" and "validation_accuracy", each
            (seeds, r) or (r,); accuracies are fractions; NaN where not measured.
        best_epoch: the epoch whose parameters were kept, one number or one for each seed.
        levels: by metric, numbers to compare it with by name, such as the loss of two players at their equilibrium.
    """
    epoch = np.asarray(history["epoch"])
    metrics = measured_metrics(history) or ["loss"]
    rows, columns = layout.panel_grid(len(metrics), 3)
    width = 6.5 if columns == 1 else 4.75 * columns
    figure = layout.new_figure(width, 4.6 if rows == 1 else 3.8 * rows, title)
    axes = layout.add_panels(figure, rows, columns, len(metrics))
    for ax, metric in zip(axes, metrics, strict=True):
        bands = _draw_splits(ax, epoch, history, metric, 100 if is_share(metric) else 1)
        if not is_share(metric):
            seed_bands.log_scale_if_wide(ax, bands)
        for i, (name, value) in enumerate((levels or {}).get(metric, {}).items()):
            color, dashes = (style.GREEN, style.PURPLE)[i % 2], style.DASHES[(i + 2) % 4]
            ax.axhline(value, color=color, linestyle=dashes, linewidth=1, label=style.plain_text(name), zorder=1)
        layout.label_axes(ax, "epoch", axis_label(metric))
    best = np.ravel([] if best_epoch is None else best_epoch)
    for ax in axes:
        _mark_best(ax, best)
        # The best epoch of a full batch is that before an update, and may lie before the first evaluation.
        layout.integer_ticks(ax, np.append(epoch, best))
    layout.legend_below(figure, axes)
    return layout.finalize(figure)


def loss_curves(
    x: ArrayLike,
    curves: Mapping[str, ArrayLike],
    xlabel: str,
    *,
    ylabel: str = "loss (mean per example)",
    title: str = "Loss",
) -> Figure:
    """Losses against any x: the step, the time, the amount of data, a hyper-parameter.

    Args:
        x: (positions,).
        curves: by name, each (positions,) or (seeds, positions); NaN where not measured.
        xlabel: what x is, with its unit.
    """
    figure = layout.new_figure(7.0, 4.8, title)
    (ax,) = layout.add_panels(figure, 1, 1)
    seed_bands.log_scale_if_wide(ax, draw_curves(ax, x, curves, list(curves)))
    layout.label_axes(ax, xlabel, ylabel)
    layout.legend_below(figure, [ax])
    return layout.finalize(figure)


def gradient_norms(
    epoch: ArrayLike, norms: Mapping[str, ArrayLike], *, title: str = "Gradient norm of each layer"
) -> Figure:
    """The norm of each layer's gradient during training, which shows vanishing and exploding gradients.

    Args:
        epoch: (r,).
        norms: by layer, each (r,) or (seeds, r), drawn on a logarithmic axis. The first layer comes first and is the
            darkest.
    """
    figure = layout.new_figure(7.5, 4.8, title)
    (ax,) = layout.add_panels(figure, 1, 1)
    # Depth is ordered, so its colours are ordered too; the palest fifth is left out because it is faint on white.
    shades = colormaps["viridis"](np.linspace(0, 0.85, max(len(norms), 1)))
    names, curves = style.distinct_names(list(norms)), []
    for i, values in enumerate(norms.values()):
        dashes = style.DASHES[i % len(style.DASHES)]
        curves.append(seed_bands.Curve(names[i], seed_bands.seed_band(epoch, values), tuple(shades[i]), dashes))
    seed_bands.draw_curves(ax, curves)
    measured = [curve.band for curve in curves if len(curve.band.x)]
    if any((band.high > 0).any() for band in measured):
        seed_bands.set_log_scale(ax)
    elif measured:
        layout.empty_note(ax, "no gradient above zero")
    layout.integer_ticks(ax, np.asarray(epoch, np.float64))
    layout.label_axes(ax, "epoch", "gradient norm ‖∂C/∂W‖")
    layout.legend_below(figure, [ax])
    return layout.finalize(figure)


def draw_curves(ax: Axes, x: ArrayLike, curves: Mapping[str, ArrayLike], order: Sequence[str]) -> list[seed_bands.Band]:
    """Draws each curve over its seeds; a name's position in `order` selects its colour and the text in the legend."""
    texts = style.distinct_names(order)
    drawn = []
    for name, values in curves.items():
        i = order.index(name)
        drawn.append(seed_bands.Curve(texts[i], seed_bands.seed_band(x, values), *style.line_style(i)))
    seed_bands.draw_curves(ax, drawn)
    layout.integer_ticks(ax, np.asarray(x, np.float64))
    return [curve.band for curve in drawn]


def _draw_splits(
    ax: Axes, epoch: np.ndarray, history: Mapping[str, ArrayLike], metric: str, scale: float
) -> list[seed_bands.Band]:
    drawn = []
    for split, color, dashes in SPLITS:
        if f"{split}_{metric}" in history:
            values = scale * np.asarray(history[f"{split}_{metric}"], np.float64)
            drawn.append(seed_bands.Curve(split, seed_bands.seed_band(epoch, values), color, dashes))
    seed_bands.draw_curves(ax, drawn)
    return [curve.band for curve in drawn]


def _mark_best(ax: Axes, best: np.ndarray) -> None:
    """A vertical line for one best epoch, a marker on the x axis for each of several."""
    if best.size == 1:
        ax.axvline(best.item(), color=style.INK, linestyle=":", linewidth=1.4, label=f"best epoch: {best.item():g}")
    elif best.size:
        ax.plot(
            best,
            np.zeros(best.size),
            transform=ax.get_xaxis_transform(),
            linestyle="",
            marker="^",
            markersize=7,
            color=style.INK,
            alpha=0.6,
            clip_on=False,
            label="best epoch of each seed",
        )
