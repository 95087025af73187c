"""The examples that a classifier got wrong, with what it took them for and how sure it was."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from jaxnn.plots import image_grid, style

MOST = 24
COLUMNS = 8
INCHES = 1.05


def misclassified(
    images: ArrayLike,
    true: ArrayLike,
    predicted: ArrayLike,
    probability: ArrayLike,
    classes: Sequence[str],
    *,
    title: str = "Misclassified",
) -> Figure:
    """The first 24 of the wrongly classified examples, in the order given.

    Args:
        images: (n, h, w), (n, h, w, 1) or (n, h, w, 3), of any scale; n may be 0.
        true, predicted: (n,) class numbers.
        probability: (n,) of the predicted class, as a fraction.
        classes: names, or () for the numbers themselves.
    """
    images, true, predicted = np.asarray(images), np.asarray(true, int), np.asarray(predicted, int)
    probability = np.asarray(probability, np.float64)
    n = len(images)
    if not n == len(true) == len(predicted) == len(probability):
        lengths = (n, len(true), len(predicted), len(probability))
        raise ValueError(f"expected as many labels and probabilities as images, found lengths {lengths}")
    if not n:
        figure = style.canvas(5.0, 1.8, title)
        ax = image_grid.frame(figure)
        ax.axis("off")
        style.note(ax, "no example was misclassified")
        return style.finish(figure)
    shown = min(n, MOST)
    pixels, limits = image_grid.greys_or_colours(images[:shown])
    names = style.class_names(classes, int(max(true.max(), predicted.max())) + 1)
    labels = [
        f"{_short(names[t])} → {_short(names[p])}\n{100 * chance:.0f} %"
        for t, p, chance in zip(true[:shown], predicted[:shown], probability[:shown], strict=True)
    ]
    # a name longer than its tile is wide would run into the next one
    widest = max(len(text.split("\n")[0]) for text in labels)
    inches = max(INCHES, 0.082 * widest)
    columns = min(shown, COLUMNS, max(1, int(9.5 / inches)))
    shape = (pixels.shape[1], pixels.shape[2])
    width, height = image_grid.grid_size(shown, columns, shape, inches, 2)
    many = f"first {shown} of {n}" if n > shown else f"{n}"
    figure = style.canvas(max(width, 5.6), height + 0.5, f"{title} ({many}): true → predicted, probability")
    ax = image_grid.frame(figure)
    image_grid.draw(ax, pixels, labels, columns=columns, inches=inches, lines=2, limits=limits, cmap="gray")
    return style.finish(figure)


def _short(name: str) -> str:
    return name if len(name) <= 10 else name[:9] + "…"
