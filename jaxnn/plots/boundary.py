"""What a classifier of points in the plane says everywhere, and where it changes its mind."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from jaxnn.plots import style


def decision_boundary(
    grid_x: ArrayLike,
    grid_y: ArrayLike,
    probability: ArrayLike,
    points: ArrayLike,
    labels: ArrayLike,
    classes: Sequence[str],
    *,
    title: str = "Decision boundary",
) -> Figure:
    """Two classes: shaded by probability, a line at 0.5. More: the likeliest class, paler where less sure.

    Args:
        grid_x, grid_y: (columns,) and (rows,), increasing.
        probability: (rows, columns) of class 1, or (rows, columns, classes).
        points: (n, 2); labels: (n,) class numbers.
        classes: names, or () for the numbers themselves.
    """
    x, y, chance = np.asarray(grid_x), np.asarray(grid_y), np.asarray(probability, np.float64)
    points, labels = np.asarray(points), np.asarray(labels, int)
    if chance.ndim not in (2, 3) or chance.shape[:2] != (len(y), len(x)):
        raise ValueError(
            f"expected probability ({len(y)}, {len(x)}[, classes]) on this grid, found shape {chance.shape}"
        )
    if chance.ndim == 3 and chance.shape[2] == 2:
        chance = chance[..., 1]
    count = max(2 if chance.ndim == 2 else chance.shape[2], int(labels.max(initial=0)) + 1)
    names = style.class_names(classes, count)
    ratio = abs(float(y[-1] - y[0]) / (float(x[-1] - x[0]) or 1.0))
    equal = 1 / 3 < ratio < 3
    tall = 5.0 * float(np.clip(ratio if equal else 0.8, 0.4, 1.4))
    figure = style.canvas(6.8 if chance.ndim == 2 else 6.0, tall + 1.4, title)
    (ax,) = style.panels(figure, 1, 1)
    ax.grid(False)
    if chance.ndim == 2:
        _shade(figure, ax, x, y, chance, names[1])
    else:
        _regions(ax, x, y, chance)
    for i in range(count):
        mine = points[labels == i]
        if len(mine):
            ax.scatter(
                mine[:, 0],
                mine[:, 1],
                s=26,
                color=style.PALETTE[i % len(style.PALETTE)],
                marker=style.MARKERS[i % len(style.MARKERS)],
                edgecolors="white",
                linewidths=0.6,
                label=names[i],
            )
    ax.set_xlim(x[0], x[-1])
    ax.set_ylim(y[0], y[-1])
    ax.set_aspect("equal" if equal else "auto")
    style.label(ax, "feature 1", "feature 2")
    style.legend_below(figure, [ax])
    return style.finish(figure)


def _shade(figure: Figure, ax: Axes, x: np.ndarray, y: np.ndarray, chance: np.ndarray, name: str) -> None:
    pale = [_mix(style.BLUE, 0.55), "#FFFFFF", _mix(style.VERMILLION, 0.55)]
    cmap = LinearSegmentedColormap.from_list("two_classes", pale).with_extremes(bad=style.MISSING)
    shading = ax.pcolormesh(
        x, y, np.ma.masked_invalid(chance), cmap=cmap, vmin=0, vmax=1, shading="nearest", rasterized=True
    )
    _line(ax, x, y, chance - 0.5, "probability 0.5")
    bar = figure.colorbar(shading, ax=ax, shrink=0.85)
    bar.set_label(f"probability of class {name}", fontsize=style.LABEL)


def _regions(ax: Axes, x: np.ndarray, y: np.ndarray, chance: np.ndarray) -> None:
    known = np.all(np.isfinite(chance), axis=2, keepdims=True)
    chance = np.where(known, chance, 0)
    winner, count = chance.argmax(axis=2), chance.shape[2]
    colours = np.array([to_rgb(style.PALETTE[i % len(style.PALETTE)]) for i in range(count)])
    sure = (chance.max(axis=2) * count - 1) / max(count - 1, 1)  # 0: all classes equally likely, 1: certain
    depth = (0.10 + 0.40 * np.clip(sure, 0, 1))[..., None]
    pixels = np.where(known, 1 - depth * (1 - colours[winner]), to_rgb(style.MISSING))
    ax.pcolormesh(x, y, pixels, shading="nearest", rasterized=True)
    for i in range(count):
        others = np.delete(chance, i, axis=2).max(axis=2, initial=0)
        _line(ax, x, y, np.where(known[..., 0], chance[..., i] - others, np.nan), "boundary")


def _line(ax: Axes, x: np.ndarray, y: np.ndarray, height: np.ndarray, name: str) -> None:
    """The curve where `height` is zero, if it is anywhere."""
    finite = height[np.isfinite(height)]
    if min(height.shape) > 1 and finite.size and finite.min() < 0 < finite.max():
        ax.contour(x, y, np.ma.masked_invalid(height), levels=[0.0], colors=style.INK, linewidths=1.6)
        if name not in ax.get_legend_handles_labels()[1]:
            ax.add_line(Line2D([], [], color=style.INK, linewidth=1.6, label=name))


def _mix(colour: str, strength: float) -> tuple[float, ...]:
    """`colour` on white, of this strength."""
    return tuple(1 - strength * (1 - part) for part in to_rgb(colour))
