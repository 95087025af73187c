"""A curve over several seeds: the mean as a line, the least and the greatest as a band."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter
from numpy.typing import ArrayLike

from jaxnn.plots.style import MISSING

FEW = 12  # points; so few are marked, since a line alone does not show where it was measured
DECADES = 2.0


class Band(NamedTuple):
    """Curves of all seeds at the positions where at least one was measured, each (positions,)."""

    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    seeds: int
    infinite: bool


def over_seeds(x: ArrayLike, values: ArrayLike) -> Band:
    """Band of `values` (seeds, positions) or (positions,) at `x` (positions,).

    NaN means not measured. Infinity cannot be drawn: it counts as not measured, and `infinite` says so.
    Raises ValueError where the lengths differ.
    """
    x = np.asarray(x, np.float64)
    curves = np.atleast_2d(np.asarray(values, np.float64))
    if x.ndim != 1 or curves.ndim != 2 or curves.shape[1] != len(x):
        raise ValueError(f"expected curves of shape (seeds, {x.size}), found {np.shape(values)}")
    finite = np.isfinite(curves)
    measured = finite.any(axis=0)
    curves, finite = curves[:, measured], finite[:, measured]
    count = finite.sum(axis=0)
    return Band(
        x=x[measured],
        mean=np.where(finite, curves, 0).sum(axis=0) / count,
        low=np.where(finite, curves, np.inf).min(axis=0, initial=np.inf),
        high=np.where(finite, curves, -np.inf).max(axis=0, initial=-np.inf),
        seeds=int(np.isfinite(values).any(axis=1).sum()) if np.ndim(values) == 2 else 1,
        infinite=bool(np.isinf(values).any()),
    )


def draw(ax: Axes, band: Band, name: str, color: Any, linestyle: str) -> None:
    """Draws the band and its mean, named; `explain` says what the band is. None measured, nothing drawn."""
    if not len(band.x):
        return
    what = f"{name} (infinite values not drawn)" if band.infinite else name
    marker = "o" if len(band.x) <= FEW else ""
    ax.plot(
        band.x,
        band.mean,
        label=what,
        color=color,
        linestyle=linestyle,
        linewidth=1.8,
        marker=marker,
        markersize=4,
    )
    if band.seeds > 1:
        ax.fill_between(band.x, band.low, band.high, color=color, alpha=0.2, linewidth=0)


def explain(ax: Axes, bands: Sequence[Band]) -> None:
    """One line of the legend for all bands of the panel, if there are any."""
    seeds = sorted({band.seeds for band in bands if band.seeds > 1})
    if seeds:
        many = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
        text = f"line: mean, band: min to max of {many} seeds"
        ax.fill_between([], [], color=MISSING, alpha=0.6, linewidth=0, label=text)


def log_where_wide(ax: Axes, bands: Sequence[Band]) -> None:
    """A logarithmic y axis where the curves span more than two decades and none goes below zero."""
    values = np.concatenate([np.concatenate([band.low, band.high]) for band in bands] or [np.zeros(0)])
    positive = values[values > 0]
    if len(positive) and values.min() >= 0 and np.log10(positive.max() / positive.min()) > DECADES:
        logarithmic(ax)


def logarithmic(ax: Axes) -> None:
    """A logarithmic y axis whose ticks read 0.01, 0.1, 1 (in two decades 2 and 5 too, in one all); zero stands below
    the frame."""
    ax.set_yscale("log", nonpositive="clip")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))

    def between(value: float, _: int) -> str:
        low, high = ax.get_ylim()
        first = f"{value:e}"[0]
        return f"{value:g}" if high < 10 * low or (high < 100 * low and first in "25") else ""

    ax.yaxis.set_minor_formatter(FuncFormatter(between))
