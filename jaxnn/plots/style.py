"""Colours, line styles and text of every figure: colour-blind safe and readable on paper or on a projector.

Nothing in this package changes matplotlib's global state (no pyplot, no rcParams), so threads may draw in parallel.
"""

import unicodedata
from collections.abc import Sequence
from functools import cache

from matplotlib import font_manager
from matplotlib.colors import Colormap, LinearSegmentedColormap

DPI = 120
FONT = "DejaVu Sans"  # shipped with matplotlib, so a figure is the same on every machine

# Okabe and Ito (2008), "Color universal design"; yellow is last because it is faint on white.
BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK, YELLOW = "#E69F00", "#56B4E9", "#000000", "#F0E442"
PALETTE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK, YELLOW)
# Seven markers and eight colours: a pair first repeats at the 57th class.
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":")

INK, GRID = "#222222", "#D9D9D9"
GREY = "#B0B0B0"  # missing values, zero lines, outlines of images
TITLE_SIZE, LABEL_SIZE, TICK_SIZE = 13, 11, 10  # points

MAX_NAME_LENGTH = 24


def sequential() -> Colormap:
    """White (lowest) to dark blue (highest)."""
    shades = ["#FFFFFF", "#C6DCEC", "#6BAED6", BLUE, "#08306B"]
    return LinearSegmentedColormap.from_list("white_blue", shades).with_extremes(bad=GREY)


def diverging() -> Colormap:
    """Blue (negative) through white (zero) to vermillion (positive)."""
    shades = ["#08306B", BLUE, "#9CC7E0", "#FFFFFF", "#F3BE9A", VERMILLION, "#7A3500"]
    return LinearSegmentedColormap.from_list("blue_vermillion", shades).with_extremes(bad=GREY)


def line_style(index: int) -> tuple[str, str]:
    """Colour and dashes of curve number `index`; the first 32 are all different."""
    return PALETTE[index % len(PALETTE)], DASHES[(index // len(PALETTE)) % len(DASHES)]


def class_style(index: int) -> tuple[str, str]:
    """Colour and marker of the points of class number `index`; the first 56 are all different."""
    return PALETTE[index % len(PALETTE)], MARKERS[index % len(MARKERS)]


def plain_text(text: object, *, max_length: int = MAX_NAME_LENGTH) -> str:
    """`text` on one line, cut at `max_length` characters, with □ for each character that the font lacks."""
    line = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in str(text))
    line = line if len(line) <= max_length else line[: max_length - 1] + "…"
    drawable = "".join(c if _has_glyph(c) else "□" for c in line)
    return f" {drawable}" if drawable.startswith("_") else drawable  # matplotlib omits "_name" from a legend


def class_names(classes: Sequence[str], count: int) -> list[str]:
    """The first `count` class names; a class without a name is shown by its number."""
    return [plain_text(classes[i]) if i < len(classes) else str(i) for i in range(count)]


def plural(count: int, noun: str) -> str:
    """`plural(1, "step")` is "1 step", `plural(12, "step")` is "12 steps"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


@cache
def _has_glyph(character: str) -> bool:
    font = font_manager.get_font(font_manager.findfont(FONT))
    return font.get_char_index(ord(character)) != 0
