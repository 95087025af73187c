"""A curve over several seeds: the mean as a line, the range from minimum to maximum as a band."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter
from numpy.typing import ArrayLike

from jaxnn.plots.layout import empty_note
from jaxnn.plots.style import GREY

MAX_MARKED_POINTS = 12  # a short curve gets markers, because a line alone does not show where it was measured
LOG_SCALE_DECADES = 2.0


class Band(NamedTuple):
    """Statistics over seeds at the positions where at least one seed was measured, each (positions,)."""

    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    seeds: int
    infinite: bool


def seed_band(x: ArrayLike, values: ArrayLike) -> Band:
    """Mean, minimum and maximum of `values` (seeds, positions) or (positions,) at `x` (positions,).

    NaN means not measured. Infinity cannot be drawn: it counts as not measured, and `infinite` is set.
    Raises ValueError if the lengths differ.
    """
    x = np.asarray(x, np.float64)
    curves = np.atleast_2d(np.asarray(values, np.float64))
    if x.ndim != 1 or curves.ndim != 2 or curves.shape[1] != len(x):
        raise ValueError(
            f"expected curves of shape (seeds, {x.size}), found {np.shape(values)}; give one value for each x"
        )
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


def draw_band(ax: Axes, band: Band, name: str, color: Any, linestyle: str) -> None:
    """Draws the mean, named in the legend, and the band. Draws nothing for an empty band."""
    if not len(band.x):
        return
    ax.plot(
        band.x,
        band.mean,
        label=f"{name} (infinite values not drawn)" if band.infinite else name,
        color=color,
        linestyle=linestyle,
        linewidth=1.8,
        marker="o" if len(band.x) <= MAX_MARKED_POINTS else "",
        markersize=4,
    )
    if band.seeds > 1:
        ax.fill_between(band.x, band.low, band.high, color=color, alpha=0.2, linewidth=0)


def add_band_legend(ax: Axes, bands: Sequence[Band]) -> None:
    """Adds one legend entry that explains the bands of the panel, if it has any."""
    seeds = sorted({band.seeds for band in bands if band.seeds > 1})
    if seeds:
        count = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
        text = f"line: mean, band: min to max of {count} seeds"
        ax.fill_between([], [], color=GREY, alpha=0.6, linewidth=0, label=text)


def annotate_bands(ax: Axes, bands: Sequence[Band]) -> None:
    """Explains the bands in the legend, or writes into the panel that there is nothing to show."""
    if not any(len(band.x) for band in bands):
        empty_note(ax, "no measurements")
    add_band_legend(ax, bands)


def log_scale_if_wide(ax: Axes, bands: Sequence[Band]) -> None:
    """Makes the y axis logarithmic if the curves span more than two decades and are never negative."""
    values = np.concatenate([np.concatenate([band.low, band.high]) for band in bands] or [np.zeros(0)])
    positive = values[values > 0]
    if len(positive) and values.min() >= 0 and np.log10(positive.max() / positive.min()) > LOG_SCALE_DECADES:
        set_log_scale(ax)


def set_log_scale(ax: Axes) -> None:
    """Makes the y axis logarithmic with tick labels such as 0.01, 0.1, 1.

    An axis of less than two decades also labels 2 and 5, one of less than one decade labels every tick. A zero lies
    below the lower edge of the panel.
    """
    ax.set_yscale("log", nonpositive="clip")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))

    def minor_label(value: float, _: int) -> str:
        low, high = ax.get_ylim()
        leading_digit = f"{value:e}"[0]
        return f"{value:g}" if high < 10 * low or (high < 100 * low and leading_digit in "25") else ""

    ax.yaxis.set_minor_formatter(FuncFormatter(minor_label))
