"""What the first layer looks for: each unit's weights, or each convolution filter, as an image about zero."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from jaxnn.plots import image_grid, style

MOST_UNITS = 60
MOST_INPUTS = 6
MOST_OUTPUTS = 12


def weights(matrix: ArrayLike, image_shape: tuple[int, ...], *, title: str = "Weights of the first layer") -> Figure:
    """Each unit's incoming weights as an image; blue is negative, vermillion positive, one scale for all.

    Args:
        matrix: (n_in, units), as a dense layer holds them.
        image_shape: (h, w) or (h, w, channels), whose product is n_in; each channel is a tile of its own.
    """
    values = np.asarray(matrix, np.float64)
    shape = tuple(image_shape) if len(image_shape) == 3 else (*image_shape, 1)
    if values.ndim != 2 or len(shape) != 3 or int(np.prod(shape)) != values.shape[0]:
        raise ValueError(f"expected a matrix of ({'×'.join(map(str, image_shape))}, units), found {values.shape}")
    units, channels = values.shape[1], shape[2]
    shown = min(units, max(1, MOST_UNITS // channels))
    stack = values[:, :shown].T.reshape(shown, *shape).transpose(0, 3, 1, 2).reshape(-1, *shape[:2])
    names = [f"{u}" if channels == 1 else f"{u}, ch {c}" for u in range(shown) for c in range(channels)]
    columns = min(10, len(names)) if channels == 1 else channels * max(1, 10 // channels)
    many = f"{shown} of {units} units" if shown < units else f"{units} unit" + "s" * (units != 1)
    return _signed(stack, names, min(columns, len(names)), f"{title}: {many}")


def filters(kernel: ArrayLike, *, title: str = "Convolution filters") -> Figure:
    """A kernel (height, width, in, out) as images: a row for each input channel if there are several."""
    values = np.asarray(kernel, np.float64)
    if values.ndim != 4:
        raise ValueError(f"expected a kernel (height, width, in, out), found shape {values.shape}")
    inputs, outputs = values.shape[2:]
    if inputs == 1:
        shown = min(outputs, MOST_UNITS)
        stack, columns = values[:, :, 0, :shown].transpose(2, 0, 1), min(10, shown)
        names = [f"{o}" for o in range(shown)]
        part = f"{shown} of {outputs}" if shown < outputs else f"{outputs}"
    else:
        rows, columns = min(inputs, MOST_INPUTS), min(outputs, MOST_OUTPUTS)
        stack = values[:, :, :rows, :columns].transpose(2, 3, 0, 1).reshape(-1, *values.shape[:2])
        names = [f"{i} → {o}" for i in range(rows) for o in range(columns)]
        part = f"input → output channel, {rows} of {inputs} → {columns} of {outputs}"
    return _signed(stack, names, columns, f"{title}: {part}")


def _signed(stack: np.ndarray, names: list[str], columns: int, title: str) -> Figure:
    finite = np.abs(stack[np.isfinite(stack)])
    largest = float(finite.max(initial=0)) or 1.0
    inches = min(2.0, max(0.85, 5 / columns))
    shape = (stack.shape[1], stack.shape[2])
    width, height = image_grid.grid_size(len(stack), columns, shape, inches, 1)
    figure = style.canvas(max(width + 1.1, 6.0), max(height, 1.8) + 0.5, title)
    ax = image_grid.frame(figure)
    image = image_grid.draw(
        ax,
        stack,
        names,
        columns=columns,
        inches=inches,
        lines=1,
        limits=(-largest, largest),
        cmap=style.diverging(),
    )
    bar = figure.colorbar(image, ax=ax, shrink=0.85, fraction=0.05)
    bar.set_label("weight", fontsize=style.LABEL)
    return style.finish(figure)
