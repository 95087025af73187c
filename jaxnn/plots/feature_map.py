"""What a convolution sees in one image: each filter, and under it the map that it makes."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from jaxnn.plots import image_grid, style

MOST = 20
COLUMNS = 10
INCHES = 0.8


def feature_maps(image: ArrayLike, kernel: ArrayLike, maps: ArrayLike, *, title: str = "Feature maps") -> Figure:
    """The image, then the filters, then their maps, in the same order.

    Args:
        image: (h, w), (h, w, 1) or (h, w, 3), of any scale.
        kernel: (height, width, in, out); the mean over `in` is shown where there are several.
        maps: (rows, columns, out), each shown between the least and the greatest value of all.
    """
    image, values, seen = np.asarray(image), np.asarray(kernel, np.float64), np.asarray(maps, np.float64)
    if values.ndim != 4 or seen.ndim != 3 or values.shape[3] != seen.shape[2]:
        raise ValueError(
            f"expected a kernel (height, width, in, out) and maps (rows, columns, out), "
            f"found shapes {values.shape} and {seen.shape}"
        )
    shown = min(values.shape[3], MOST)
    stack = values[..., :shown].mean(axis=2).transpose(2, 0, 1)
    seen = seen[..., :shown].transpose(2, 0, 1)
    columns = min(COLUMNS, shown)
    names = [str(i) for i in range(shown)]
    parts = [image_grid.grid_size(shown, columns, (s.shape[1], s.shape[2]), INCHES, 1) for s in (stack, seen)]
    width, heights = parts[0][0], [parts[0][1], parts[1][1]]
    many = f"{shown} of {values.shape[3]} channels" if shown < values.shape[3] else f"{shown} channels"
    figure = style.canvas(width + 3.0, sum(heights) + 1.4, f"{title}: {many}")
    halves = figure.add_gridspec(1, 2, width_ratios=(1.9, width + 1.1))
    left, right = figure.add_subfigure(halves[0, 0]), figure.add_subfigure(halves[0, 1])
    pixels, limits = image_grid.greys_or_colours(image[None])
    ax = left.subplots()
    ax.imshow(pixels[0], cmap="gray", vmin=limits[0], vmax=limits[1])
    ax.set_title("input", fontsize=style.LABEL)
    ax.axis("off")
    largest = float(np.abs(stack[np.isfinite(stack)]).max(initial=0)) or 1.0
    finite = seen[np.isfinite(seen)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    upper, lower = right.subplots(2, 1, height_ratios=heights)
    over = " (mean over input channels)" if values.shape[2] > 1 else ""
    rows = (
        (upper, stack, (-largest, largest), style.diverging(), f"filters{over}", "weight"),
        (lower, seen, (low, high if high > low else low + 1), "gray", "maps", "activation"),
    )
    for ax, pictures, limits, cmap, what, unit in rows:
        drawn = image_grid.draw(ax, pictures, names, columns=columns, inches=INCHES, lines=1, limits=limits, cmap=cmap)
        ax.set_title(what, fontsize=style.LABEL)
        right.colorbar(drawn, ax=ax, fraction=0.05).set_label(unit, fontsize=style.LABEL)
    return style.finish(figure)
