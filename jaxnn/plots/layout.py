"""Creates a figure, arranges its panels and legend, and writes it as a PNG.

The same figure always gives the same bytes.
"""

import os
import textwrap
from collections.abc import Sequence
from io import BytesIO

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text

from jaxnn.plots.style import DPI, FONT, GRID, INK, LABEL_SIZE, TICK_SIZE, TITLE_SIZE, plain_text
from jaxnn.storage.files import atomic_write

# Inches per character, for text that matplotlib does not wrap.
TITLE_CHARACTER, LEGEND_CHARACTER = 0.13, 0.085
LEGEND_HANDLE = 0.65  # inches of the line sample in front of a legend's text


def new_figure(width: float, height: float, title: str) -> Figure:
    """An empty figure of `width` × `height` inches with a title."""
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08)
    figure = Figure(figsize=(width, height), dpi=DPI, layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    lines = textwrap.fill(plain_text(title, max_length=200), int(width / TITLE_CHARACTER))
    figure.suptitle(lines, fontsize=TITLE_SIZE, fontweight="bold", color=INK)
    return figure


def panel_grid(count: int, max_columns: int) -> tuple[int, int]:
    """(rows, columns) for `count` panels: full rows of `max_columns`, except that four panels are two by two."""
    columns = 2 if count == 4 else min(count, max_columns)
    return -(-count // columns), columns


def add_panels(figure: Figure, rows: int, columns: int, count: int | None = None) -> list[Axes]:
    """Adds rows × columns axes and returns the first `count`; the others are removed."""
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    count = len(axes) if count is None else count
    for ax in axes[count:]:
        ax.remove()
    for ax in axes[:count]:
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=TICK_SIZE, colors=INK)
        ax.grid(color=GRID, linewidth=0.6)
        ax.set_axisbelow(True)
    return axes[:count]


def label_axes(ax: Axes, x: str, y: str, title: str = "") -> None:
    """Sets the axis labels and, where `title` is not empty, the title of a panel."""
    ax.set_xlabel(plain_text(x, max_length=60), fontsize=LABEL_SIZE, color=INK)
    ax.set_ylabel(plain_text(y, max_length=60), fontsize=LABEL_SIZE, color=INK)
    if title:
        lines = "\n".join(plain_text(line, max_length=80) for line in title.split("\n"))
        ax.set_title(lines, fontsize=LABEL_SIZE, color=INK)


def legend_below(figure: Figure, axes: Sequence[Axes]) -> None:
    """Adds one legend for all panels below them, where it hides no data; each name appears once."""
    handles: dict[str, Artist] = {}
    for ax in axes:
        for handle, name in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(name, handle)
    if handles:
        widths = [LEGEND_HANDLE + LEGEND_CHARACTER * len(name) for name in handles]
        columns = next((n for n in range(len(widths), 1, -1) if _legend_width(widths, n) <= figure.get_figwidth()), 1)
        figure.legend(
            list(handles.values()),
            list(handles),
            loc="outside lower center",
            ncols=columns,
            frameon=False,
            fontsize=TICK_SIZE,
        )


def _legend_width(widths: list[float], columns: int) -> float:
    """Inches of a legend with so many columns; matplotlib splits the entries in the same way."""
    return sum(max(column) for column in np.array_split(widths, columns))


def empty_note(ax: Axes, text: str) -> None:
    """Writes in the middle of an empty panel why it is empty."""
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", fontsize=LABEL_SIZE, color=INK)


def finalize(figure: Figure) -> Figure:
    """Sets the font of every text and turns mathtext off: a class may be called `$x$`. Call it last."""
    for text in figure.findobj(Text):
        if isinstance(text, Text):
            text.set_parse_math(False)
            text.set_fontfamily(FONT)
    return figure


def png(figure: Figure) -> bytes:
    """The figure as PNG bytes, without a date or a version in its metadata."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()


def save(figure: Figure, path: str | os.PathLike[str]) -> bytes:
    """Writes the figure as a PNG, atomically, and returns the bytes written.

    Raises UserError if the file cannot be written.
    """
    image = png(figure)
    atomic_write(path, image)
    return image
