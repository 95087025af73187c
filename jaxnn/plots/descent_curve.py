"""Gradient descent on a cost of one parameter: how it walks down the curve."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from jaxnn.plots import style


def descent(
    grid: ArrayLike, cost: ArrayLike, steps: ArrayLike, heights: ArrayLike, *, title: str = "Gradient descent"
) -> Figure:
    """The cost (points,) over the parameter's values `grid` (points,), and on it each step (steps,) at its height."""
    over, curve, way, height = (np.asarray(a, np.float64) for a in (grid, cost, steps, heights))
    if over.ndim != 1 or way.ndim != 1 or over.shape != curve.shape or way.shape != height.shape or not len(way):
        found = [a.shape for a in (over, curve, way, height)]
        raise ValueError(f"expected (points,) twice and (steps,) twice, at least one step, found {found}")
    figure = style.canvas(6.4, 4.4, title)
    (ax,) = style.panels(figure, 1, 1)
    ax.plot(over, curve, color=style.INK, linewidth=1.4, label="cost")
    ax.plot(way, height, "-o", color=style.BLUE, linewidth=1.2, markersize=5, label=f"{len(way) - 1} steps")
    ax.plot(way[:1], height[:1], "o", color=style.VERMILLION, markersize=9, label="start")
    ax.plot(way[-1:], height[-1:], "*", color=style.VERMILLION, markersize=14, label="end")
    style.label(ax, "parameter", "cost (mean per example)")
    style.legend_below(figure, [ax])
    return style.finish(figure)
