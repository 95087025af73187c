"""Figures of what a trained model predicts: confusion matrix, misclassified images, parity, denoised signals."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from jaxnn.plots import image_grid, layout, style

MAX_NUMBERED_CLASSES = 20  # of more classes the counts no longer fit their cells
MAX_CLASS_NAMES = 40

MAX_MISCLASSIFIED = 24
MAX_COLUMNS = 8
MIN_TILE_INCHES = 1.05
MAX_TILE_NAME = 10  # characters of a class name over a tile

MAX_SIGNALS = 4


def confusion_matrix(matrix: ArrayLike, classes: Sequence[str], *, title: str = "Confusion matrix") -> Figure:
    """Counts `matrix` (true, predicted), shaded by their share of the true class; classes may be ()."""
    counts = np.asarray(matrix)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(
            f"expected a square matrix (true, predicted), found shape {counts.shape}; give a row and a column per class"
        )
    n = len(counts)
    names = style.class_names(classes, n)
    share = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    total, correct = int(counts.sum()), int(np.trace(counts))
    score = f"{100 * correct / total:.2f} % of {total:,} correct" if total else "no examples"
    longest = max(map(len, names), default=1)
    side = float(np.clip(0.48 * n, 3.0, 8.0))  # inches of the matrix itself
    ticks = np.arange(0, n, max(1, -(-n // MAX_CLASS_NAMES)))
    horizontal = 0.1 * longest * len(ticks) <= side
    height = side + 1.2 + (0 if horizontal else 0.08 * longest)
    figure = layout.new_figure(side + 1.9 + 0.08 * longest, height, f"{title}: {score}")
    (ax,) = layout.add_panels(figure, 1, 1)
    ax.grid(False)
    # The square root makes a few mistakes visible among many correct answers.
    norm = PowerNorm(0.5, 0, 100)
    image = ax.imshow(share, cmap=style.sequential(), norm=norm, interpolation="nearest")
    ax.set_xticks(ticks, [names[i] for i in ticks], rotation=0 if horizontal else 90)
    ax.set_yticks(ticks, [names[i] for i in ticks])
    for row, column in zip(*np.nonzero(counts), strict=True) if n <= MAX_NUMBERED_CLASSES else ():
        text = f"{counts[row, column]:,}"
        # The largest font that fits the cell: a digit is 0.64 of the font's height wide.
        font = min(style.LABEL_SIZE, 0.9 * 72 * side / n / (0.64 * len(text)))
        color = style.INK if norm(share[row, column]) < 0.6 else "white"
        ax.text(column, row, text, ha="center", va="center", fontsize=font, color=color)
    layout.label_axes(ax, "predicted class", "true class")
    bar = figure.colorbar(image, ax=ax, shrink=0.85, ticks=[0, 1, 5, 10, 20, 40, 60, 80, 100])
    bar.set_label("share of the true class (%)", fontsize=style.LABEL_SIZE)
    return layout.finalize(figure)


def misclassified(
    images: ArrayLike,
    true: ArrayLike,
    predicted: ArrayLike,
    probability: ArrayLike,
    classes: Sequence[str],
    *,
    title: str = "Misclassified",
) -> Figure:
    """The first 24 misclassified examples in the given order, each with its true and predicted class.

    Args:
        images: (n, h, w), (n, h, w, 1) or (n, h, w, 3), of any scale; n may be 0.
        true, predicted: (n,) class numbers.
        probability: (n,) of the predicted class, as a fraction.
        classes: names, or () to show the class numbers.
    """
    images, true, predicted = np.asarray(images), np.asarray(true, int), np.asarray(predicted, int)
    probability = np.asarray(probability, np.float64)
    n = len(images)
    lengths = (n, len(true), len(predicted), len(probability))
    if len(set(lengths)) > 1:
        raise ValueError(
            f"expected as many labels and probabilities as images, found lengths {lengths}; "
            "pass a true label, a predicted label and a probability for each image"
        )
    if not n:
        figure = layout.new_figure(5.0, 1.8, title)
        ax = image_grid.add_panel(figure)
        ax.axis("off")
        layout.empty_note(ax, "no example was misclassified")
        return layout.finalize(figure)
    count = min(n, MAX_MISCLASSIFIED)
    pixels, limits = image_grid.scale_pixels(images[:count])
    names = style.class_names(classes, int(max(true.max(), predicted.max())) + 1, max_length=MAX_TILE_NAME)
    labels = [
        f"{names[t]} → {names[p]}\n{100 * chance:.0f} %"
        for t, p, chance in zip(true[:count], predicted[:count], probability[:count], strict=True)
    ]
    # A label wider than its tile would run into the next one.
    longest = max(len(text.split("\n")[0]) for text in labels)
    inches = max(MIN_TILE_INCHES, 0.082 * longest)
    columns = min(count, MAX_COLUMNS, max(1, int(9.5 / inches)))
    shape = (pixels.shape[1], pixels.shape[2])
    width, height = image_grid.grid_size(count, columns, shape, inches, 2)
    shown = f"first {count} of {n}" if n > count else f"{n}"
    figure = layout.new_figure(max(width, 5.6), height, f"{title} ({shown}): true → predicted, probability")
    layout.add_title_height(figure)
    ax = image_grid.add_panel(figure)
    image_grid.draw_images(ax, pixels, labels, columns=columns, inches=inches, lines=2, limits=limits, cmap="gray")
    return layout.finalize(figure)


def denoised_signals(
    clean: ArrayLike, noisy: ArrayLike, denoised: ArrayLike, *, title: str = "Denoised signal"
) -> Figure:
    """Target, input and output of a denoiser for up to four examples, each (samples,) or (examples, samples)."""
    targets, inputs, outputs = (np.atleast_2d(np.asarray(a, np.float64)) for a in (clean, noisy, denoised))
    if not targets.shape == inputs.shape == outputs.shape or targets.ndim != 2:
        shapes = [a.shape for a in (targets, inputs, outputs)]
        raise ValueError(
            f"expected one shape (examples, samples) for all, found {shapes}; pass the same examples three times"
        )
    count = min(len(targets), MAX_SIGNALS)
    if not count:
        raise ValueError("expected at least one example, found none; pass signals (examples, samples)")
    figure = layout.new_figure(8.5, 1.2 + (2.0 if count > 1 else 3.2) * count, title)
    axes = layout.add_panels(figure, count, 1)
    sample = np.arange(targets.shape[1])
    for i, ax in enumerate(axes):
        ax.plot(sample, inputs[i], ".", color=style.ORANGE, markersize=4.5, label="noisy (input)")
        ax.plot(sample, targets[i], "--", color=style.INK, linewidth=1.6, label="clean (target)")
        ax.plot(sample, outputs[i], "-", color=style.BLUE, linewidth=2.0, label="denoised (output)")
        before, after = _rms_error(inputs[i], targets[i]), _rms_error(outputs[i], targets[i])
        example = f"example {i + 1}: " if count > 1 else ""
        layout.label_axes(ax, "sample", "value", f"{example}rms error {before:.3g} noisy, {after:.3g} denoised")
    layout.legend_below(figure, axes)
    return layout.finalize(figure)


def forecast(
    truth: ArrayLike, ahead: ArrayLike, running: ArrayLike, ylabel: str = "", *, title: str = "Forecast"
) -> Figure:
    """A series (places,), its forecast from the true numbers before each place, and one that runs on from its own."""
    figure = layout.new_figure(9.0, 4.4, title)
    (ax,) = layout.add_panels(figure, 1, 1)
    curves = (
        (truth, "truth", style.BLACK, "-"),
        (ahead, "a step ahead", style.BLUE, "--"),
        (running, "running on from its own numbers", style.VERMILLION, "-."),
    )
    for values, name, color, dashes in curves:
        numbers = np.asarray(values, float)
        ax.plot(np.arange(1, len(numbers) + 1), numbers, color=color, linestyle=dashes, label=name)
    layout.label_axes(ax, "place", style.plain_text(ylabel) or "number")
    layout.legend_below(figure, [ax])
    return layout.finalize(figure)


def parity(
    true: ArrayLike, predicted: ArrayLike, names: Sequence[str] = (), *, title: str = "Predicted against true"
) -> Figure:
    """Predicted against true numbers, a panel for each output; on the diagonal they are equal.

    Args:
        true, predicted: (examples, outputs).
        names: of the outputs; one without a name is numbered.
    """
    targets, outputs = (np.asarray(a, np.float64) for a in (true, predicted))
    if targets.shape != outputs.shape or targets.ndim != 2 or not targets.size:
        raise ValueError(
            f"expected one shape (examples, outputs) for both, found {targets.shape} and {outputs.shape}; "
            "pass the targets and the predictions of the same examples"
        )
    count = targets.shape[1]
    rows, columns = layout.panel_grid(count, 3)
    figure = layout.new_figure(5.2 if columns == 1 else 4.2 * columns, 0.8 + 4.2 * rows, title)
    axes = layout.add_panels(figure, rows, columns, count)
    for i, ax in enumerate(axes):
        t, y = targets[:, i], outputs[:, i]
        finite = np.isfinite(t) & np.isfinite(y)
        ends = (
            [min(t[finite].min(), y[finite].min()), max(t[finite].max(), y[finite].max())] if finite.any() else [0, 1]
        )
        margin = 0.05 * (ends[1] - ends[0]) or 0.5
        ends = [ends[0] - margin, ends[1] + margin]
        ax.plot(ends, ends, "--", color=style.INK, linewidth=1.2, label="predicted = true")
        size = float(np.clip(60 / np.sqrt(len(t)), 2, 7))
        ax.plot(t, y, "o", color=style.BLUE, markersize=size, alpha=0.6, markeredgewidth=0, label="example")
        ax.set(xlim=ends, ylim=ends, aspect="equal")
        name = names[i] if i < len(names) else f"output {i}" if count > 1 else ""
        error = f"mean absolute error {np.mean(np.abs(y - t)) if finite.all() else np.nan:.3g}"
        layout.label_axes(ax, "true", "predicted", f"{name}\n{error}" if name else error)
    layout.legend_below(figure, axes)
    return layout.finalize(figure)


def _rms_error(signal: np.ndarray, target: np.ndarray) -> float:
    """Root mean squared difference; NaN if either is not finite."""
    if not np.isfinite([signal, target]).all():
        return float("nan")
    return float(np.sqrt(np.mean((signal - target) ** 2)))
