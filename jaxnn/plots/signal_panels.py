"""A denoiser at work: the clean signal, what it was given, what it made of it."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from jaxnn.plots import style

MOST = 4


def signals(clean: ArrayLike, noisy: ArrayLike, denoised: ArrayLike, *, title: str = "Denoised signal") -> Figure:
    """Up to four examples, one above the other; each array is (samples,) or (examples, samples)."""
    arrays = [np.atleast_2d(np.asarray(a, np.float64)) for a in (clean, noisy, denoised)]
    if not arrays[0].shape == arrays[1].shape == arrays[2].shape or arrays[0].ndim != 2:
        raise ValueError(f"expected one shape (examples, samples) for all, found {[a.shape for a in arrays]}")
    pure, given, made = arrays
    shown = min(len(pure), MOST)
    if not shown:
        raise ValueError("expected at least one example, found none")
    figure = style.canvas(8.5, 1.2 + (2.0 if shown > 1 else 3.2) * shown, title)
    axes = style.panels(figure, shown, 1)
    sample = np.arange(pure.shape[1])
    for i, ax in enumerate(axes):
        ax.plot(sample, given[i], ".", color=style.ORANGE, markersize=4.5, label="noisy (input)")
        ax.plot(sample, pure[i], "--", color=style.INK, linewidth=1.6, label="clean (target)")
        ax.plot(sample, made[i], "-", color=style.BLUE, linewidth=2.0, label="denoised (output)")
        before, after = _error(given[i], pure[i]), _error(made[i], pure[i])
        which = f"example {i + 1}: " if shown > 1 else ""
        style.label(ax, "sample", "value", f"{which}rms error {before:.3g} noisy, {after:.3g} denoised")
    style.legend_below(figure, axes)
    return style.finish(figure)


def _error(signal: np.ndarray, target: np.ndarray) -> float:
    """Root of the mean squared difference, NaN where either is not finite."""
    if not np.isfinite([signal, target]).all():
        return float("nan")
    return float(np.sqrt(np.mean((signal - target) ** 2)))
