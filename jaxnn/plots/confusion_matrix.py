"""The confusion matrix: how often each true class was predicted as each."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from jaxnn.plots import style

MOST_NUMBERS = 20  # classes; more, and a number no longer fits its cell
MOST_NAMES = 40


def confusion(matrix: ArrayLike, classes: Sequence[str], *, title: str = "Confusion matrix") -> Figure:
    """Counts `matrix` (true, predicted), shaded by their share of the true class; classes may be ()."""
    counts = np.asarray(matrix)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(f"expected a square matrix (true, predicted), found shape {counts.shape}")
    n = len(counts)
    names = style.class_names(classes, n)
    share = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    total, right = int(counts.sum()), int(np.trace(counts))
    found = f"{100 * right / total:.2f} % of {total:,} right" if total else "no example"
    widest = max(map(len, names), default=1)
    side = float(np.clip(0.48 * n, 3.0, 8.0))  # inches of the matrix itself
    figure = style.canvas(side + 1.9 + 0.08 * widest, side + 1.2 + (0.08 * widest if n > 4 else 0), f"{title}: {found}")
    (ax,) = style.panels(figure, 1, 1)
    ax.grid(False)
    # the square root lets a few mistakes among many right answers show
    shades = PowerNorm(0.5, 0, 100)
    image = ax.imshow(share, cmap=style.sequential(), norm=shades, interpolation="nearest")
    shown = np.arange(0, n, max(1, -(-n // MOST_NAMES)))
    upright = 0.1 * widest * len(shown) <= side
    ax.set_xticks(shown, [names[i] for i in shown], rotation=0 if upright else 90)
    ax.set_yticks(shown, [names[i] for i in shown])
    for row, column in zip(*np.nonzero(counts), strict=True) if n <= MOST_NUMBERS else ():
        text = f"{counts[row, column]:,}"
        # as large as the cell holds: a digit is 0.64 of the letter's height wide
        font = min(style.LABEL, 0.9 * 72 * side / n / (0.64 * len(text)))
        pale = shades(share[row, column]) < 0.6
        color = style.INK if pale else "white"
        ax.text(column, row, text, ha="center", va="center", fontsize=font, color=color)
    style.label(ax, "predicted class", "true class")
    bar = figure.colorbar(image, ax=ax, shrink=0.85, ticks=[0, 1, 5, 10, 20, 40, 60, 80, 100])
    bar.set_label("share of the true class (%)", fontsize=style.LABEL)
    return style.finish(figure)
