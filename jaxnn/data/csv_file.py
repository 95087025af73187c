"""Reads a CSV file: each row is one example, one column holds the labels."""

import csv
import math
import os
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from jaxnn.data.data_dir import find_path
from jaxnn.data.dataset import Dataset, Part
from jaxnn.data.labels import number_classes
from jaxnn.errors import UserError

_MAX_BYTES = 1 << 30
_MAX_NUMBER = 3.4e38  # float32 has no larger finite number


def csv_file(
    path: str,
    label: str | int = "label",
    delimiter: str = ",",
    data_dir: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Reads the rows of a CSV file as float32 features (n, columns - 1), in the order of the file.

    path: a relative path is tried in the current folder, then in the data folder
    label: the column of the labels, by name or by index from 0 (-1: the last)
    delimiter: the character between the cells

    The first row is a header if ``label`` is a name or if one of its features is not a number. Labels are words or
    integers. The classes are sorted, by value if all are integers.

    Raises UserError, which names file and line, for a row of another length, a feature that is not a finite number,
    and a label that is missing or has a fraction.
    """
    file = find_path(path, data_dir)
    if not file.is_file() or file.stat().st_size > _MAX_BYTES:
        kind = "a folder" if file.is_dir() else "more"
        raise UserError(f"{file}: expected a CSV file of at most 1 GiB, found {kind}")
    if len(delimiter) != 1 or delimiter in '\r\n"':
        raise UserError(f"csv: delimiter: expected one character, found {delimiter!r}")
    rows = _read_lines(file, delimiter)
    line, first = next(rows, (0, []))
    if not first:
        raise UserError(f"{file}: expected rows, found none")
    column = _label_column(file, first, label)
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


def _read_lines(file: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yields the line number and the cells of each line that is not empty."""
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


def _label_column(file: Path, first: list[str], label: str | int) -> int:
    if isinstance(label, str):
        if first.count(label) != 1:
            names = ", ".join(_preview(name) for name in first[:20])
            raise UserError(f"{file}: expected one column named {_preview(label)}, found {names}")
        return first.index(label)
    if not -len(first) <= label < len(first):
        raise UserError(f"{file}: label: expected a column from 0 to {len(first) - 1}, found {label}")
    return label % len(first)


def _read_row(file: Path, line: int, row: list[str], column: int, features: array) -> str:
    """Appends the features of the row to ``features`` and returns its label."""
    for index, cell in enumerate(row):
        if index == column:
            continue
        number = np.float32(cell) if _is_number(cell) and abs(float(cell)) < _MAX_NUMBER else math.nan
        if not math.isfinite(number):
            raise UserError(f"{file} line {line} column {index}: expected a finite number, found {_preview(cell)}")
        features.append(number)
    label = row[column]
    if not label:
        raise UserError(f"{file} line {line} column {column}: expected a label, found nothing")
    if not _is_number(label):
        return label
    value = float(label)
    if not value.is_integer():
        raise UserError(
            f"{file} line {line} column {column}: expected a word or a whole number, found {_preview(label)}"
        )
    return str(int(value))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _preview(cell: str) -> str:
    return repr(cell[:40])
