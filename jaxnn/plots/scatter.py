"""A cloud of points before and after each way of preprocessing it."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from jaxnn.plots import style

COLUMNS = 3


def preprocessing(
    clouds: Mapping[str, ArrayLike], labels: ArrayLike | None = None, *, title: str = "Preprocessing"
) -> Figure:
    """A panel for each transform's name, its points (n, 2); labels (n,) colour the points by class.

    Both axes of a panel have one scale, so that a cloud that looks round is round.
    """
    if not clouds:
        raise ValueError("expected at least one cloud of points, found none")
    columns = style.columns(len(clouds), COLUMNS)
    rows = -(-len(clouds) // columns)
    figure = style.canvas(0.6 + 3.3 * columns, 0.9 + 3.5 * rows, title)
    axes = style.panels(figure, rows, columns, len(clouds))
    for ax, (name, cloud) in zip(axes, clouds.items(), strict=True):
        points = np.asarray(cloud, np.float64)
        if points.ndim != 2 or points.shape[1] != 2:
            raise ValueError(f"expected points (n, 2) for {name!r}, found shape {points.shape}")
        kind = np.zeros(len(points), int) if labels is None else np.asarray(labels, int)
        ax.axhline(0, color=style.MISSING, linewidth=0.9)
        ax.axvline(0, color=style.MISSING, linewidth=0.9)
        for i in np.unique(kind):
            mine = points[kind == i]
            ax.scatter(
                mine[:, 0],
                mine[:, 1],
                s=14,
                alpha=0.7,
                linewidths=0,
                color=style.PALETTE[i % len(style.PALETTE)],
                marker=style.MARKERS[i % len(style.MARKERS)],
                label=None if labels is None else f"class {i}",
            )
        spread = points[np.isfinite(points).all(axis=1)]
        ax.set_aspect("equal", adjustable="datalim")
        style.label(ax, "feature 1", "feature 2", _described(style.plain(name), spread))
    style.legend_below(figure, axes)
    return style.finish(figure)


def _described(name: str, points: np.ndarray) -> str:
    if not len(points):
        return name
    (a, b), (c, d) = points.mean(axis=0), points.std(axis=0)
    # adding 0.0 turns a rounded −0 into 0
    means = ", ".join(f"{round(v, 2) + 0.0:.3g}" for v in (a, b))
    return f"{name}\nmean ({means}), sd ({c:.2g}, {d:.2g})"
