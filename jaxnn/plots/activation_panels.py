"""Activation functions, each with its derivative."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from jaxnn.plots import style

COLUMNS = 3


def activations(
    x: ArrayLike,
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    title: str = "Activation functions and their derivatives",
) -> Figure:
    """A panel for each name; its value is (f(x), f′(x)), each (n,) like x."""
    if not curves:
        raise ValueError("expected at least one activation function, found none")
    columns = style.columns(len(curves), COLUMNS)
    rows = -(-len(curves) // columns)
    figure = style.canvas(0.6 + 3.1 * columns, 1.0 + 2.4 * rows, title)
    axes = style.panels(figure, rows, columns, len(curves))
    for ax, (name, (value, slope)) in zip(axes, curves.items(), strict=True):
        ax.axhline(0, color=style.MISSING, linewidth=0.9)
        ax.axvline(0, color=style.MISSING, linewidth=0.9)
        ax.plot(x, np.asarray(value), color=style.BLUE, linewidth=2.0, label="f(z)")
        ax.plot(x, np.asarray(slope), color=style.VERMILLION, linewidth=1.8, linestyle="--", label="f′(z)")
        style.label(ax, "z", "f(z), f′(z)", style.plain(name))
    style.legend_below(figure, axes)
    return style.finish(figure)
