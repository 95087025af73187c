"""Many small images in one frame: one axes for all, since an axes for each makes the layout slow."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from jaxnn.plots import style

GAP = 0.08  # of a tile's width


def grid_size(count: int, columns: int, shape: tuple[int, int], inches: float, lines: int) -> tuple[float, float]:
    """Width and height in inches of `count` tiles of `shape` (h, w), with `lines` of text over each."""
    rows = -(-count // columns)
    tall = inches * min(shape[0] / shape[1], 4.0) + GAP * inches + 0.17 * lines
    return max(columns * inches * (1 + GAP), 3.6), rows * tall


def draw(
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
    """Draws images (n, h, w) or (n, h, w, rgb), row by row, each under its label of `lines` lines."""
    shape = (images.shape[1], images.shape[2])
    tall = min(shape[0] / shape[1], 4.0)
    room = 0.17 * lines / inches
    image = None
    for i, (tile, text) in enumerate(zip(images, labels, strict=True)):
        left = (i % columns) * (1 + GAP)
        top = -(i // columns) * (tall + room + GAP) - room
        image = ax.imshow(
            tile,
            cmap=cmap,
            vmin=limits[0],
            vmax=limits[1],
            extent=(left, left + 1, top - tall, top),
            aspect="equal",
        )
        edge = Rectangle((left, top - tall), 1, tall, fill=False, edgecolor=style.MISSING, linewidth=0.8)
        ax.add_patch(edge)
        ax.text(left + 0.5, top + 0.03, text, ha="center", va="bottom", fontsize=9, color=style.INK)
    if image is None:
        raise ValueError("expected at least one image, found none")
    rows = -(-len(images) // columns)
    ax.set_xlim(-GAP, columns * (1 + GAP))
    ax.set_ylim(-rows * (tall + room + GAP), GAP)
    ax.axis("off")
    return image


def frame(figure: Figure) -> Axes:
    """The one axes that the tiles share."""
    (ax,) = style.panels(figure, 1, 1)
    ax.grid(False)
    return ax


def greys_or_colours(images: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """Images (n, h, w) or (n, h, w, 1 or 3) of any scale, ready to draw, and their darkest and lightest."""
    if images.ndim == 4 and images.shape[-1] == 1:
        images = images[..., 0]
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[-1] != 3):
        raise ValueError(f"expected images (n, h, w) with 1 or 3 channels, found shape {images.shape}")
    pixels = images.astype(np.float64)
    finite = pixels[np.isfinite(pixels)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    low = 0.0 if images.dtype == np.uint8 else min(low, 0.0)
    high = high if high > low else low + 1
    if pixels.ndim == 4:  # matplotlib takes colours between 0 and 1 only
        return np.nan_to_num((pixels - low) / (high - low)), (0.0, 1.0)
    return pixels, (low, high)
