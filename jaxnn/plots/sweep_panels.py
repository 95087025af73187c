"""Figures of a sweep: the metric against each hyper-parameter, and the learning curves of the best members."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import ArrayLike

from jaxnn.plots import curves, layout, seed_bands, style

MAX_CATEGORY_LABELS = 12
MAX_CURVES = 8
MAX_PANELS = 6
CATEGORY_WIDTH = 0.7  # of the space of a category, for the markers of its members


def sweep(
    values: Mapping[str, Sequence[str]], metric: ArrayLike, *, ylabel: str = "loss", title: str = "Sweep"
) -> Figure:
    """The metric of each member of a sweep against the hyper-parameters that were varied.

    One hyper-parameter gives one line. A full grid of two gives a line for each value of the second. Otherwise each
    hyper-parameter has a panel with a marker for each member.

    Args:
        values: by hyper-parameter, one value for each member.
        metric: (members, seeds), NaN where a seed diverged.
    """
    scores = np.where(np.isfinite(metric), np.asarray(metric, np.float64), np.nan)
    names = list(values)
    lines = _grid_lines(values, scores)
    panel_names = names[:1] if lines else names[:MAX_PANELS]
    rows, columns = layout.panel_grid(len(panel_names), 3)
    figure = layout.new_figure(max(7.0, 4.4 * columns), 4.8 if rows == 1 else 3.9 * rows, title)
    axes = layout.add_panels(figure, rows, columns, len(panel_names))
    for ax, name in zip(axes, panel_names, strict=True):
        bands = _draw_lines(ax, names, lines) if lines else _draw_markers(ax, values[name], scores)
        seed_bands.log_scale_if_wide(ax, bands)
        layout.label_axes(ax, style.plain_text(name, max_length=48), ylabel)
    layout.legend_below(figure, axes)
    return layout.finalize(figure)


def sweep_curves(
    epoch: ArrayLike, member_curves: Mapping[str, ArrayLike], ylabel: str, *, title: str = "Sweep"
) -> Figure:
    """Learning curves of the best members.

    Args:
        epoch: (r,).
        member_curves: by member, best first, each (seeds, r); the first 8 are drawn.
    """
    figure = layout.new_figure(7.6, 4.8, title)
    (ax,) = layout.add_panels(figure, 1, 1)
    best = dict(list(member_curves.items())[:MAX_CURVES])
    seed_bands.log_scale_if_wide(ax, curves.draw_curves(ax, epoch, best, list(best)))
    layout.label_axes(ax, "epoch", ylabel)
    layout.legend_below(figure, [ax])
    return layout.finalize(figure)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def _axis_positions(texts: Sequence[str]) -> tuple[np.ndarray, list[str], bool]:
    """(positions, categories, logarithmic) of values on an axis.

    If all values are numbers, they are their positions, and there are no categories. Otherwise each distinct value is a
    category and its index is the position.
    """
    numbers = [_number(text) for text in texts]
    if None not in numbers and texts:
        x = np.array(numbers, np.float64)
        logarithmic = bool((x > 0).all() and x.max() >= 20 * x.min())
        return x, [], logarithmic
    categories = list(dict.fromkeys(texts))
    return np.array([categories.index(text) for text in texts], np.float64), categories, False


def _set_x_ticks(ax: Axes, x: np.ndarray, categories: list[str], logarithmic: bool) -> None:
    if logarithmic:
        ax.set_xscale("log")
        ticks = np.unique(x)
        if len(ticks) <= 7 and np.diff(np.log10(ticks)).min(initial=1.0) > 0.15:
            ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        else:
            ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.minorticks_off()
    elif categories:
        ticks = range(0, len(categories), -(-len(categories) // MAX_CATEGORY_LABELS))
        vertical = len(categories) > 6 or max(map(len, categories)) > 8
        names = style.distinct_names(categories)
        ax.set_xticks(list(ticks), [names[i] for i in ticks], rotation=90 if vertical else 0)
        ax.set_xlim(-0.5, len(categories) - 0.5)
    else:
        ax.xaxis.set_major_locator(MaxNLocator(nbins=6))
        layout.integer_ticks(ax, x)


def _grid_lines(values: Mapping[str, Sequence[str]], scores: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """{second value: {first value: (seeds,)}} if one hyper-parameter or a full grid of two was varied, else {}."""
    names = list(values)
    if len(names) > 2:
        return {}
    seconds = values[names[1]] if len(names) == 2 else [""] * len(scores)
    lines: dict[str, dict[str, np.ndarray]] = {}
    for first, second, member_scores in zip(values[names[0]], seconds, scores, strict=True):
        lines.setdefault(second, {})[first] = member_scores
    same_firsts = len({frozenset(line) for line in lines.values()}) == 1
    full_grid = same_firsts and sum(map(len, lines.values())) == len(scores)
    points = len(next(iter(lines.values()), {}))
    return lines if full_grid and len(lines) <= MAX_CURVES and points > 1 else {}


def _draw_lines(ax: Axes, names: Sequence[str], lines: Mapping[str, Mapping[str, np.ndarray]]) -> list[seed_bands.Band]:
    firsts = list(next(iter(lines.values())))
    x, categories, logarithmic = _axis_positions(firsts)
    order = np.argsort(x, kind="stable")
    numbers = {text: number for text in lines if (number := _number(text)) is not None}
    seconds = sorted(lines, key=lambda text: numbers[text]) if len(numbers) == len(lines) else list(lines)
    short_name = names[1].split(".")[-1] if len(names) > 1 else ""
    texts = style.distinct_names([f"{short_name} {second}" for second in seconds]) if len(names) > 1 else ["mean"]
    drawn = []
    for i, second in enumerate(seconds):
        scores = np.stack([lines[second][firsts[j]] for j in order], axis=1)
        drawn.append(seed_bands.Curve(texts[i], seed_bands.seed_band(x[order], scores), *style.line_style(i)))
    seed_bands.draw_curves(ax, drawn)
    _set_x_ticks(ax, x, categories, logarithmic)
    return [curve.band for curve in drawn]


def _draw_markers(ax: Axes, texts: Sequence[str], scores: np.ndarray) -> list[seed_bands.Band]:
    """Draws a marker at each member's mean and a bar from its lowest seed to its highest."""
    x, categories, logarithmic = _axis_positions(texts)
    x = _side_by_side(x) if categories else x
    band = seed_bands.seed_band(np.arange(len(scores)), scores.T)
    members = band.x.astype(int)
    if not len(members):
        layout.empty_note(ax, "no measurements")
        _set_x_ticks(ax, x, categories, logarithmic)
        return []
    seeds = scores.shape[1]
    label = f"one member: mean, min to max of {seeds} seeds" if seeds > 1 else "one member"
    ax.vlines(x[members], band.low, band.high, color=style.BLUE, alpha=0.35, linewidth=2)
    ax.plot(x[members], band.mean, linestyle="", marker="o", markersize=4.5, color=style.BLUE, label=label)
    _set_x_ticks(ax, x, categories, logarithmic)
    return [band]


def _side_by_side(x: np.ndarray) -> np.ndarray:
    """The positions (members,) of categories, with the members of one category spread over its width."""
    spread = x.astype(np.float64)
    for category in np.unique(x):
        members = np.flatnonzero(x == category)
        spread[members] += np.linspace(-CATEGORY_WIDTH / 2, CATEGORY_WIDTH / 2, len(members) + 2)[1:-1]
    return spread
