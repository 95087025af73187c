"""Losses against anything: the step, the time, the size of the data, a hyper-parameter."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from jaxnn.plots import seed_bands, style


def loss_against(
    x: ArrayLike,
    curves: Mapping[str, ArrayLike],
    xlabel: str,
    *,
    ylabel: str = "loss (mean per example)",
    title: str = "Loss",
) -> Figure:
    """Each curve is (positions,) or (seeds, positions), NaN where not measured; x is (positions,)."""
    figure = style.canvas(7.0, 4.8, title)
    (ax,) = style.panels(figure, 1, 1)
    seed_bands.log_where_wide(ax, draw(ax, x, curves, list(curves)))
    style.label(ax, xlabel, ylabel)
    style.legend_below(figure, [ax])
    return style.finish(figure)


def draw(ax: Axes, x: ArrayLike, curves: Mapping[str, ArrayLike], order: Sequence[str]) -> list[seed_bands.Band]:
    """Draws each curve over its seeds, in the colour of its place in `order`; returns what was drawn."""
    drawn = []
    for name, values in curves.items():
        band = seed_bands.over_seeds(x, values)
        seed_bands.draw(ax, band, style.plain(name), *style.line(order.index(name)))
        drawn.append(band)
    if not any(len(band.x) for band in drawn):
        style.note(ax, "nothing measured")
    seed_bands.explain(ax, drawn)
    return drawn
