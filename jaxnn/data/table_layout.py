"""Which columns of a table are features, targets or left out, and whether its first row is a header."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from jaxnn.data.number_cells import parse_number
from jaxnn.data.table_text import Style
from jaxnn.errors import UserError, hint

#: A column by its name or its index (-1: the last), or several.
ColumnKeys = str | int | tuple[str | int, ...]
Header = bool | Literal["auto"]


class Layout(NamedTuple):
    """The columns of a table by their positions, from 0.

    names: of all columns, from the header; None without a header
    width: the number of columns
    """

    names: tuple[str, ...] | None
    width: int
    features: tuple[int, ...]
    targets: tuple[int, ...]
    categorical: frozenset[int]

    def describe(self, position: int) -> str:
        """A column in a message: "column 'age'", or "column 3" without a header."""
        return column_title(None if self.names is None else self.names[position], position)

    def key(self, position: int) -> str:
        """A column as an option names it: "age" in quotes, or its index."""
        return option_key(position if self.names is None else self.names[position])


def column_title(name: str | None, position: int) -> str:
    """A column in a message."""
    return f"column {position}" if name is None else f"column {name[:40]!r}"


def option_key(key: str | int) -> str:
    """A column's name or index as an option of a config holds it."""
    return json.dumps(key, ensure_ascii=False)


def as_tuple(keys: ColumnKeys) -> tuple[str | int, ...]:
    return keys if isinstance(keys, tuple) else (keys,)


def find_layout(
    file: Path,
    first: Sequence[str],
    style: Style,
    *,
    label: ColumnKeys,
    categorical: ColumnKeys,
    ignore: ColumnKeys,
    header: Header,
    numeric_targets: bool,
) -> Layout:
    """The layout of a table with the first row ``first``; ``numeric_targets``: the targets are numbers, not classes.

    ``header="auto"``: the first row is a header if a column is named, or if its cells in all columns of numbers are
    words; it is an example if they are numbers or missing, with one number at least. Raises UserError for other first
    rows, for a column that is not there, and for one that is named twice or has no name.
    """
    targets, words, ignored = (
        _positions(file, first, style, option, as_tuple(keys))
        for option, keys in (("label", label), ("categorical", categorical), ("ignore", ignore))
    )
    for option, position in (*(("categorical", p) for p in words), *(("ignore", p) for p in ignored)):
        if position in targets:
            raise UserError(f"csv: {option}: expected columns other than the label, found {first[position]!r}")
    features = tuple(p for p in range(len(first)) if p not in targets and p not in ignored)
    if not features:
        raise UserError(f"{file}: expected rows of features and a label, found no features in {len(first)} columns")
    numeric = [p for p in features if p not in words] + (list(targets) if numeric_targets else [])
    width = sum(map(bool, first))  # without the nameless column of row numbers that pandas writes
    named = any(isinstance(key, str) for keys in (label, categorical, ignore) for key in as_tuple(keys))
    if named and header is False:
        raise UserError("csv: header = false: expected columns by their index, found a column by its name")
    if header == "auto" and not named and [cell for cell in first if cell] == [str(i) for i in range(width)]:
        raise UserError(
            f"{file} line 1: expected a header of words or an example, found the numbers of the columns; set header = "
            "true if they are their names, else header = false"
        )
    is_header = named or (_is_header(file, [first[p] for p in numeric], style) if header == "auto" else header)
    if is_header:
        _check_names(file, first, style, (*features, *targets))
    return Layout(tuple(first) if is_header else None, len(first), features, targets, frozenset(words))


def _positions(
    file: Path, first: Sequence[str], style: Style, option: str, keys: Iterable[str | int]
) -> tuple[int, ...]:
    positions = []
    for key in keys:
        if isinstance(key, str):
            if first.count(key) != 1:
                raise _no_column(file, first, style, option, key)
            position = first.index(key)
        else:
            if not -len(first) <= key < len(first):
                raise UserError(f"{file}: {option}: expected a column from 0 to {len(first) - 1}, found {key}")
            position = key % len(first)
        if position in positions:
            raise UserError(f"{file}: {option}: expected different columns, found {key!r} twice")
        positions.append(position)
    return tuple(positions)


def _no_column(file: Path, first: Sequence[str], style: Style, option: str, key: str) -> UserError:
    names = ", ".join(repr(name[:40]) for name in first[:20]) + (", …" if len(first) > 20 else "")
    advice = hint(key, first, repr) or f"; set {option} = NAME or INDEX (-1: the last column)"
    if len(first) == 1:
        others = [other for other in (",", ";", "\t", "|") if other != style.delimiter and other in first[0]]
        advice = f"; set delimiter = {'tab' if others[0] == chr(9) else others[0]!r}" if others else advice
    return UserError(f"{file}: {option}: expected one column named {key!r}, found {names}{advice}")


def _is_header(file: Path, cells: Sequence[str], style: Style) -> bool:
    """Whether the first row's cells in the columns of numbers belong to a header."""
    numbers = sum(parse_number(cell, style) is not None for cell in cells)
    missing = sum(style.is_missing(cell) for cell in cells)
    nameless = sum(not cell for cell in cells)
    if cells and not numbers and missing == nameless < len(cells):
        return True
    if numbers and numbers + missing == len(cells):
        return False
    raise UserError(
        f"{file} line 1: expected a header of words or an example of numbers, found a first row that may be either; "
        "set header = true or header = false"
    )


def _check_names(file: Path, names: Sequence[str], style: Style, positions: Iterable[int]) -> None:
    for position in positions:
        name = names[position]
        if not name:
            last = position == len(names) - 1
            kind = "each row may end in a delimiter" if last else "it may be an index of the rows"
            raise UserError(
                f"{file}: expected a name for each column, found none for column {position} ({kind}); "
                f"ignore = [{-1 if last else position}] leaves it out"
            )
        if names.count(name) > 1:
            raise UserError(
                f"{file}: expected columns of different names, found {name!r} {names.count(name)} times; rename them, "
                f"or leave one out by its index: ignore = [{position}]"
            )
