"""Figures of novelty detection: the scores of normal and new examples, and how well they are told apart."""

import numpy as np
from matplotlib.figure import Figure

from jaxnn.plots import layout, style

BINS = 40


def novelty_scores(score: np.ndarray, new: np.ndarray, threshold: float, auc: float, *, title: str) -> Figure:
    """Left the histograms of the scores (n,) of normal and new examples; right the ROC, with the area under it.

    new: (n,), whether an example is new; threshold: the score above which an example is called new
    """
    finite = np.isfinite(score)
    score, new = score[finite], new[finite]
    figure = layout.new_figure(9.0, 4.0, title)
    left, right = layout.add_panels(figure, 1, 2)
    low, high = (score.min(), np.quantile(score, 0.995)) if len(score) else (0.0, 1.0)
    bins = np.linspace(low, high if high > low else low + 1, BINS)
    for chosen, name, color in ((~new, "normal", style.BLUE), (new, "new", style.VERMILLION)):
        if not chosen.any():
            continue
        left.hist(score[chosen], bins=list(bins), density=True, alpha=0.6, color=color, label=name)
    left.axvline(threshold, color=style.INK, linestyle="--", label="threshold")
    left.legend()
    layout.label_axes(left, "reconstruction error", "density")
    order = np.argsort(-score)
    hits, alarms = np.cumsum(new[order]) / max(new.sum(), 1), np.cumsum(~new[order]) / max((~new).sum(), 1)
    right.plot(np.concatenate([[0], 100 * alarms]), np.concatenate([[0], 100 * hits]), color=style.BLUE)
    right.plot([0, 100], [0, 100], color=style.GREY, linestyle=":")
    layout.label_axes(
        right, "normal examples called new (%)", "new examples found (%)", f"area under the curve {auc:.3f}"
    )
    return layout.finalize(figure)
