"""Finds valid columns that teach nothing or the wrong thing: constants, identifiers, labels that never repeat."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from jaxnn.data.table_column import Column
from jaxnn.data.table_rows import Rows
from jaxnn.errors import DataWarning, UserError

#: Below so many rows, columns of different values and labels say nothing about what they are.
_MIN_ROWS = 30
_ID_NAMES = {"id", "index", "idx", "row", "row_id", "rowid", "row id", "rownames", "unnamed: 0", "no", "no.", "nr", "#"}
_LISTED = 5


def check_labels_repeat(where: str, labels: int, rows: int, remedy: str) -> None:
    """Raises UserError if most rows have a label of their own, as prices or names have, not classes."""
    if rows >= _MIN_ROWS and labels > rows / 2:
        raise UserError(f"{where}: expected classes that repeat, found {labels:,} labels in {rows:,} rows; {remedy}")


def check_categories_repeat(file: Path, columns: Sequence[Column], rows: int) -> None:
    """Raises UserError for a categorical column in which most rows differ, as dates and names do."""
    for column in columns:
        if column.categories is not None and rows >= _MIN_ROWS and len(column.categories) > rows / 2:
            raise UserError(
                f"{file} {column.title}: expected categories that repeat, found {len(column.categories):,} in "
                f"{rows:,} rows; ignore = [{column.key}] leaves the column out"
            )


def check_features(file: Path, columns: Sequence[Column], rows: Rows) -> None:
    """Refuses a column that is named as an identifier and is one. Warns of row numbers and of constant features.

    An identifier in the order of the rows can give the label away, since many tables are sorted by it. A column that
    only counts the rows may be the time of a series, and constants (the border of images) do no harm.
    """
    numbers = rows.numbers
    same = iter((numbers == numbers[0]).all(axis=0) | np.isnan(numbers).all(axis=0))
    counts = iter((numbers[:_MIN_ROWS] == numbers[0] + np.arange(len(numbers[:_MIN_ROWS]))[:, None]).all(axis=0))
    values, words = iter(numbers.T), iter(rows.words)
    constant, counting = [], []
    for column in columns:
        if column.categories is not None:
            is_constant = len(set(next(words))) == 1
            is_counting = False
        else:
            is_constant, is_counting, cells = next(same), next(counts), next(values)
            is_counting = is_counting and len(cells) >= _MIN_ROWS and (np.diff(cells) == 1).all()
            if (column.name or "").lower() in _ID_NAMES and _is_identifier(cells):
                raise UserError(
                    f"{file} {column.title}: expected features, found an identifier, another integer in each row; "
                    f"ignore = [{column.key}] leaves it out (or give the column another name)"
                )
        if is_constant:
            constant.append(column)
        elif is_counting:
            counting.append(column)
    if counting:
        _warn(file, counting, "counts the rows: if that is an index and no measurement, leave it out", "count")
    if constant and len(constant) < len(columns):
        _warn(file, constant, "has one value in all rows, so it teaches nothing; leave it out", "constant")


def _is_identifier(cells: Float64[np.ndarray, "n"]) -> bool:
    return len(cells) >= _MIN_ROWS and bool((cells % 1 == 0).all()) and len(np.unique(cells)) == len(cells)


def _warn(file: Path, columns: Sequence[Column], fault: str, kind: str) -> None:
    keys = ", ".join(column.key for column in columns[:_LISTED]) + (", …" if len(columns) > _LISTED else "")
    more = "" if len(columns) == 1 else f", and {len(columns) - 1:,} more {kind} columns"
    warnings.warn(f"{file} {columns[0].title}{more}: {fault} by ignore = [{keys}]", DataWarning, stacklevel=2)
