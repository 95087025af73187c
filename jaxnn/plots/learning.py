"""Learning curves: loss and accuracy per epoch, train and validation, over all seeds of a run."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from jaxnn.plots import seed_bands, style

PARTS = (("train", style.BLUE, "-"), ("validation", style.VERMILLION, "--"))


def learning_curves(
    history: Mapping[str, ArrayLike], *, title: str = "Learning curves", best_epoch: ArrayLike | None = None
) -> Figure:
    """Loss, and accuracy where it was measured, against the epoch.

    Args:
        history: "epoch" (r,) and any of "train_loss", "validation_loss", "train_accuracy" and
            "validation_accuracy", each (seeds, r) or (r,); accuracies are fractions; NaN where not measured.
        best_epoch: the epoch whose parameters were kept, one number or one for each seed.
    """
    epoch = np.asarray(history["epoch"])
    accuracy = any(np.isfinite(history.get(f"{part}_accuracy", ())).any() for part, _, _ in PARTS)
    figure = style.canvas(9.5 if accuracy else 6.5, 4.6, title)
    axes = style.panels(figure, 1, 2 if accuracy else 1)
    drawn = _curves(axes[0], epoch, history, "loss", 1)
    seed_bands.log_where_wide(axes[0], drawn)
    style.label(axes[0], "epoch", "loss (mean per example)")
    if accuracy:
        _curves(axes[1], epoch, history, "accuracy", 100)
        style.label(axes[1], "epoch", "accuracy (%)")
    for ax in axes:
        if best_epoch is not None:
            _mark_best(ax, np.ravel(best_epoch))
        ax.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
    style.legend_below(figure, axes)
    return style.finish(figure)


def _curves(
    ax: Axes, epoch: np.ndarray, history: Mapping[str, ArrayLike], metric: str, unit: float
) -> list[seed_bands.Band]:
    drawn = []
    for part, color, dashes in PARTS:
        if f"{part}_{metric}" in history:
            band = seed_bands.over_seeds(epoch, unit * np.asarray(history[f"{part}_{metric}"], np.float64))
            seed_bands.draw(ax, band, part, color, dashes)
            drawn.append(band)
    if not any(len(band.x) for band in drawn):
        style.note(ax, "nothing measured")
    seed_bands.explain(ax, drawn)
    return drawn


def _mark_best(ax: Axes, best: np.ndarray) -> None:
    """A line where there is one, a mark on the axis for each where there are several."""
    if best.size == 1:
        ax.axvline(best.item(), color=style.INK, linestyle=":", linewidth=1.4, label=f"best epoch, {best.item():g}")
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
