"""Figures over a plane: the decision boundary of a classifier, and optimizer paths on a loss surface."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import ArrayLike

from jaxnn.errors import plural
from jaxnn.plots import layout, style

CONTOUR_LEVELS = 15
MAX_MARKED_STEPS = 60  # a path of at most so many steps gets a marker for each


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
    """The prediction of a classifier over the plane of its two inputs, with the examples on it.

    Two classes: shaded by the probability of class 1, with a line at 0.5. More classes: the most probable class,
    paler where its probability is lower.

    Args:
        grid_x, grid_y: (columns,) and (rows,), increasing.
        probability: (rows, columns) of class 1, or (rows, columns, classes).
        points: (n, 2).
        labels: (n,) class numbers.
        classes: names, or () to show the class numbers.
    """
    x, y, probabilities = np.asarray(grid_x), np.asarray(grid_y), np.asarray(probability, np.float64)
    points, labels = np.asarray(points), np.asarray(labels, int)
    if probabilities.ndim not in (2, 3) or probabilities.shape[:2] != (len(y), len(x)):
        raise ValueError(
            f"expected probability ({len(y)}, {len(x)}[, classes]) on this grid, found shape {probabilities.shape}; "
            "rows follow grid_y, columns follow grid_x"
        )
    if probabilities.ndim == 3 and probabilities.shape[2] == 2:
        probabilities = probabilities[..., 1]
    binary = probabilities.ndim == 2
    count = max(2 if binary else probabilities.shape[2], int(labels.max(initial=0)) + 1)
    names = style.class_names(classes, count)
    ratio = abs(float(y[-1] - y[0]) / (float(x[-1] - x[0]) or 1.0))
    equal_scales = 1 / 3 < ratio < 3
    height = 5.0 * float(np.clip(ratio if equal_scales else 0.8, 0.4, 1.4))
    figure = layout.new_figure(6.8 if binary else 6.0, height + 1.4, title)
    (ax,) = layout.add_panels(figure, 1, 1)
    ax.grid(False)
    if binary:
        _shade_probability(figure, ax, x, y, probabilities, names[1])
    else:
        _shade_classes(ax, x, y, probabilities)
    for i in range(count):
        class_points = points[labels == i]
        if len(class_points):
            color, marker = style.class_style(i)
            ax.scatter(
                *class_points.T, s=30, color=color, marker=marker, edgecolors=style.INK, linewidths=0.6, label=names[i]
            )
    ax.set_xlim(x[0], x[-1])
    ax.set_ylim(y[0], y[-1])
    ax.set_aspect("equal" if equal_scales else "auto")
    layout.label_axes(ax, "feature 1", "feature 2")
    layout.legend_below(figure, [ax])
    return layout.finalize(figure)


def optimizer_paths(
    grid_x: ArrayLike,
    grid_y: ArrayLike,
    loss: ArrayLike,
    paths: Mapping[str, ArrayLike],
    *,
    xlabel: str = "parameter 1",
    ylabel: str = "parameter 2",
    title: str = "Optimizer paths",
    linear_width: float | None = None,
) -> Figure:
    """The path of each optimizer over contours of the loss.

    A star marks the end of a path. A path is drawn up to its last step before it leaves the grid or is not finite;
    there a cross marks it, and the legend says how many steps are drawn.

    Args:
        grid_x, grid_y: (columns,) and (rows,), increasing.
        loss: (rows, columns).
        paths: (steps, 2) by the optimizer's name, the start included.
        linear_width: both axes are linear from −linear_width to linear_width and logarithmic beyond; None: linear.
    """
    x, y, surface = np.asarray(grid_x), np.asarray(grid_y), np.asarray(loss, np.float64)
    if surface.shape != (len(y), len(x)):
        raise ValueError(
            f"expected a loss of shape ({len(y)}, {len(x)}) on this grid, found {surface.shape}; "
            "rows follow grid_y, columns follow grid_x"
        )
    figure = layout.new_figure(7.4, 6.0, title)
    (ax,) = layout.add_panels(figure, 1, 1)
    ax.grid(False)
    _draw_contours(figure, ax, x, y, surface)
    stopped = False
    names = style.distinct_names(list(paths))
    for i, (name, steps) in enumerate(paths.items()):
        path = np.asarray(steps, np.float64)
        if path.ndim != 2 or path.shape[1] != 2:
            raise ValueError(
                f"expected a path (steps, 2) for {name!r}, found shape {path.shape}; pass two parameters for each step"
            )
        shown, stop = _path_inside(path, np.array([x[0], y[0]]), np.array([x[-1], y[-1]]))
        length = plural(len(shown) - 1, "step")
        text = f"{names[i]}, {f'{stop} after {length}' if stop and len(shown) else stop or length}"
        color, dashes = style.line_style(i)
        marker = "o" if len(shown) <= MAX_MARKED_STEPS else ""
        ax.plot(*shown.T, label=text, color=color, linestyle=dashes, linewidth=1.7, marker=marker, markersize=3)
        end, size = ("X", 9) if stop else ("*", 14)
        ax.plot(*shown[-1:].T, end, color=color, markersize=size, markeredgecolor="white")
        ax.plot(*shown[:1].T, "o", color=style.INK, markersize=8, markeredgecolor="white")
        stopped |= bool(stop)
    ax.set_xlim(x[0], x[-1])
    ax.set_ylim(y[0], y[-1])
    marks = "● start   ★ end" + ("   ✖ last step drawn" if stopped else "")
    if linear_width is not None:
        _set_asinh_axes(ax, linear_width)
        marks += f"\naxes: linear to ±{linear_width:.2g}, logarithmic beyond"
    layout.label_axes(ax, xlabel, ylabel, marks)
    layout.legend_below(figure, [ax])
    return layout.finalize(figure)


def _set_asinh_axes(ax: Axes, linear_width: float) -> None:
    """Makes both axes linear up to ±`linear_width` and logarithmic beyond, with ticks at 0 and at 1, 3, 10, 30 …"""
    decades = 10.0 ** np.arange(np.floor(np.log10(linear_width / 3)), 300)
    beyond = np.sort(np.concatenate([decades, 3 * decades]))
    beyond = beyond[beyond >= linear_width / 3]
    ticks = np.concatenate([-beyond[::-1], [0.0], beyond])
    for set_scale, axis in ((ax.set_xscale, ax.xaxis), (ax.set_yscale, ax.yaxis)):
        low, high = axis.get_view_interval()
        set_scale("asinh", linear_width=linear_width)
        axis.set_major_locator(FixedLocator(ticks[(low <= ticks) & (ticks <= high)].tolist()))
        axis.set_major_formatter(FuncFormatter(_tick_label))
        axis.set_minor_locator(NullLocator())


def _path_inside(path: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, str]:
    """The steps (n, 2) of a path before it leaves the rectangle or is not finite, and which of the two in words.

    The second is "" for a path that stays inside.
    """
    inside = ((path >= low) & (path <= high)).all(axis=1)
    if inside.all():
        return path, ""
    first = int(inside.argmin())
    leaves = "leaves" if first else "starts outside"
    return path[:first], leaves if np.isfinite(path[first]).all() else "not finite"


def _shade_probability(
    figure: Figure, ax: Axes, x: np.ndarray, y: np.ndarray, probability: np.ndarray, name: str
) -> None:
    colours = [_lighten(style.BLUE, 0.55), "#FFFFFF", _lighten(style.VERMILLION, 0.55)]
    cmap = LinearSegmentedColormap.from_list("two_classes", colours).with_extremes(bad=style.GREY)
    shading = ax.pcolormesh(
        x, y, np.ma.masked_invalid(probability), cmap=cmap, vmin=0, vmax=1, shading="nearest", rasterized=True
    )
    _draw_zero_contour(ax, x, y, probability - 0.5, "probability 0.5")
    bar = figure.colorbar(shading, ax=ax, shrink=0.85)
    bar.set_label(f"probability of class {name}", fontsize=style.LABEL_SIZE)


def _shade_classes(ax: Axes, x: np.ndarray, y: np.ndarray, probability: np.ndarray) -> None:
    finite = np.all(np.isfinite(probability), axis=2, keepdims=True)
    probability = np.where(finite, probability, 0)
    winner, count = probability.argmax(axis=2), probability.shape[2]
    colours = np.array([to_rgb(style.class_style(i)[0]) for i in range(count)])
    confidence = (probability.max(axis=2) * count - 1) / max(count - 1, 1)  # 0: all classes equal, 1: certain
    depth = (0.10 + 0.40 * np.clip(confidence, 0, 1))[..., None]
    pixels = np.where(finite, 1 - depth * (1 - colours[winner]), to_rgb(style.GREY))
    ax.pcolormesh(x, y, pixels, shading="nearest", rasterized=True)
    for i in range(count):
        others = np.delete(probability, i, axis=2).max(axis=2, initial=0)
        margin = np.where(finite[..., 0], probability[..., i] - others, np.nan)
        _draw_zero_contour(ax, x, y, margin, "boundary")


def _draw_zero_contour(ax: Axes, x: np.ndarray, y: np.ndarray, values: np.ndarray, name: str) -> None:
    """Draws the line where `values` is zero, if it changes its sign, and adds `name` to the legend once."""
    finite = values[np.isfinite(values)]
    if min(values.shape) > 1 and finite.size and finite.min() < 0 < finite.max():
        ax.contour(x, y, np.ma.masked_invalid(values), levels=[0.0], colors=style.INK, linewidths=1.6)
        if name not in ax.get_legend_handles_labels()[1]:
            ax.add_line(Line2D([], [], color=style.INK, linewidth=1.6, label=name))


def _lighten(colour: str, strength: float) -> tuple[float, ...]:
    """`colour` with opacity `strength` on white."""
    return tuple(1 - strength * (1 - channel) for channel in to_rgb(colour))


def _draw_contours(figure: Figure, ax: Axes, x: np.ndarray, y: np.ndarray, surface: np.ndarray) -> None:
    """Fills contours at quantiles of the loss, so that both a narrow valley and its walls are visible."""
    finite = surface[np.isfinite(surface)]
    levels = np.unique(np.quantile(finite, np.linspace(0, 1, CONTOUR_LEVELS))) if finite.size else np.zeros(0)
    if len(levels) < 3 or min(surface.shape) < 2:
        return
    greys = LinearSegmentedColormap.from_list("pale_greys", ["#FFFFFF", "#9A9A9A"])
    norm = BoundaryNorm(levels.tolist(), greys.N)
    values = np.ma.masked_invalid(surface)
    filled = ax.contourf(x, y, values, levels=levels, cmap=greys, norm=norm)
    ax.contour(x, y, values, levels=levels, colors="white", linewidths=0.6)
    bar = figure.colorbar(filled, ax=ax, ticks=levels[::2].tolist(), format=FuncFormatter(_tick_label), shrink=0.9)
    bar.set_label("loss (darker is higher)", fontsize=style.LABEL_SIZE)


def _tick_label(value: float, _: object) -> str:
    return f"{value:,.0f}" if 100 <= abs(value) < 1e6 else f"{value:.3g}"
