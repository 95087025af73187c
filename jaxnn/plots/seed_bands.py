"""Curves over several seeds: the mean as a line, the range from minimum to maximum as a band or as bars."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter
from matplotlib.transforms import ScaledTranslation
from numpy.typing import ArrayLike

from jaxnn.curve_statistics import evenly_chosen, seed_range
from jaxnn.plots.layout import RANGE_NOTE, empty_note
from jaxnn.plots.style import GREY

MAX_MARKED_POINTS = 12  # a short curve gets markers, because a line alone does not show where it was measured
LOG_SCALE_DECADES = 2.0
MAX_BANDS = 4  # the bands of more curves would make one block
BAR_POSITIONS = 5  # of each curve that has bars
BAR_SPACING = 3.5  # points from the bars of one curve to those of the next


class Band(NamedTuple):
    """Statistics over seeds at the positions where at least one seed was measured, each (positions,)."""

    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    seeds: int
    infinite: bool


class Curve(NamedTuple):
    """A band with its name, its colour and the dashes of its line."""

    name: str
    band: Band
    color: Any
    linestyle: str


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
    measured = np.isfinite(curves).any(axis=0)
    low, mean, high = seed_range(curves[:, measured])
    return Band(
        x=x[measured],
        mean=mean,
        low=low,
        high=high,
        seeds=int(np.isfinite(values).any(axis=1).sum()) if np.ndim(values) == 2 else 1,
        infinite=bool(np.isinf(values).any()),
    )


def draw_curves(ax: Axes, curves: Sequence[Curve]) -> None:
    """Draws the curves of a panel: each mean, named in the legend, and the range over the seeds, explained there.

    Up to four ranges are bands. More are bars at a few positions, side by side. A curve without a measurement is not
    drawn; a panel without any says so.
    """
    measured = [curve for curve in curves if len(curve.band.x)]
    ranged = [curve for curve in measured if curve.band.seeds > 1]
    for curve in measured:
        ax.plot(
            curve.band.x,
            curve.band.mean,
            label=f"{curve.name} (infinite values not drawn)" if curve.band.infinite else curve.name,
            color=curve.color,
            linestyle=curve.linestyle,
            linewidth=1.8,
            marker="o" if len(curve.band.x) <= MAX_MARKED_POINTS else "",
            markersize=4,
        )
    if not measured:
        empty_note(ax, "no measurements")
    if not ranged:
        return
    as_bands = len(ranged) <= MAX_BANDS
    counts = [curve.band.seeds for curve in ranged]
    seeds = f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"
    label = f"{RANGE_NOTE}{'band' if as_bands else 'bar'}: min to max of {seeds} seeds"
    if as_bands:
        for x, _, low, high, color in ((*curve.band[:4], curve.color) for curve in ranged):
            ax.fill_between(x, low, high, color=color, alpha=0.2, linewidth=0)
        ax.fill_between([], [], color=GREY, alpha=0.6, linewidth=0, label=label)
    else:
        _draw_bars(ax, ranged)
        ax.plot([], [], color=GREY, linestyle="", marker="|", markersize=12, markeredgewidth=2.4, label=label)


def _draw_bars(ax: Axes, curves: Sequence[Curve]) -> None:
    """A bar from the minimum to the maximum at a few positions; the bars of one position stand side by side."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    for i, curve in enumerate(curves):
        band = curve.band
        at = evenly_chosen(len(band.x), BAR_POSITIONS)
        offset = BAR_SPACING * (i - (len(curves) - 1) / 2) / 72
        shifted = ax.transData + ScaledTranslation(offset, 0, figure.dpi_scale_trans)
        ax.vlines(band.x[at], band.low[at], band.high[at], color=curve.color, linewidth=1.6, transform=shifted)
        # Matplotlib does not see that shifted bars need room.
        ax.update_datalim(np.stack([np.tile(band.x[at], 2), np.concatenate([band.low[at], band.high[at]])], axis=1))
    ax.set_xmargin(max(0.05, 0.01 * len(curves)))


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
