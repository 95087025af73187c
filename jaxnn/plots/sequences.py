"""Figures of what a net does along a sequence: how far a gradient reaches, its gates, what its attention reads."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from jaxnn.plots import curves, layout, seed_bands, style

MAX_COLUMNS = 4
MAX_WORD = 12  # characters of a word on an axis
LABEL_SIZE = 8  # points
PLACE = 0.19  # inches of a place on an axis, so that its label has room
#: Characters that would take no place or no ink on an axis.
SHOWN = {" ": "␣", "\n": "↵", "\t": "⇥"}


def gradient_by_distance(norms: Mapping[str, ArrayLike], *, title: str = "How far back a gradient reaches") -> Figure:
    """The norm of the gradient with respect to earlier inputs, against the distance to the place of the loss.

    norms: by the kind of layer, each (places,) or (seeds, places); entry d is d places before
    """
    if not norms:
        raise ValueError("expected at least one curve, found none; pass norms (places,) by name")
    figure = layout.new_figure(6.5, 4.4, title)
    (ax,) = layout.add_panels(figure, 1, 1)
    places = np.arange(max(np.asarray(values).shape[-1] for values in norms.values()))
    curves.draw_curves(ax, places, norms, list(norms))
    seed_bands.set_log_scale(ax)
    layout.label_axes(ax, "places before the loss", "norm of ∂L/∂x")
    layout.legend_below(figure, [ax])
    return layout.finalize(figure)


def gates_over_text(
    text: Sequence[str], gates: Mapping[str, ArrayLike], *, title: str = "Gates over a line of text"
) -> Figure:
    """A picture for each gate: a row for each unit, a column for each character; dark is open, light is closed.

    text: the characters or words; gates: by name, each (places, units) with values from 0 to 1
    """
    if not gates:
        raise ValueError("expected at least one gate, found none; pass values (places, units) by name")
    arrays = {name: np.asarray(values, np.float64) for name, values in gates.items()}
    for name, values in arrays.items():
        if values.ndim != 2 or len(values) != len(text):
            raise ValueError(f"expected {name!r} as ({len(text)}, units), one row a character, found {values.shape}")
    figure = layout.new_figure(1.6 + PLACE * max(len(text), 20), 0.9 + 2.1 * len(arrays), title)
    axes = layout.add_panels(figure, len(arrays), 1)
    for ax, (name, values) in zip(axes, arrays.items(), strict=True):
        image = ax.imshow(values.T, vmin=0, vmax=1, cmap=style.sequential(), aspect="auto", interpolation="nearest")
        figure.colorbar(image, ax=ax, ticks=[0, 0.5, 1], pad=0.01, label="open")
        _label_places(ax, text)
        layout.label_axes(ax, "place", "unit", f"{style.plain_text(name)} gate")
    return layout.finalize(figure)


def attention_maps(
    text: Sequence[str], weights: Mapping[str, ArrayLike], *, title: str = "What each place reads"
) -> Figure:
    """A panel for each head: the row is the place that reads, the column the place that is read.

    text: the characters or words; weights: by name, each (places, places), whose rows sum to 1
    """
    if not weights:
        raise ValueError("expected at least one head, found none; pass weights (places, places) by name")
    arrays = {name: np.asarray(values, np.float64) for name, values in weights.items()}
    for name, values in arrays.items():
        if values.shape != (len(text), len(text)):
            raise ValueError(f"expected {name!r} as ({len(text)}, {len(text)}), found {values.shape}")
    rows, columns = layout.panel_grid(len(arrays), MAX_COLUMNS)
    size = max(2.4, PLACE * len(text))
    figure = layout.new_figure(0.6 + (size + 0.5) * columns, 0.9 + (size + 0.6) * rows, title)
    axes = layout.add_panels(figure, rows, columns, len(arrays))
    for ax, (name, values) in zip(axes, arrays.items(), strict=True):
        ax.imshow(values, vmin=0, cmap=style.sequential(), interpolation="nearest")
        _label_places(ax, text, both=True)
        layout.label_axes(ax, "is read", "reads", style.plain_text(name))
    return layout.finalize(figure)


def _label_places(ax: Axes, text: Sequence[str], *, both: bool = False) -> None:
    names = [SHOWN.get(piece, style.plain_text(piece, max_length=MAX_WORD)) for piece in text]
    words = max(map(len, names), default=0) > 1
    ax.set_xticks(range(len(text)), names, fontsize=LABEL_SIZE, rotation=90 if words else 0)
    if both:
        ax.set_yticks(range(len(text)), names, fontsize=LABEL_SIZE)
    ax.tick_params(length=0)
    ax.grid(visible=False)
