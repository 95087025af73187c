"""One look for every figure: colour-blind safe, readable on a page or a wall, always the same bytes.

Nothing here touches matplotlib's global state (no pyplot, no rcParams): threads may draw side by side.
"""

import textwrap
import unicodedata
from collections.abc import Sequence
from functools import cache

import numpy as np
from matplotlib import font_manager
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text

DPI = 120
FONT = "DejaVu Sans"  # comes with matplotlib, so a figure is the same on every machine

# Okabe and Ito (2008), "Color universal design"; yellow last because it is faint on white.
BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK, YELLOW = "#E69F00", "#56B4E9", "#000000", "#F0E442"
PALETTE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK, YELLOW)
# Seven marks for eight colours: the pair is not repeated before 56 classes.
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":")

INK, FAINT, MISSING = "#222222", "#D9D9D9", "#B0B0B0"
TITLE, LABEL, TICK = 13, 11, 10  # points

LONGEST_NAME = 24


def sequential() -> Colormap:
    """White to dark blue: from none to all."""
    shades = ["#FFFFFF", "#C6DCEC", "#6BAED6", BLUE, "#08306B"]
    return LinearSegmentedColormap.from_list("white_blue", shades).with_extremes(bad=MISSING)


def diverging() -> Colormap:
    """Blue (negative) through white (zero) to vermillion (positive)."""
    shades = ["#08306B", BLUE, "#9CC7E0", "#FFFFFF", "#F3BE9A", VERMILLION, "#7A3500"]
    return LinearSegmentedColormap.from_list("blue_vermillion", shades).with_extremes(bad=MISSING)


def line(index: int) -> tuple[str, str]:
    """Colour and dashes of the `index`-th curve; no two of the first 32 look alike."""
    return PALETTE[index % len(PALETTE)], DASHES[(index // len(PALETTE)) % len(DASHES)]


def canvas(width: float, height: float, title: str) -> Figure:
    """An empty figure of the house's look, `width` × `height` inches."""
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08)
    figure = Figure(figsize=(width, height), dpi=DPI, layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    # A bold letter of the title is about 0.13 inch wide.
    lines = textwrap.fill(plain(title, longest=200), int(width / 0.13))
    figure.suptitle(lines, fontsize=TITLE, fontweight="bold", color=INK)
    return figure


def columns(count: int, most: int) -> int:
    """Columns for `count` panels: as many as go in a row, four as two and two."""
    return 2 if count == 4 else min(count, most)


def panels(figure: Figure, rows: int, columns: int, used: int | None = None) -> list[Axes]:
    """The first `used` of rows × columns axes, the rest removed."""
    every = list(figure.subplots(rows, columns, squeeze=False).flat)
    used = len(every) if used is None else used
    for ax in every[used:]:
        ax.remove()
    for ax in every[:used]:
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=TICK, colors=INK)
        ax.grid(color=FAINT, linewidth=0.6)
        ax.set_axisbelow(True)
    return every[:used]


def label(ax: Axes, x: str, y: str, title: str = "") -> None:
    ax.set_xlabel(plain(x, longest=60), fontsize=LABEL, color=INK)
    ax.set_ylabel(plain(y, longest=60), fontsize=LABEL, color=INK)
    if title:
        lines = "\n".join(plain(part, longest=80) for part in title.split("\n"))
        ax.set_title(lines, fontsize=LABEL, color=INK)


def legend_below(figure: Figure, axes: Sequence[Axes]) -> None:
    """One legend for all panels, under them, where it can hide no data; each name once."""
    named: dict[str, Artist] = {}
    for ax in axes:
        for handle, name in zip(*ax.get_legend_handles_labels(), strict=True):
            named.setdefault(name, handle)
    if named:
        # about 0.085 inch a letter, and 0.65 inch for the sample of the line
        each = [0.65 + 0.085 * len(name) for name in named]
        columns = next(
            (n for n in range(len(each), 1, -1) if _wide(each, n) <= figure.get_figwidth()),
            1,
        )
        figure.legend(
            list(named.values()),
            list(named),
            loc="outside lower center",
            ncols=columns,
            frameon=False,
            fontsize=TICK,
        )


def _wide(entries: list[float], columns: int) -> float:
    """Inches that a legend's entries take in so many columns; matplotlib splits them in the same way."""
    return sum(max(column) for column in np.array_split(entries, columns))


def note(ax: Axes, text: str) -> None:
    """Says in the middle of an empty panel why it is empty."""
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", fontsize=LABEL, color=INK)


def finish(figure: Figure) -> Figure:
    """Last touch to every figure: names are text, never mathematics (a class may be called `$`)."""
    for text in figure.findobj(Text):
        if isinstance(text, Text):
            text.set_parse_math(False)
            text.set_fontfamily(FONT)
    return figure


def plain(text: object, *, longest: int = LONGEST_NAME) -> str:
    """`text` on one line, cut at `longest` letters, a box for each letter that the font cannot draw."""
    kept = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in str(text))
    kept = kept if len(kept) <= longest else kept[: longest - 1] + "…"
    shown = "".join(c if _drawable(c) else "□" for c in kept)
    return f" {shown}" if shown.startswith("_") else shown  # matplotlib leaves "_name" out of a legend


def class_names(classes: Sequence[str], count: int) -> list[str]:
    """The first `count` names, a number for each class that has none."""
    return [plain(classes[i]) if i < len(classes) else str(i) for i in range(count)]


@cache
def _drawable(letter: str) -> bool:
    font = font_manager.get_font(font_manager.findfont(FONT))
    return font.get_char_index(ord(letter)) != 0
