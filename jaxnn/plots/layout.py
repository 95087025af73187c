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
from matplotlib.ticker import MaxNLocator

from jaxnn.plots.style import DPI, GRID, INK, LABEL_SIZE, TICK_SIZE, TITLE_SIZE, fonts, plain_text
from jaxnn.storage.files import atomic_write

# Inches per character, for text that matplotlib does not wrap.
TITLE_CHARACTER, LEGEND_CHARACTER = 0.13, 0.085
TITLE_LINE = 1.25 * TITLE_SIZE / 72  # inches of a line of a title
LEGEND_HANDLE = 0.65  # inches of the line sample in front of a legend's text
RANGE_NOTE = "line: mean, "  # how the legend's entry begins that explains the ranges over the seeds


def new_figure(width: float, height: float, title: str) -> Figure:
    """An empty figure of `width` × `height` inches with a title."""
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08)
    figure = Figure(figsize=(width, height), dpi=DPI, layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    lines = textwrap.fill(plain_text(title, max_length=200), int(width / TITLE_CHARACTER))
    figure.suptitle(lines, fontsize=TITLE_SIZE, fontweight="bold", color=INK)
    return figure


def add_title_height(figure: Figure) -> None:
    """Makes the figure higher by its title and the gaps about it, so that the panels keep the rest."""
    lines = figure.get_suptitle().count("\n") + 1
    figure.set_figheight(figure.get_figheight() + TITLE_LINE * lines + 0.25)


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


def integer_ticks(ax: Axes, x: np.ndarray) -> None:
    """Puts the ticks of the x axis on integers if all of `x` are integers, as epochs and steps are."""
    if x.size and (x == np.round(x)).all():
        if x.min() == x.max():  # without neighbours an axis of one position has no integer besides it
            ax.set_xlim(x.min() - 1, x.max() + 1)
        ax.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))


def legend_below(figure: Figure, axes: Sequence[Axes]) -> None:
    """Adds one legend for all panels below them, where it hides no data.

    The names are read row by row, in the order in which they were drawn; each appears once. In a legend of several
    rows the explanation of the ranges stands above the names.
    """
    handles: dict[str, Artist] = {}
    for ax in axes:
        for handle, name in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(name, handle)
    if handles:
        columns = _legend_columns(list(handles), figure.get_figwidth())
        note = next((name for name in handles if name.startswith(RANGE_NOTE)), "")
        if note and columns < len(handles):
            del handles[note]
            columns = _legend_columns(list(handles), figure.get_figwidth())
        else:
            note = ""
        # matplotlib fills a legend column by column; this order makes its rows the order of the curves.
        order = [i for column in range(columns) for i in range(column, len(handles), columns)]
        names = list(handles)
        figure.legend(
            [handles[names[i]] for i in order],
            [names[i] for i in order],
            loc="outside lower center",
            ncols=columns,
            frameon=False,
            fontsize=TICK_SIZE,
            title=note,
            title_fontsize=TICK_SIZE,
        )


def _legend_columns(names: Sequence[str], width: float) -> int:
    """The number of columns of a legend that fits into `width` inches, with rows of about the same length."""
    widths = [LEGEND_HANDLE + LEGEND_CHARACTER * len(name) for name in names]
    count = len(widths)
    most = next((n for n in range(count, 1, -1) if sum(max(widths[i::n]) for i in range(n)) <= width), 1)
    return -(-count // -(-count // most))


def empty_note(ax: Axes, text: str) -> None:
    """Writes in the middle of an empty panel why it is empty."""
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", fontsize=LABEL_SIZE, color=INK)


def finalize(figure: Figure) -> Figure:
    """Sets the font of every text and turns mathtext off: a class may be called `$x$`. Call it last."""
    for text in figure.findobj(Text):
        if isinstance(text, Text):
            text.set_parse_math(False)
            text.set_fontfamily(fonts())
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
