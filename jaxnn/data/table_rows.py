"""Reads the columns of a table: numbers, and words such as classes and categories."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from jaxnn.data.number_cells import is_date, parse_lines, parse_number, parse_numbers, remedy
from jaxnn.data.table_layout import Layout
from jaxnn.data.table_text import Block, Style
from jaxnn.errors import DataWarning, UserError

Missing = Literal["refuse", "drop", "mean"]
_LISTED = 20  # columns that a message names


class Rows(NamedTuple):
    """The cells of some columns of a table, as rows or as columns of equal length.

    lines: the line of each row in the file
    numbers: the columns of numbers; NaN: missing
    words: the cells of each column of words, without the white space around them; None: missing
    """

    lines: Int64[np.ndarray, "n"]
    numbers: Float64[np.ndarray, "n columns"]
    words: list[list[str | None]]

    def keep(self, mask: np.ndarray) -> "Rows":
        """The rows where the mask is true."""
        chosen = np.flatnonzero(mask).tolist()
        return Rows(self.lines[mask], self.numbers[mask], [[column[i] for i in chosen] for column in self.words])


class _Request(NamedTuple):
    """What is read of a file, and what its messages need."""

    file: Path
    style: Style
    layout: Layout
    numbers: tuple[int, ...]
    words: tuple[int, ...]


def read_rows(
    file: Path,
    blocks: Iterable[Block],
    style: Style,
    layout: Layout,
    *,
    numeric_targets: bool,
    missing: Missing,
) -> Rows:
    """The columns of a layout of all rows of a file, whose header is not among the blocks.

    The columns of numbers are the features that are not categorical, then the targets if they are numbers; the columns
    of words are the categorical features, then the targets if they are classes.

    missing: refuse a missing cell, drop its row, or (mean) keep it as NaN or None. A missing target is never kept

    Raises UserError, which names file, line, column and remedy, for a row of another length, a cell that is no number
    in a column of numbers, and a missing cell that is refused.
    """
    numbers = tuple(p for p in layout.features if p not in layout.categorical)
    words = tuple(p for p in layout.features if p in layout.categorical)
    numbers, words = (numbers + layout.targets, words) if numeric_targets else (numbers, words + layout.targets)
    request = _Request(file, style, layout, numbers, words)
    parts = [_read_block(request, block) for block in blocks if block.numbers]
    if not parts:
        return Rows(np.empty(0, np.int64), np.empty((0, len(numbers))), [[] for _ in words])
    rows = Rows(
        np.concatenate([part.lines for part in parts]),
        np.concatenate([part.numbers for part in parts]),
        [[cell for column in columns for cell in column] for columns in zip(*(p.words for p in parts), strict=True)],
    )
    return _without_missing(request, rows, missing)


def _read_block(request: _Request, block: Block) -> Rows:
    layout, style = request.layout, request.style
    lines = np.array(block.numbers, np.int64)
    if block.lines is not None and request.numbers:
        separators = layout.width - 1
        if all(line.count(style.delimiter) == separators for line in block.lines):
            numbers = parse_lines(block.lines, request.numbers, style)
            if numbers is not None:
                pick = [_cell_picker(position, layout.width, style) for position in request.words]
                return Rows(lines, numbers, [[_word(get(line), style) for line in block.lines] for get in pick])
    rows = block.cells(style.delimiter)
    for line, row in zip(block.numbers, rows, strict=True):
        if len(row) != layout.width:
            raise _wrong_width(request, line, row)
    columns = list(zip(*rows, strict=True))
    numbers = np.empty((len(rows), len(request.numbers)))
    for i, position in enumerate(request.numbers):
        parsed = parse_numbers(columns[position], style)
        if parsed is None:
            raise _no_number(request, block.numbers, rows, position)
        numbers[:, i] = parsed
    return Rows(lines, numbers, [[_word(cell, style) for cell in columns[p]] for p in request.words])


def _word(cell: str, style: Style) -> str | None:
    return None if style.is_missing(cell) else cell.strip()


def _cell_picker(position: int, width: int, style: Style) -> Callable[[str], str]:
    """Cuts one cell out of a line without quotes."""
    if position * 2 < width:
        return lambda line: line.split(style.delimiter, position + 1)[position].rstrip("\r\n")
    after = width - position
    return lambda line: line.rsplit(style.delimiter, after)[-after].rstrip("\r\n")


def _without_missing(request: _Request, rows: Rows, missing: Missing) -> Rows:
    """The rows by the policy ``missing``."""
    layout = request.layout
    gaps = {p: np.array([cell is None for cell in rows.words[i]]) for i, p in enumerate(request.words)}
    absent = np.isnan(rows.numbers)
    gaps |= {request.numbers[i]: absent[:, i] for i in np.flatnonzero(absent.any(axis=0))}
    if missing == "drop":
        complete = ~np.any([np.zeros(len(rows.lines), bool), *gaps.values()], axis=0)
        if complete.all():
            return rows
        left_out = int((~complete).sum())
        warnings.warn(
            f"{request.file}: {left_out:,} of {len(complete):,} rows have missing values and are left out",
            DataWarning,
            stacklevel=2,
        )
        return rows.keep(complete)
    for position, gap in sorted(gaps.items()):
        if not gap.any() or (missing == "mean" and position not in layout.targets):
            continue
        where = f"{request.file} line {rows.lines[gap.argmax()]} {layout.describe(position)}"
        kind = "a label" if position in layout.targets else "a word" if position in request.words else "a number"
        fill = "" if position in layout.targets else ', missing = "mean" fills them from the training examples'
        raise UserError(f'{where}: expected {kind}, found a missing value; missing = "drop" leaves such rows out{fill}')
    return rows


def _wrong_width(request: _Request, line: int, row: Sequence[str]) -> UserError:
    width = request.layout.width
    advice = f"each row needs {width} cells; quote a cell that holds {request.style.delimiter!r}"
    if len(row) == width + 1 and not row[-1].strip():
        advice = "remove the delimiter at the end of the row, or end the header with one and set ignore = [-1]"
    elif len(row) == width + 1 and request.layout.names is not None:
        advice += "; a header that lacks a name for the row names needs one"
    return UserError(f"{request.file} line {line}: expected {width} columns, found {len(row)}; {advice}")


def _no_number(request: _Request, lines: Sequence[int], rows: Sequence[Sequence[str]], position: int) -> UserError:
    """The error about the first cell of a column that is neither a number nor missing."""
    style, layout = request.style, request.layout

    def is_word(cell: str) -> bool:
        return not style.is_missing(cell) and parse_number(cell, style) is None

    index = next(i for i, row in enumerate(rows) if is_word(row[position]))
    row, cell = rows[index], rows[index][position].strip()
    if position in layout.targets:
        advice = 'targets = "classes" takes words as labels'
        if is_date(cell) or not cell.isalpha():
            advice = remedy(cell, layout.key(position), layout.key(position), style)
    else:
        words = [p for p in request.numbers if p not in layout.targets and is_word(row[p]) and not is_date(row[p])]
        listed = [*words[:_LISTED], *layout.categorical]
        listed = ", ".join(layout.key(p) for p in sorted(listed)) + (", …" if len(words) > _LISTED else "")
        advice = remedy(cell, layout.key(position), listed, style)
    where = f"{request.file} line {lines[index]} {layout.describe(position)}"
    return UserError(f"{where}: expected a number, found {cell[:40]!r}; {advice}")
