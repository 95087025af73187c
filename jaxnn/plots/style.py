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
# For characters that FONT lacks, where one of these is installed: the usual fonts of Linux, Windows and macOS for
# Chinese, Japanese, Korean and the scripts of India and of South-East Asia.
FALLBACK_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans CJK KR",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "PingFang SC",
    "Hiragino Sans",
    "Apple SD Gothic Neo",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Nirmala UI",
    "Leelawadee UI",
    "Arial Unicode MS",
)

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
    """`text` on one line, with … in the middle if it is longer than `max_length`, and □ for what no font can draw."""
    line = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in str(text))
    if len(line) > max_length:  # names of one kind often differ at their end
        kept = max_length - 1
        line = line[: kept - kept // 2] + "…" + line[len(line) - kept // 2 :]
    drawable = "".join(c if _has_glyph(c) else "□" for c in line)
    if any(unicodedata.bidirectional(c) in ("R", "AL") for c in drawable):
        return f"\u200e{drawable}\u200e"  # keeps the order of what stands beside a name in Arabic or Hebrew
    return f" {drawable}" if drawable.startswith("_") else drawable  # matplotlib omits "_name" from a legend


def distinct_names(names: Sequence[object], first: int = 1, *, max_length: int = MAX_NAME_LENGTH) -> list[str]:
    """`names` as text for a figure, in which different names look different.

    A name that the shortening makes equal to another, or that has a character without a glyph, begins with its number;
    `first` is the number of the first name.
    """
    shown = [plain_text(name, max_length=max_length) for name in names]
    unclear = [shown.count(text) > 1 or "□" in text or not text.strip() for text in shown]
    numbered = []
    for i, name in enumerate(names, first):
        text = f"{i}: {name}"  # the number tells the names apart, so the beginning is worth more than the end
        numbered.append(plain_text(text if len(text) <= max_length else f"{text[: max_length - 1]}…"))
    mixed = [numbered[i] if unclear[i] else shown[i] for i in range(len(shown))]
    return mixed if len(set(mixed)) == len(mixed) else numbered


def class_names(classes: Sequence[str], count: int, *, max_length: int = MAX_NAME_LENGTH) -> list[str]:
    """The first `count` class names; a class without a name is shown by its number."""
    names = [classes[i] if i < len(classes) else str(i) for i in range(count)]
    return distinct_names(names, 0, max_length=max_length)


@cache
def fonts() -> list[str]:
    """The fonts of every text, in the order in which they are tried for a character."""
    installed = {entry.name for entry in font_manager.fontManager.ttflist}
    return [FONT, *(name for name in FALLBACK_FONTS if name in installed)]


@cache
def _has_glyph(character: str) -> bool:
    files = (font_manager.findfont(name) for name in fonts())
    return any(font_manager.get_font(file).get_char_index(ord(character)) for file in files)
