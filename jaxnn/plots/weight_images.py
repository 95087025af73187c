"""Weights as images: the units of a dense layer, the filters of a convolution and the feature maps they compute."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from jaxnn.errors import plural
from jaxnn.plots import image_grid, layout, style

MAX_COLUMNS = 10
MAX_UNITS = 60
MAX_INPUTS = 6
MAX_OUTPUTS = 12

MAX_MAPS = 20
MAP_INCHES = 0.8


def weights(matrix: ArrayLike, image_shape: tuple[int, ...], *, title: str = "Weights of the first layer") -> Figure:
    """The incoming weights of each unit as an image: blue is negative, vermillion positive, one scale for all.

    Args:
        matrix: (n_in, units), the weight of a dense layer.
        image_shape: (h, w) or (h, w, channels), whose product is n_in; each channel is an image.
    """
    values = np.asarray(matrix, np.float64)
    shape = tuple(image_shape) if len(image_shape) == 3 else (*image_shape, 1)
    if values.ndim != 2 or len(shape) != 3 or int(np.prod(shape)) != values.shape[0]:
        raise ValueError(
            f"expected a matrix of ({'×'.join(map(str, image_shape))}, units), found {values.shape}; "
            "image_shape is the shape of one input image"
        )
    units, channels = values.shape[1], shape[2]
    count = min(units, max(1, MAX_UNITS // channels))
    images = values[:, :count].T.reshape(count, *shape).transpose(0, 3, 1, 2).reshape(-1, *shape[:2])
    names = [f"{u}" if channels == 1 else f"{u}, ch {c}" for u in range(count) for c in range(channels)]
    columns = MAX_COLUMNS if channels == 1 else channels * max(1, MAX_COLUMNS // channels)
    shown = f"{count} of {units} units" if count < units else plural(units, "unit")
    return _weight_grid(images, names, min(columns, len(names)), f"{title}: {shown}")


def filters(kernel: ArrayLike, *, title: str = "Convolution filters") -> Figure:
    """The kernel (height, width, in, out) of a convolution as images; several input channels have a row each."""
    values = np.asarray(kernel, np.float64)
    if values.ndim != 4:
        raise ValueError(
            f"expected a kernel (height, width, in, out), found shape {values.shape}; pass the weight of a convolution"
        )
    inputs, outputs = values.shape[2:]
    if inputs == 1:
        count = min(outputs, MAX_UNITS)
        images, columns = values[:, :, 0, :count].transpose(2, 0, 1), min(MAX_COLUMNS, count)
        names = [f"{o}" for o in range(count)]
        shown = f"{count} of {outputs}" if count < outputs else f"{outputs}"
    else:
        rows, columns = min(inputs, MAX_INPUTS), min(outputs, MAX_OUTPUTS)
        images = values[:, :, :rows, :columns].transpose(2, 3, 0, 1).reshape(-1, *values.shape[:2])
        names = [f"{i} → {o}" for i in range(rows) for o in range(columns)]
        shown = f"input → output channel, {rows} of {inputs} → {columns} of {outputs}"
    return _weight_grid(images, names, columns, f"{title}: {shown}")


def feature_maps(image: ArrayLike, kernel: ArrayLike, maps: ArrayLike, *, title: str = "Feature maps") -> Figure:
    """An input image, the filters of a convolution and, in the same order, the feature map of each.

    Args:
        image: (h, w), (h, w, 1) or (h, w, 3), of any scale.
        kernel: (height, width, in, out); the mean over `in` is shown.
        maps: (rows, columns, out); all share one scale, from their minimum to their maximum.
    """
    image, values, activations = np.asarray(image), np.asarray(kernel, np.float64), np.asarray(maps, np.float64)
    if values.ndim != 4 or activations.ndim != 3 or values.shape[3] != activations.shape[2]:
        raise ValueError(
            f"expected a kernel (height, width, in, out) and maps (rows, columns, out), "
            f"found shapes {values.shape} and {activations.shape}; pass one map for each filter"
        )
    channels = values.shape[3]
    count = min(channels, MAX_MAPS)
    columns = min(MAX_COLUMNS, count)
    filter_images = values[..., :count].mean(axis=2).transpose(2, 0, 1)
    map_images = activations[..., :count].transpose(2, 0, 1)
    sizes = [
        image_grid.grid_size(count, columns, (images.shape[1], images.shape[2]), MAP_INCHES, 1)
        for images in (filter_images, map_images)
    ]
    width, heights = sizes[0][0], [height for _, height in sizes]
    shown = f"{count} of {channels} channels" if count < channels else plural(count, "channel")
    figure = layout.new_figure(width + 3.0, sum(heights) + 1.4, f"{title}: {shown}")
    halves = figure.add_gridspec(1, 2, width_ratios=(1.9, width + 1.1))
    left, right = figure.add_subfigure(halves[0, 0]), figure.add_subfigure(halves[0, 1])
    pixels, pixel_limits = image_grid.scale_pixels(image[None])
    ax = left.subplots()
    ax.imshow(pixels[0], cmap="gray", vmin=pixel_limits[0], vmax=pixel_limits[1])
    ax.set_title("input", fontsize=style.LABEL_SIZE)
    ax.axis("off")
    finite = map_images[np.isfinite(map_images)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    upper, lower = right.subplots(2, 1, height_ratios=heights)
    mean = " (mean over input channels)" if values.shape[2] > 1 else ""
    panels = (
        (upper, filter_images, _symmetric_limits(filter_images), style.diverging(), f"filters{mean}", "weight"),
        (lower, map_images, (low, high if high > low else low + 1), "gray", "feature maps", "activation"),
    )
    names = [str(i) for i in range(count)]
    for ax, images, limits, cmap, panel_title, unit in panels:
        mappable = image_grid.draw_images(
            ax, images, names, columns=columns, inches=MAP_INCHES, lines=1, limits=limits, cmap=cmap
        )
        ax.set_title(panel_title, fontsize=style.LABEL_SIZE)
        right.colorbar(mappable, ax=ax, fraction=0.05).set_label(unit, fontsize=style.LABEL_SIZE)
    return layout.finalize(figure)


def _weight_grid(images: np.ndarray, names: list[str], columns: int, title: str) -> Figure:
    inches = min(2.0, max(0.85, 5 / columns))
    shape = (images.shape[1], images.shape[2])
    width, height = image_grid.grid_size(len(images), columns, shape, inches, 1)
    figure = layout.new_figure(max(width + 1.1, 6.0), max(height, 1.8) + 0.5, title)
    ax = image_grid.add_panel(figure)
    mappable = image_grid.draw_images(
        ax,
        images,
        names,
        columns=columns,
        inches=inches,
        lines=1,
        limits=_symmetric_limits(images),
        cmap=style.diverging(),
    )
    bar = figure.colorbar(mappable, ax=ax, shrink=0.85, fraction=0.05)
    bar.set_label("weight", fontsize=style.LABEL_SIZE)
    return layout.finalize(figure)


def _symmetric_limits(values: np.ndarray) -> tuple[float, float]:
    """(−m, m) for the largest finite magnitude m, so that zero is the middle of the colour map; m is 1 if all are 0."""
    largest = float(np.abs(values[np.isfinite(values)]).max(initial=0)) or 1.0
    return -largest, largest
