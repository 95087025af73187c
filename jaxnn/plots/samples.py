"""Figures of generative nets: what they make, beside real examples, and how it changes while they learn."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from jaxnn.plots import image_grid, layout, style

#: A name, and top, left, bottom, right in pixels.
Object = tuple[str, tuple[float, ...]]

#: Columns of a grid of samples, and the inches of an image.
COLUMNS, INCHES = 10, 0.62
#: Points of each kind in a panel.
MAX_POINTS = 2000


def sample_images(images: np.ndarray, labels: Sequence[str] = (), *, title: str, columns: int = COLUMNS) -> Figure:
    """Images (n, h, w, channels) in a grid; labels stand above them where there are any."""
    pixels, limits = image_grid.scale_pixels(images)
    lines = 1 if labels else 0
    shape = (images.shape[1], images.shape[2])
    width, height = image_grid.grid_size(len(images), columns, shape, INCHES, lines)
    figure = layout.new_figure(width + 0.4, height + 0.7, title)
    image_grid.draw_images(
        image_grid.add_panel(figure),
        pixels,
        labels or [""] * len(images),
        columns=columns,
        inches=INCHES,
        lines=lines,
        limits=limits,
        cmap="gray_r",
    )
    return layout.finalize(figure)


def reconstructions(target: np.ndarray, output: np.ndarray, *, title: str) -> Figure:
    """Images (n, h, w, channels) in the upper row of each pair, and what a net makes of them in the lower one."""
    n = len(target) // COLUMNS * COLUMNS or len(target)
    columns = min(COLUMNS, n)
    rows = [part[i : i + columns] for i in range(0, n, columns) for part in (target, output)]
    return sample_images(np.concatenate(rows), title=title, columns=columns)


def segmentation(x: np.ndarray, true: np.ndarray, predicted: np.ndarray, *, title: str) -> Figure:
    """A row for each picture (n, h, w, channels): it, its classes of pixels (n, h, w), the predicted ones, and where
    these are wrong."""
    pixels, limits = image_grid.scale_pixels(x)
    figure = layout.new_figure(7.6, 1.9 * len(x) + 0.6, title)
    axes = layout.add_panels(figure, len(x), 4)
    classes = max(int(true.max()), int(predicted.max()), 1)
    for i, row in enumerate(np.asarray(axes, dtype=object).reshape(len(x), 4)):
        shown = ((pixels[i], "gray_r", limits), (true[i], "tab20", (0, classes)), (predicted[i], "tab20", (0, classes)))
        for ax, (image, colors, (low, high)), name in zip(row, shown, ("picture", "truth", "prediction"), strict=False):
            ax.imshow(image, cmap=colors, vmin=low, vmax=high, interpolation="nearest")
            ax.set_title(name if i == 0 else "", fontsize=style.LABEL_SIZE)
        row[3].imshow(true[i] != predicted[i], cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
        row[3].set_title("wrong" if i == 0 else "", fontsize=style.LABEL_SIZE)
        for ax in row:
            ax.axis("off")
    return layout.finalize(figure)


def detections(
    x: np.ndarray, true: Sequence[Sequence[Object]], found: Sequence[Sequence[Object]], *, title: str
) -> Figure:
    """A column for each picture (n, h, w, channels): above with the boxes of its objects, below with those found.

    true, found: the objects of each picture: a name, and top, left, bottom, right in pixels
    """
    pixels, limits = image_grid.scale_pixels(x)
    figure = layout.new_figure(max(1.9 * len(x), 4.0), 4.6, title)
    axes = np.asarray(layout.add_panels(figure, 2, len(x)), dtype=object).reshape(2, len(x))
    for row, (objects, name, color) in enumerate(((true, "truth", style.BLUE), (found, "found", style.VERMILLION))):
        for i, ax in enumerate(axes[row]):
            ax.imshow(pixels[i], cmap="gray_r", vmin=limits[0], vmax=limits[1], interpolation="nearest")
            for label, (top, left, bottom, right) in objects[i]:
                corner = (left - 0.5, top - 0.5)
                ax.add_patch(Rectangle(corner, right - left, bottom - top, fill=False, edgecolor=color, linewidth=1.6))
                # Below the box, or above it where there is no room.
                below = bottom + 2 < x.shape[1]
                ax.text(
                    (left + right) / 2 - 0.5,
                    bottom - 0.3 if below else top - 0.7,
                    label,
                    color=color,
                    fontsize=style.TICK_SIZE,
                    weight="bold",
                    ha="center",
                    va="top" if below else "bottom",
                )
            ax.set_title(name if i == 0 else "", fontsize=style.LABEL_SIZE)
            ax.axis("off")
    return layout.finalize(figure)


def points_over_training(samples: np.ndarray, real: np.ndarray | None, names: Sequence[str], *, title: str) -> Figure:
    """A panel for each time: samples (times, n, 2) over real examples (m, 2), all on one scale."""
    columns = min(len(samples), 4)
    rows = -(-len(samples) // columns)
    figure = layout.new_figure(2.3 * columns, 2.4 * rows + 0.5, title)
    axes = np.asarray(layout.add_panels(figure, rows, columns), dtype=object).ravel()
    shown = samples[-1] if real is None else real
    shown = shown[np.isfinite(shown).all(axis=1)]
    low, high = (shown.min(axis=0), shown.max(axis=0)) if len(shown) else (-np.ones(2), np.ones(2))
    margin = 0.15 * (high - low).max()
    for ax, points, name in zip(axes, samples, names, strict=False):
        if real is not None:
            ax.scatter(*real[:MAX_POINTS].T, s=5, color=style.GREY, alpha=0.4, linewidths=0)
        ax.scatter(*points[:MAX_POINTS].T, s=5, color=style.VERMILLION, alpha=0.6, linewidths=0)
        ax.set_title(style.plain_text(name), fontsize=style.LABEL_SIZE)
        ax.set(xlim=(low[0] - margin, high[0] + margin), ylim=(low[1] - margin, high[1] + margin))
        ax.set_aspect("equal", adjustable="box")
        layout.label_axes(ax, "first number", "second number")
    for ax in axes[len(samples) :]:
        ax.axis("off")
    return layout.finalize(figure)


def sample_points(samples: np.ndarray, real: np.ndarray | None, *, title: str) -> Figure:
    """Points of the plane (n, 2): samples over real examples."""
    figure = layout.new_figure(5.2, 5.2, title)
    (ax,) = layout.add_panels(figure, 1, 1)
    if real is not None:
        ax.scatter(*real[:MAX_POINTS].T, s=9, color=style.GREY, alpha=0.5, linewidths=0, label="real")
    ax.scatter(*samples[:MAX_POINTS].T, s=9, color=style.VERMILLION, alpha=0.6, linewidths=0, label="samples")
    ax.set_aspect("equal", adjustable="datalim")
    ax.legend(loc="upper right")
    layout.label_axes(ax, "first number", "second number")
    return layout.finalize(figure)
