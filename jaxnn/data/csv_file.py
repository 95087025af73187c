"""A CSV file: one example a row, one column its label."""

import csv
import math
import os
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from jaxnn.data.data_dir import find
from jaxnn.data.dataset import Dataset, Part
from jaxnn.data.labels import number_classes
from jaxnn.errors import UserError

_MOST_BYTES = 1 << 30


def table(
    path: str,
    label: str | int = "label",
    delimiter: str = ",",
    data_dir: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Rows of a CSV file as float32 features (n, columns - 1), in the order of the file.

    ``label`` is the label's column: its name, or its index from 0 (-1: the last). The first row is a header if
    ``label`` is a name or if one of its features is no number. Labels are words or whole numbers; the classes are
    sorted, numbers by value. ``delimiter`` is the one character between the cells. A relative ``path`` that is not
    in the current folder is looked for in the data folder.

    Raises UserError, with file and line, for a row of another length, a feature that is no finite number and a label
    that is missing or a fraction.
    """
    file = find(path, data_dir)
    if not file.is_file() or file.stat().st_size > _MOST_BYTES:
        found = "a folder" if file.is_dir() else "more"
        raise UserError(f"{file}: expected a CSV file of at most 1 GiB, found {found}")
    if len(delimiter) != 1 or delimiter in '\r\n"':
        raise UserError(f"csv: delimiter: expected one character, found {delimiter!r}")
    rows = _rows(file, delimiter)
    line, first = next(rows, (0, []))
    if not first:
        raise UserError(f"{file}: expected rows, found none")
    column = _column(file, first, label)
    features, labels = array("f"), []
    if not isinstance(label, str) and all(map(_is_number, first[:column] + first[column + 1 :])):
        labels.append(_read_row(file, line, first, column, features))
    for line, row in rows:
        if len(row) != len(first):
            raise UserError(f"{file} line {line}: expected {len(first)} columns, found {len(row)}")
        labels.append(_read_row(file, line, row, column, features))
    if not labels or len(first) < 2:
        raise UserError(f"{file}: expected rows of features and a label, found {len(labels)} of {len(first)} columns")
    y, classes = number_classes(labels)
    x = np.array(features, np.float32).reshape(len(labels), len(first) - 1)
    return Dataset("csv", Part(x, y), None, classes, 1.0)


def _rows(file: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Number and cells of each line that is not empty."""
    with file.open(encoding="utf-8-sig", newline="") as text:
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        try:
            for row in reader:
                if row:
                    yield reader.line_num, [cell.strip() for cell in row]
        except csv.Error as error:
            raise UserError(f"{file} line {reader.line_num}: not a CSV file ({error})") from error
        except UnicodeDecodeError as error:
            raise UserError(f"{file}: expected UTF-8, found other bytes after line {reader.line_num}") from error


def _column(file: Path, first: list[str], label: str | int) -> int:
    if isinstance(label, str):
        if first.count(label) != 1:
            names = ", ".join(_shown(name) for name in first[:20])
            raise UserError(f"{file}: expected one column named {_shown(label)}, found {names}")
        return first.index(label)
    if not -len(first) <= label < len(first):
        raise UserError(f"{file}: label: expected a column from 0 to {len(first) - 1}, found {label}")
    return label % len(first)


def _read_row(file: Path, line: int, row: list[str], column: int, features: array) -> str:
    """Appends the row's features; returns its label."""
    for index, cell in enumerate(row):
        if index == column:
            continue
        # A number beyond float32 becomes infinite in it.
        number = np.float32(cell) if _is_number(cell) and abs(float(cell)) < 3.4e38 else math.nan
        if not math.isfinite(number):
            raise UserError(f"{file} line {line} column {index}: expected a finite number, found {_shown(cell)}")
        features.append(number)
    label = row[column]
    if not label:
        raise UserError(f"{file} line {line} column {column}: expected a label, found nothing")
    if not _is_number(label):
        return label
    value = float(label)
    if not value.is_integer():
        raise UserError(f"{file} line {line} column {column}: expected a word or a whole number, found {_shown(label)}")
    return str(int(value))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _shown(cell: str) -> str:
    return repr(cell[:40])
