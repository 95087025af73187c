"""A sweep: the metric against each value that was varied, and how the best members learned."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import ArrayLike

from jaxnn.plots import loss_curves, seed_bands, style

MOST = 12  # names on an axis of words
LINES = 8  # curves in one panel


def sweep(
    values: Mapping[str, Sequence[str]], metric: ArrayLike, *, ylabel: str = "loss", title: str = "Sweep"
) -> Figure:
    """The metric (members, seeds), NaN where a seed diverged, against each name's values, one for each member.

    A line through the values of a single name; through those of two, where all their combinations are there, a line for
    each value of the second; else a panel for each name, a mark for each member.
    """
    measured = np.where(np.isfinite(metric), np.asarray(metric, np.float64), np.nan)
    names = list(values)
    lines = _lines(values, measured)
    shown = names[:1] if lines else names[:6]
    across = style.columns(len(shown), 3)
    rows = -(-len(shown) // across)
    figure = style.canvas(max(7.0, 4.4 * across), 4.8 if rows == 1 else 3.9 * rows, title)
    axes = style.panels(figure, rows, across, len(shown))
    for ax, name in zip(axes, shown, strict=True):
        drawn = _draw_lines(ax, values, lines, len(names) > 1) if lines else _marks(ax, values[name], measured)
        seed_bands.log_where_wide(ax, drawn)
        style.label(ax, style.plain(name, longest=48), ylabel)
    style.legend_below(figure, axes)
    return style.finish(figure)


def sweep_curves(epoch: ArrayLike, curves: Mapping[str, ArrayLike], ylabel: str, *, title: str = "Sweep") -> Figure:
    """How members learned, (seeds, records) each, best first; the mean as a line, the seeds' range as a band."""
    figure = style.canvas(7.6, 4.8, title)
    (ax,) = style.panels(figure, 1, 1)
    few = dict(list(curves.items())[:LINES])
    seed_bands.log_where_wide(ax, loss_curves.draw(ax, epoch, few, list(few)))
    ax.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
    style.label(ax, "epoch", ylabel)
    style.legend_below(figure, [ax])
    return style.finish(figure)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def places(texts: Sequence[str]) -> tuple[np.ndarray, list[str], bool]:
    """Where values stand on an axis: numbers at themselves (and whether by their logarithms), words in a row."""
    numbers = [_number(text) for text in texts]
    if None not in numbers and texts:
        x = np.array(numbers, np.float64)
        wide = bool((x > 0).all() and x.max() >= 20 * x.min())
        return x, [], wide
    words = list(dict.fromkeys(texts))
    return np.array([words.index(text) for text in texts], np.float64), words, False


def _scale(ax: Axes, x: np.ndarray, words: list[str], wide: bool) -> None:
    if wide:
        ax.set_xscale("log")
        ticks = np.unique(x)
        if len(ticks) <= 7 and np.diff(np.log10(ticks)).min(initial=1.0) > 0.15:
            ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        else:
            ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.minorticks_off()
    elif words:
        shown = range(0, len(words), -(-len(words) // MOST))
        upright = len(words) > 6 or max(map(len, words)) > 8
        ax.set_xticks(list(shown), [style.plain(words[i]) for i in shown], rotation=90 if upright else 0)
        ax.set_xlim(-0.5, len(words) - 0.5)
    else:
        ax.xaxis.set_major_locator(MaxNLocator(nbins=6))


def _lines(values: Mapping[str, Sequence[str]], metric: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """second value -> first value -> its seeds, where the values of one or two names are a whole grid."""
    names = list(values)
    if len(names) > 2:
        return {}
    seconds = values[names[1]] if len(names) == 2 else [""] * len(metric)
    found: dict[str, dict[str, np.ndarray]] = {}
    for first, second, own in zip(values[names[0]], seconds, metric, strict=True):
        found.setdefault(second, {})[first] = own
    whole = len({frozenset(line) for line in found.values()}) == 1 and sum(map(len, found.values())) == len(metric)
    points = len(next(iter(found.values()), {}))
    return found if whole and len(found) <= LINES and points > 1 else {}


def _draw_lines(
    ax: Axes, values: Mapping[str, Sequence[str]], lines: Mapping[str, Mapping[str, np.ndarray]], named: bool
) -> list[seed_bands.Band]:
    names = list(values)
    firsts = list(next(iter(lines.values())))
    x, words, wide = places(firsts)
    order = np.argsort(x, kind="stable")
    drawn = []
    key = {text: number for text in lines if (number := _number(text)) is not None}
    seconds = sorted(lines, key=lambda text: key[text]) if len(key) == len(lines) else list(lines)
    for i, second in enumerate(seconds):
        curve = np.stack([lines[second][firsts[j]] for j in order], axis=1)
        band = seed_bands.over_seeds(x[order], curve)
        short = names[1].split(".")[-1] if named else ""
        seed_bands.draw(ax, band, style.plain(f"{short} {second}") if named else "mean", *style.line(i))
        drawn.append(band)
    seed_bands.explain(ax, drawn)
    if not any(len(band.x) for band in drawn):
        style.note(ax, "nothing measured")
    _scale(ax, x, words, wide)
    return drawn


def _marks(ax: Axes, texts: Sequence[str], metric: np.ndarray) -> list[seed_bands.Band]:
    """A mark at each member's mean, a bar from its least seed to its greatest."""
    x, words, wide = places(texts)
    band = seed_bands.over_seeds(np.arange(len(metric)), metric.T)
    at = band.x.astype(int)
    if not len(at):
        style.note(ax, "nothing measured")
        _scale(ax, x, words, wide)
        return []
    seeds = metric.shape[1]
    label = f"a member: mean, least to greatest of {seeds} seeds" if seeds > 1 else "a member"
    ax.vlines(x[at], band.low, band.high, color=style.BLUE, alpha=0.35, linewidth=2)
    ax.plot(x[at], band.mean, linestyle="", marker="o", markersize=4.5, color=style.BLUE, label=label)
    _scale(ax, x, words, wide)
    return [band]
