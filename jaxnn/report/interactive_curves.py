"""Learning curves as SVG that answers the pointer by style alone: a report runs no script."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxnn.curve_statistics import evenly_chosen, measured_metrics, seed_range
from jaxnn.metric_labels import axis_label, is_share

WIDTH, HEIGHT = 440, 270
#: The left margin holds the longest number of the scale, such as −1.23e−05.
LEFT, RIGHT, TOP, BOTTOM = 76, 10, 58, 26
#: From one line of what is read off to the next.
LINE = 16
#: Places along a curve where a number can be read off, and rows of the table below it.
MAX_PLACES, MAX_ROWS = 80, 16


class Curve(NamedTuple):
    """A metric of one part of the data over the epochs: a row for each seed, a column for each evaluation."""

    part: str
    values: Float[np.ndarray, "seeds rows"]


def curve_figures(history: Mapping[str, np.ndarray]) -> list[tuple[str, str]]:
    """A title and the HTML of a figure for each metric that was measured, the loss first, the accuracy second.

    history: "epoch" (rows,), "train_loss" (seeds, rows) and so on
    """
    figures = []
    for metric in measured_metrics(history):
        scale = 100 if is_share(metric) else 1
        curves = [
            Curve(part, scale * np.asarray(history[f"{part}_{metric}"], np.float64))
            for part in ("train", "validation")
            if f"{part}_{metric}" in history and np.isfinite(history[f"{part}_{metric}"]).any()
        ]
        if len(history["epoch"]) > 1:
            label = axis_label(metric)
            figures.append((label[0].upper() + label[1:], curve_figure(label, np.asarray(history["epoch"]), curves)))
    return figures


def curve_figure(label: str, epochs: np.ndarray, curves: Sequence[Curve]) -> str:
    """The curves as an SVG, the mean over the seeds with a band from the lowest to the highest, and as a table."""
    chosen = evenly_chosen(len(epochs), MAX_PLACES)
    statistics = [seed_range(curve.values[:, chosen]) for curve in curves]
    finite = np.concatenate([band[np.isfinite(band)] for band in statistics])
    low, high = float(finite.min()), float(finite.max())
    low, high = (low - 0.5, high + 0.5) if low == high else (low, high)
    x = LEFT + (epochs[chosen] - epochs[0]) / (epochs[-1] - epochs[0]) * (WIDTH - LEFT - RIGHT)

    def y(values: np.ndarray) -> np.ndarray:
        return TOP + (high - values) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = [_grid(low, high, epochs), *_slices(x, epochs[chosen], curves, statistics)]
    for curve, (lowest, mean, highest) in zip(curves, statistics, strict=True):
        known = np.isfinite(mean)
        forth, back = _points(x[known], y(lowest[known])), _points(x[known][::-1], y(highest[known][::-1]))
        parts.insert(1, f'<polygon class="band {curve.part}" points="{forth} {back}"/>')
        parts.insert(2, f'<polyline class="curve {curve.part}" points="{_points(x[known], y(mean[known]))}"/>')
    last = ", ".join(f"{curve.part} {_short(s[1][-1])}" for curve, s in zip(curves, statistics, strict=True))
    key = " ".join(f'<span class="key {curve.part}">{curve.part}</span>' for curve in curves)
    return (
        f'<figure class="curves"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(label)} over the epochs; last: {escape(last)}">{"".join(parts)}</svg>\n'
        f"<figcaption>{key} Point at the curve to read it off.</figcaption>\n"
        f"{_table(epochs[chosen], curves, statistics)}</figure>"
    )


def _grid(low: float, high: float, epochs: np.ndarray) -> str:
    lines = []
    for share in (0.0, 0.5, 1.0):
        height = TOP + (1 - share) * (HEIGHT - TOP - BOTTOM)
        place = LEFT + share * (WIDTH - LEFT - RIGHT)
        anchor = {0.0: "start", 0.5: "middle", 1.0: "end"}[share]
        epoch = epochs[0] + share * (epochs[-1] - epochs[0])
        lines.append(f'<path class="grid" d="M{LEFT} {height:.1f}H{WIDTH - RIGHT}"/>')
        lines.append(
            f'<text x="{LEFT - 6}" y="{height + 4:.1f}" text-anchor="end">{low + share * (high - low):.3g}</text>'
        )
        lines.append(f'<text x="{place:.1f}" y="{HEIGHT - 8}" text-anchor="{anchor}">{epoch:,.0f}</text>')
    return "".join(lines)


def _slices(x: np.ndarray, epochs: np.ndarray, curves: Sequence[Curve], statistics: Sequence[np.ndarray]) -> list[str]:
    """A strip for each place, which shows its line and its numbers while the pointer is over it."""
    edges = np.concatenate([[LEFT], (x[1:] + x[:-1]) / 2, [WIDTH - RIGHT]])
    slices = []
    for i, epoch in enumerate(epochs):
        lines = [f"epoch {epoch:,}"]
        for curve, (lowest, mean, highest) in zip(curves, statistics, strict=True):
            if np.isfinite(mean[i]):
                band = f" ({_short(lowest[i])} … {_short(highest[i])})" if len(curve.values) > 1 else ""
                lines.append(f"{curve.part} {_short(mean[i])}{band}")
        texts = "".join(f'<text x="{LEFT}" y="{LINE * (k + 1)}">{escape(line)}</text>' for k, line in enumerate(lines))
        slices.append(
            f'<g class="slice"><rect x="{edges[i]:.1f}" y="0" width="{edges[i + 1] - edges[i]:.1f}" height="{HEIGHT}"/>'
            f'<path d="M{x[i]:.1f} {TOP}V{HEIGHT - BOTTOM}"/>{texts}</g>'
        )
    return slices


def _table(epochs: np.ndarray, curves: Sequence[Curve], statistics: Sequence[np.ndarray]) -> str:
    rows = evenly_chosen(len(epochs), MAX_ROWS)
    head = "".join(
        f'<th scope="col" class="number">{name}</th>' for name in ("epoch", *(curve.part for curve in curves))
    )
    body = "\n".join(
        f'<tr><td class="number">{epochs[i]:,}</td>'
        + "".join(f'<td class="number">{_short(band[1][i])}</td>' for band in statistics)
        + "</tr>"
        for i in rows
    )
    return (
        f"<details><summary>Numbers</summary><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n"
        "</table></details>"
    )


def _points(x: np.ndarray, y: np.ndarray) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))


def _short(value: float) -> str:
    return "–" if not np.isfinite(value) else f"{value:.4g}"
