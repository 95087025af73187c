"""Many small images in one panel. They share one axes, because an axes for each makes the layout slow."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from jaxnn.plots import layout, style

GAP = 0.08  # between images, as a fraction of an image's width
LINE_HEIGHT = 0.17  # inches of a line of a label
MAX_ASPECT = 4.0  # a taller image is shown squeezed


def grid_size(count: int, columns: int, shape: tuple[int, int], inches: float, lines: int) -> tuple[float, float]:
    """(width, height) in inches of a grid of images under labels of `lines` lines.

    Each of the `count` images has `shape` (h, w) and is `inches` wide.
    """
    rows = -(-count // columns)
    height = inches * _relative_height(shape) + GAP * inches + LINE_HEIGHT * lines
    return max(columns * inches * (1 + GAP), 3.6), rows * height


def add_panel(figure: Figure) -> Axes:
    """Adds the axes that the images share."""
    (ax,) = layout.add_panels(figure, 1, 1)
    ax.grid(False)
    return ax


def draw_images(
    ax: Axes,
    images: np.ndarray,
    labels: Sequence[str],
    *,
    columns: int,
    inches: float,
    lines: int,
    limits: tuple[float, float],
    cmap: Any,
) -> AxesImage:
    """Draws images (n, h, w) or (n, h, w, rgb) row by row, each under its label of `lines` lines; returns the last."""
    height = _relative_height((images.shape[1], images.shape[2]))
    label_height = LINE_HEIGHT * lines / inches
    image = None
    for i, (pixels, text) in enumerate(zip(images, labels, strict=True)):
        left = (i % columns) * (1 + GAP)
        top = -(i // columns) * (height + label_height + GAP) - label_height
        image = ax.imshow(
            pixels,
            cmap=cmap,
            vmin=limits[0],
            vmax=limits[1],
            extent=(left, left + 1, top - height, top),
            aspect="equal",
        )
        outline = Rectangle((left, top - height), 1, height, fill=False, edgecolor=style.GREY, linewidth=0.8)
        ax.add_patch(outline)
        ax.text(left + 0.5, top + 0.03, text, ha="center", va="bottom", fontsize=9, color=style.INK)
    if image is None:
        raise ValueError("expected at least one image, found none; pass images (n, h, w) with n > 0")
    rows = -(-len(images) // columns)
    ax.set_xlim(-GAP, columns * (1 + GAP))
    ax.set_ylim(-rows * (height + label_height + GAP), GAP)
    ax.axis("off")
    return image


def scale_pixels(images: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """Converts images (n, h, w) or (n, h, w, 1 or 3) of any scale to (pixels, (darkest, lightest)) for matplotlib."""
    if images.ndim == 4 and images.shape[-1] == 1:
        images = images[..., 0]
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[-1] != 3):
        raise ValueError(
            f"expected images (n, h, w) with 1 or 3 channels, found shape {images.shape}; put the channels last"
        )
    pixels = images.astype(np.float64)
    finite = pixels[np.isfinite(pixels)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    low = 0.0 if images.dtype == np.uint8 else min(low, 0.0)
    high = high if high > low else low + 1
    if pixels.ndim == 4:  # matplotlib requires colours between 0 and 1
        return np.nan_to_num((pixels - low) / (high - low)), (0.0, 1.0)
    return pixels, (low, high)


def _relative_height(shape: tuple[int, int]) -> float:
    return min(shape[0] / shape[1], MAX_ASPECT)
