"""Vanishing and exploding gradients: the norm of each layer's gradient over training."""

from collections.abc import Mapping

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from jaxnn.plots import seed_bands, style


def gradient_norms(
    epoch: ArrayLike, norms: Mapping[str, ArrayLike], *, title: str = "Gradient of each layer"
) -> Figure:
    """Norms (r,) or (seeds, r) by layer, first layer first and darkest, on a logarithmic axis."""
    figure = style.canvas(7.5, 4.8, title)
    (ax,) = style.panels(figure, 1, 1)
    # depth is an order, so its colours are too; the palest fifth is left out, too faint on white
    shades = colormaps["viridis"](np.linspace(0, 0.85, max(len(norms), 1)))
    drawn = []
    for i, (name, values) in enumerate(norms.items()):
        band = seed_bands.over_seeds(epoch, values)
        seed_bands.draw(ax, band, style.plain(name), tuple(shades[i]), style.DASHES[i % len(style.DASHES)])
        drawn.append(band)
    if any((band.high > 0).any() for band in drawn):
        seed_bands.logarithmic(ax)
    else:
        style.note(ax, "no gradient above zero")
    seed_bands.explain(ax, drawn)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    style.label(ax, "epoch", "gradient norm ‖∂C/∂W‖")
    style.legend_below(figure, [ax])
    return style.finish(figure)
