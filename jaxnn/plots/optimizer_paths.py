"""The ways that optimizers take down the same loss surface."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import ArrayLike

from jaxnn.plots import style

LEVELS = 15
FEW = 60  # steps; so few are marked one by one


def optimizer_paths(
    grid_x: ArrayLike,
    grid_y: ArrayLike,
    loss: ArrayLike,
    paths: Mapping[str, ArrayLike],
    *,
    xlabel: str = "parameter 1",
    ylabel: str = "parameter 2",
    title: str = "Paths of the optimizers",
) -> Figure:
    """Contours of `loss` (rows, columns), and over them each optimizer's path (steps, 2) by its name.

    grid_x is (columns,), grid_y (rows,), both increasing.

    A path that leaves the finite numbers is drawn as far as it stays among them, one that leaves the grid as far as its
    edge; a star marks the end.
    """
    x, y, height = np.asarray(grid_x), np.asarray(grid_y), np.asarray(loss, np.float64)
    if height.shape != (len(y), len(x)):
        raise ValueError(f"expected a loss of shape ({len(y)}, {len(x)}) on this grid, found {height.shape}")
    figure = style.canvas(7.4, 6.0, title)
    (ax,) = style.panels(figure, 1, 1)
    ax.grid(False)
    _surface(figure, ax, x, y, height)
    for i, (name, steps) in enumerate(paths.items()):
        way = np.asarray(steps, np.float64)
        if way.ndim != 2 or way.shape[1] != 2:
            raise ValueError(f"expected a path (steps, 2) for {name!r}, found shape {way.shape}")
        lost = ~np.isfinite(way).all(axis=1)
        way = way[: int(lost.argmax())] if lost.any() else way
        color, dashes = style.line(i)
        marker = "o" if len(way) <= FEW else ""
        what = f"{style.plain(name)}, " + (f"{len(way) - 1} steps" if len(way) else "not finite")
        what += ", then not finite" if len(way) and lost.any() else ""
        outside = len(way) and not (x[0] <= way[-1, 0] <= x[-1] and y[0] <= way[-1, 1] <= y[-1])
        what += ", ends outside" if outside else ""
        ax.plot(*way.T, label=what, color=color, linestyle=dashes, linewidth=1.7, marker=marker, markersize=3)
        ax.plot(*way[-1:].T, "*", color=color, markersize=14, markeredgecolor="white")
        ax.plot(*way[:1].T, "o", color=style.INK, markersize=8, markeredgecolor="white")
    ax.set_xlim(x[0], x[-1])
    ax.set_ylim(y[0], y[-1])
    style.label(ax, xlabel, ylabel, "● start   ★ end")
    style.legend_below(figure, [ax])
    return style.finish(figure)


def _surface(figure: Figure, ax: Axes, x: np.ndarray, y: np.ndarray, height: np.ndarray) -> None:
    """Filled contours at quantiles of the loss, so that a narrow valley shows as well as the walls."""
    finite = height[np.isfinite(height)]
    levels = np.unique(np.quantile(finite, np.linspace(0, 1, LEVELS))) if finite.size else np.zeros(0)
    if len(levels) < 3 or min(height.shape) < 2:
        return
    greys = LinearSegmentedColormap.from_list("pale_greys", ["#FFFFFF", "#9A9A9A"])
    norm = BoundaryNorm(levels.tolist(), greys.N)
    shape = np.ma.masked_invalid(height)
    filled = ax.contourf(x, y, shape, levels=levels, cmap=greys, norm=norm)
    ax.contour(x, y, shape, levels=levels, colors="white", linewidths=0.6)
    bar = figure.colorbar(filled, ax=ax, ticks=levels[::2].tolist(), format=FuncFormatter(_read), shrink=0.9)
    bar.set_label("loss (darker is higher)", fontsize=style.LABEL)


def _read(value: float, _: object) -> str:
    return f"{value:,.0f}" if 100 <= abs(value) < 1e6 else f"{value:.3g}"
