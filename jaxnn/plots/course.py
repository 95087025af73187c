"""Figures that explain an idea of the course: activation functions, costs, gradient descent, preprocessing."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from jaxnn.errors import plural
from jaxnn.plots import curves, layout, seed_bands, style

MAX_COLUMNS = 3
MAX_RATIO = 1.5  # of the sizes of two clouds that have the same axes


def activation_functions(
    x: ArrayLike,
    functions: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    title: str = "Activation functions and their derivatives",
) -> Figure:
    """A panel for each activation function by name: (f(x), f′(x)), each (n,) like x."""
    if not functions:
        raise ValueError("expected at least one activation function, found none; pass (f(x), f′(x)) by name")
    rows, columns = layout.panel_grid(len(functions), MAX_COLUMNS)
    figure = layout.new_figure(0.6 + 3.1 * columns, 1.0 + 2.4 * rows, title)
    axes = layout.add_panels(figure, rows, columns, len(functions))
    for ax, (name, (value, derivative)) in zip(axes, functions.items(), strict=True):
        ax.axhline(0, color=style.GREY, linewidth=0.9)
        ax.axvline(0, color=style.GREY, linewidth=0.9)
        ax.plot(x, np.asarray(value), color=style.BLUE, linewidth=2.0, label="f(z)")
        ax.plot(x, np.asarray(derivative), color=style.VERMILLION, linewidth=1.8, linestyle="--", label="f′(z)")
        layout.label_axes(ax, "z", "f(z), f′(z)", style.plain_text(name))
    layout.legend_below(figure, axes)
    return layout.finalize(figure)


def cost_comparison(
    epoch: ArrayLike,
    output: Mapping[str, ArrayLike],
    gradient: Mapping[str, ArrayLike],
    *,
    target: float | None = None,
    title: str = "Learning from a saturated start",
) -> Figure:
    """How fast a saturated neuron learns under each cost: its output on the left, its gradient norm on the right.

    The outputs are comparable; the values of different costs are not.

    Args:
        epoch: (r,).
        output, gradient: by cost, each (r,) or (seeds, r). A cost has the same colour in both panels.
        target: the desired output, drawn as a line.
    """
    names = list(dict.fromkeys([*output, *gradient]))
    figure = layout.new_figure(9.5, 4.4, title)
    axes = layout.add_panels(figure, 1, 2)
    curves.draw_curves(axes[0], epoch, output, names)
    if target is not None:
        axes[0].axhline(target, color=style.GREY, linewidth=1.4, linestyle=":", label="target")
    layout.label_axes(axes[0], "epoch", "output of the neuron")
    seed_bands.log_scale_if_wide(axes[1], curves.draw_curves(axes[1], epoch, gradient, names))
    layout.label_axes(axes[1], "epoch", "gradient norm |∂C/∂(w, b)|")
    layout.legend_below(figure, axes)
    return layout.finalize(figure)


def gradient_descent(
    grid: ArrayLike, cost: ArrayLike, steps: ArrayLike, step_costs: ArrayLike, *, title: str = "Gradient descent"
) -> Figure:
    """The cost of one parameter as a curve, and the steps of gradient descent on it.

    Args:
        grid, cost: (points,), parameter values and the cost at each.
        steps, step_costs: (steps,), the parameter after each step, start included, and its cost.
    """
    x, y, path_x, path_y = (np.asarray(a, np.float64) for a in (grid, cost, steps, step_costs))
    if x.ndim != 1 or path_x.ndim != 1 or x.shape != y.shape or path_x.shape != path_y.shape or not len(path_x):
        shapes = [a.shape for a in (x, y, path_x, path_y)]
        raise ValueError(
            f"expected (points,) twice and (steps,) twice with at least one step, found {shapes}; "
            "give one cost for each parameter value"
        )
    figure = layout.new_figure(6.4, 4.4, title)
    (ax,) = layout.add_panels(figure, 1, 1)
    ax.plot(x, y, color=style.INK, linewidth=1.4, label="cost")
    steps_label = plural(len(path_x) - 1, "step")
    ax.plot(path_x, path_y, "-o", color=style.BLUE, linewidth=1.2, markersize=5, label=steps_label)
    ax.plot(path_x[:1], path_y[:1], "o", color=style.VERMILLION, markersize=9, label="start")
    ax.plot(path_x[-1:], path_y[-1:], "*", color=style.VERMILLION, markersize=14, label="end")
    layout.label_axes(ax, "parameter", "cost (mean per example)")
    layout.legend_below(figure, [ax])
    return layout.finalize(figure)


def preprocessing(
    clouds: Mapping[str, ArrayLike], labels: ArrayLike | None = None, *, title: str = "Preprocessing"
) -> Figure:
    """A scatter plot of the same points after each preprocessing transform.

    Args:
        clouds: points (n, 2) by the transform's name.
        labels: (n,) class numbers, which colour the points.

    Both axes of a panel have the same scale, so that whitened points look round. Panels whose clouds are of similar
    size have the same axes, so that a shift is seen as a shift.
    """
    if not clouds:
        raise ValueError("expected at least one cloud of points, found none; pass points (n, 2) by name")
    rows, columns = layout.panel_grid(len(clouds), MAX_COLUMNS)
    figure = layout.new_figure(0.6 + 3.3 * columns, 0.9 + 3.5 * rows, title)
    axes = layout.add_panels(figure, rows, columns, len(clouds))
    arrays = {name: np.asarray(cloud, np.float64) for name, cloud in clouds.items()}
    for name, points in arrays.items():
        if points.ndim != 2 or points.shape[1] != 2:
            raise ValueError(f"expected points (n, 2) for {name!r}, found shape {points.shape}; pass two features")
    finite = [points[np.isfinite(points).all(axis=1)] for points in arrays.values()]
    squares = _common_squares(finite)
    names = style.distinct_names(list(arrays))
    for panel, (ax, points) in enumerate(zip(axes, arrays.values(), strict=True)):
        point_labels = np.zeros(len(points), int) if labels is None else np.asarray(labels, int)
        ax.axhline(0, color=style.GREY, linewidth=0.9)
        ax.axvline(0, color=style.GREY, linewidth=0.9)
        for i in np.unique(point_labels).tolist():
            color, marker = style.class_style(i)
            ax.scatter(
                *points[point_labels == i].T,
                s=14,
                alpha=0.7,
                linewidths=0,
                color=color,
                marker=marker,
                label=None if labels is None else f"class {i}",
            )
        ax.set_aspect("equal")
        (left, right), (bottom, top) = squares[panel]
        ax.set_xlim(left, right)
        ax.set_ylim(bottom, top)
        layout.label_axes(ax, "feature 1", "feature 2", _title_with_moments(names[panel], finite[panel]))
    layout.legend_below(figure, axes)
    return layout.finalize(figure)


def _common_squares(clouds: Sequence[np.ndarray]) -> list[np.ndarray]:
    """For each cloud (n, 2) the limits (2, 2) of its panel: a square that holds it and every cloud of similar size."""
    spans = [float(np.ptp(points, axis=0).max()) if len(points) else 0.0 for points in clouds]
    squares = []
    for span in spans:
        similar = [
            p
            for p, other in zip(clouds, spans, strict=True)
            if len(p) and other <= MAX_RATIO * span <= MAX_RATIO**2 * other
        ]
        points = np.concatenate(similar) if similar else np.zeros((1, 2))
        middle = (points.min(axis=0) + points.max(axis=0)) / 2
        half = 0.55 * (float(np.ptp(points, axis=0).max()) or 1.0)
        squares.append(np.stack([middle - half, middle + half], axis=1))
    return squares


def _title_with_moments(name: str, points: np.ndarray) -> str:
    if not len(points):
        return name
    sd = points.std(axis=0)
    # Adding 0.0 turns a rounded −0 into 0.
    means = ", ".join(f"{round(value, 2) + 0.0:.3g}" for value in points.mean(axis=0))
    return f"{name}\nmean ({means}), sd ({sd[0]:.2g}, {sd[1]:.2g})"
