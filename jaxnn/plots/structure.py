"""Figures of what a net has found in its data: classes in a plane, graphs, shares of sub-nets, numbers of classes."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import ArrayLike

from jaxnn.plots import layout, style

#: Points in a panel, and the widest line of an edge in points.
MAX_POINTS, MAX_WIDTH = 3000, 4.0


def classes_in_plane(
    points: ArrayLike,
    labels: ArrayLike,
    classes: Sequence[str],
    *,
    title: str,
    axes: tuple[str, str] = ("first direction", "second direction"),
) -> Figure:
    """Points (n, 2) of the plane by their class: a latent plane, a hidden layer in two dimensions.

    labels: (n,) class numbers; classes: their names, or () to show the numbers
    """
    points, labels = np.asarray(points)[:MAX_POINTS], np.asarray(labels, int)[:MAX_POINTS]
    figure = layout.new_figure(6.4, 6.2, title)
    (ax,) = layout.add_panels(figure, 1, 1)
    _draw_points(ax, points, labels, classes, 22 if len(points) < 500 else 9)
    layout.label_axes(ax, *axes)
    layout.legend_below(figure, [ax])
    return layout.finalize(figure)


def graph_drawing(
    positions: ArrayLike,
    edges: ArrayLike,
    labels: ArrayLike,
    classes: Sequence[str],
    widths: ArrayLike | None = None,
    marked: ArrayLike = (),
    *,
    title: str,
) -> Figure:
    """A graph: its nodes at `positions` (n, 2), coloured by class and numbered, and lines for its `edges` (m, 2).

    widths: (m,) a number of each edge, such as what attention gives it: the widest line is the largest number
    marked: nodes with a ring, such as those with a label
    """
    positions, edges, labels = np.asarray(positions), np.asarray(edges, int), np.asarray(labels, int)
    figure = layout.new_figure(7.2, 6.6, title)
    (ax,) = layout.add_panels(figure, 1, 1)
    ax.grid(False)
    ax.axis("off")
    share = np.full(len(edges), 0.3) if widths is None else np.asarray(widths) / max(np.max(widths, initial=0), 1e-12)
    lines = LineCollection(list(positions[edges]), linewidths=list(MAX_WIDTH * share), colors=style.GREY, zorder=1)
    ax.add_collection(lines)
    _draw_points(ax, positions, labels, classes, 190)
    for i in np.asarray(marked, int).reshape(-1):
        ax.scatter(*positions[i], s=330, facecolors="none", edgecolors=style.INK, linewidths=1.4)
    for i, (x, y) in enumerate(positions):
        text = ax.text(x, y, str(i), ha="center", va="center", fontsize=8, weight="bold", zorder=5)
        text.set_path_effects([withStroke(linewidth=2, foreground="white")])
    layout.legend_below(figure, [ax])
    return layout.finalize(figure)


def class_bars(values: ArrayLike, classes: Sequence[str], ylabel: str, *, title: str) -> Figure:
    """A number of each class (classes,) as bars, with the number above each; no bar where it is NaN."""
    values = np.asarray(values, float)
    names = style.class_names(classes, len(values))
    figure = layout.new_figure(max(0.62 * len(values) + 1.6, 4.6), 3.8, title)
    (ax,) = layout.add_panels(figure, 1, 1)
    ax.bar(np.arange(len(values)), np.nan_to_num(values), color=style.BLUE, width=0.7)
    for i, value in enumerate(values):
        text = "–" if np.isnan(value) else f"{value:.2f}"
        ax.annotate(text, (i, np.nan_to_num(value)), (0, 3), textcoords="offset points", ha="center", fontsize=9)
    ax.set_ylim(0, 1.12 * max(np.nanmax(values, initial=0), 1e-12))
    turned = max(map(len, names), default=0) > 4
    ax.set_xticks(np.arange(len(values)), names, rotation=60 * turned, ha="right" if turned else "center")
    layout.label_axes(ax, "class", ylabel)
    return layout.finalize(figure)


def seed_histogram(values: ArrayLike, xlabel: str, levels: Mapping[str, float] | None = None, *, title: str) -> Figure:
    """How a metric (seeds,) is distributed, with its mean and with `levels`, such as a published number."""
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    figure = layout.new_figure(6.4, 4.2, title)
    (ax,) = layout.add_panels(figure, 1, 1)
    if not len(values):
        layout.empty_note(ax, "no finite value")
    else:
        ax.hist(values, bins=min(max(len(values) // 4, 5), 25), color=style.SKY, edgecolor="white")
        ax.axvline(values.mean(), color=style.BLUE, label=f"mean of {len(values)} seeds: {values.mean():.4g}")
    for i, (name, value) in enumerate((levels or {}).items()):
        ax.axvline(value, color=style.PALETTE[i + 1], linestyle=style.DASHES[i + 1], label=f"{name}: {value:.4g}")
    layout.label_axes(ax, xlabel, "seeds")
    layout.legend_below(figure, [ax])
    return layout.finalize(figure)


def shares_by_class(shares: ArrayLike, classes: Sequence[str], parts: Sequence[str], *, title: str) -> Figure:
    """How much each part of a net counts for each class: (classes, parts), rows of 1 in sum."""
    shares = np.asarray(shares, float)
    names = style.class_names(classes, len(shares))
    figure = layout.new_figure(max(0.8 * shares.shape[1] + 2.4, 4.6), 0.36 * len(shares) + 1.7, title)
    (ax,) = layout.add_panels(figure, 1, 1)
    ax.grid(False)
    ax.imshow(shares, cmap=style.sequential(), vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        ax.text(
            column,
            row,
            f"{100 * share:.0f}",
            ha="center",
            va="center",
            fontsize=9,
            color="white" if share > 0.55 else style.INK,
        )
    ax.set_xticks(np.arange(shares.shape[1]), parts)
    ax.set_yticks(np.arange(len(shares)), names)
    layout.label_axes(ax, "share of each part (%)", "class")
    return layout.finalize(figure)


def graph_positions(edges: ArrayLike, n: int, steps: int = 300) -> np.ndarray:
    """Positions (n, 2) for a drawing of a graph with these undirected `edges` (m, 2): neighbours lie near each other.

    Edges pull and all nodes push, with shorter and shorter steps, from the nodes on a circle in the order of the first
    eigenvectors of the normalized Laplacian. The same edges give the same drawing. (Fruchterman and Reingold 1991.)
    """
    edges = np.asarray(edges, int)
    adjacency = np.zeros((n, n))
    adjacency[edges[:, 0], edges[:, 1]] = adjacency[edges[:, 1], edges[:, 0]] = 1
    np.fill_diagonal(adjacency, 0)
    root = 1 / np.sqrt(np.maximum(adjacency.sum(1), 1))
    _, vectors = np.linalg.eigh(np.eye(n) - root[:, None] * adjacency * root)
    plane = (vectors * root[:, None])[:, 1:3]
    angle = np.arctan2(plane[:, 1], plane[:, 0]).argsort(kind="stable").argsort(kind="stable") * 2 * np.pi / n
    positions = np.stack([np.cos(angle), np.sin(angle)], -1)
    ideal = 2 / np.sqrt(n)
    for step in range(steps):
        apart = positions[:, None] - positions[None]
        distance = np.maximum(np.sqrt((apart**2).sum(-1)), 1e-6)
        force = ((ideal**2 / distance**2 - adjacency * distance / ideal)[..., None] * apart).sum(1)
        size = np.maximum(np.sqrt((force**2).sum(-1, keepdims=True)), 1e-12)
        positions = positions + force / size * np.minimum(size, 0.2 * (1 - step / steps))
    return positions


def _draw_points(ax: Axes, points: np.ndarray, labels: np.ndarray, classes: Sequence[str], size: float) -> None:
    count = int(labels.max(initial=0)) + 1
    names = style.class_names(classes, max(count, len(classes)))
    for i in range(count):
        chosen = points[labels == i]
        if len(chosen):
            color, marker = style.class_style(i)
            ax.scatter(
                *chosen.T, s=size, color=color, marker=marker, linewidths=0, alpha=0.85, label=names[i], zorder=3
            )
