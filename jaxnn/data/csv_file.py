"""Reads a CSV file: each row is one example, one column holds its class, or several hold its numbers."""

import os
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from jaxnn.data.array_reader import Targets
from jaxnn.data.data_dir import find_path
from jaxnn.data.dataset import Dataset, Part
from jaxnn.data.labels import number_classes
from jaxnn.data.number_cells import is_integer, parse_number
from jaxnn.data.table_checks import check_categories_repeat, check_features, check_labels_repeat
from jaxnn.data.table_column import Column
from jaxnn.data.table_layout import ColumnKeys, Header, Layout, as_tuple, find_layout
from jaxnn.data.table_reader import TableReader, Unknown
from jaxnn.data.table_rows import Missing, Rows, read_rows
from jaxnn.data.table_text import MISSING_VALUES, Decimal, Encoding, Style, make_style, read_blocks
from jaxnn.errors import UserError

_MAX_BYTES = 2 << 30
_MAX_NAME = 200  # characters of a class or a category


def csv_file(
    path: str,
    label: ColumnKeys = "label",
    targets: Targets = "auto",
    categorical: ColumnKeys = (),
    ignore: ColumnKeys = (),
    missing: Missing = "refuse",
    missing_values: tuple[str, ...] = MISSING_VALUES,
    unknown: Unknown = "refuse",
    header: Header = "auto",
    delimiter: str = ",",
    decimal: Decimal = ".",
    encoding: Encoding = "utf-8",
    max_value: float = 1.0,
    test_path: str = "",
    data_dir: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Reads the rows of a CSV file, gzipped or not, as float32 features (n, m), in the order of the file.

    path: a relative path is tried in the current folder, then in the data folder
    label: the column of the targets, by name or by index from 0 (-1: the last), or a list of columns of numbers
    targets: "classes" or "numbers" (regression); auto: numbers for a list of columns, classes for one column
    categorical: columns of words, by name or index. Each word of the file is a feature that is 0 or 1
    ignore: columns that are left out, such as dates, names and row numbers
    missing: "refuse" a missing value, "drop" its row, or put the "mean" of its feature over the training examples
    missing_values: the cells that stand for a missing value. A missing target is refused or dropped
    unknown: "refuse" a word that only a later file has, or set all features of its column to 0 ("zeros")
    header: whether the first row holds the names of the columns; "auto" finds out, and refuses a first row that may
        be either
    delimiter: the character between the cells; "tab" for a tab
    decimal: the character before a fraction, "." or ","
    encoding: of the text, where it has no byte order mark
    max_value: the value of full intensity for ``preprocess``, such as 255 for pixels
    test_path: a second file of the same columns, the official test part

    A number is decimal: digits with a sign, a point and an exponent, but no nan, inf or 1_000. Classes are words: "1",
    "01" and "1.0" are three of them. They are sorted, by value if all are integers. A file whose cells are all numbers
    and not quoted is read about ten times faster.

    Raises UserError, which names file, line, column and remedy.
    """
    style = make_style(delimiter, decimal, encoding, missing_values)
    columns = as_tuple(label)
    if not columns:
        raise UserError("csv: label: expected a column or several, found none")
    numeric = targets == "numbers" or (targets == "auto" and isinstance(label, tuple))
    if not numeric and len(columns) > 1:
        raise UserError('csv: label: expected one column of classes, found several; targets = "numbers" takes several')
    file = find_path(path, data_dir)
    blocks = read_blocks(file, style)
    first = next(blocks, None)
    if first is None:
        raise UserError(f"{file}: expected rows, found none")
    cells = [cell.strip() for cell in first.cells(style.delimiter)[0]]
    layout = find_layout(
        file,
        cells,
        style,
        label=label,
        categorical=categorical,
        ignore=ignore,
        header=header,
        numeric_targets=numeric,
    )
    rows = read_rows(
        file,
        chain([first if layout.names is None else first.without_first()], blocks),
        style,
        layout,
        numeric_targets=numeric,
        missing=missing,
    )
    if not len(rows.lines):
        raise UserError(f"{file}: expected rows of features and a label, found none")
    if header == "auto" and layout.names is None and not numeric:
        _check_first_label(file, rows)
    classes = () if numeric else _classes(file, rows, style)
    reader = TableReader(
        style,
        layout.width,
        _feature_columns(file, layout, rows),
        tuple(_column(layout, position) for position in layout.targets),
        classes,
        missing,
        unknown,
    )
    check_categories_repeat(file, reader.features, len(rows.lines))
    check_features(file, reader.features, rows)
    if len(rows.lines) * len(reader.feature_names) * 4 > _MAX_BYTES:
        raise UserError(f"{file}: expected at most 2 GiB of features, found more; ignore leaves columns out")
    train = Part(reader.encode_features(file, rows), reader.encode_targets(file, rows))
    test = reader.examples(find_path(test_path, data_dir)) if test_path else None
    names = tuple(str(column.name) for column in reader.targets) if numeric and layout.names is not None else ()
    return Dataset("csv", train, test, classes, max_value, reader, has_missing=missing == "mean", targets=names)


def _classes(file: Path, rows: Rows, style: Style) -> tuple[str, ...]:
    """The classes of the words in the last column. Raises UserError for labels that are numbers with fractions."""
    labels = [str(cell) for cell in rows.words[-1]]
    numbers = [parse_number(label, style) for label in labels]
    for line, label, number in zip(rows.lines, labels, numbers, strict=True):
        if number is not None and not number.is_integer():
            advice = 'targets = "numbers" predicts numbers (regression)'
            if any(other is None for other in numbers):
                advice = "another row has a word, so write words or integers in all rows"
            raise UserError(
                f"{file} line {line}: expected a word or an integer as class, found {label[:40]!r}; {advice}"
            )
    _check_lengths(file, labels)
    classes = number_classes(labels)[1]
    remedy = 'targets = "numbers" predicts numbers (regression)'
    if not all(is_integer(name) for name in classes):
        remedy = "set label to the column of the classes"
    check_labels_repeat(f"{file} label", len(classes), len(labels), remedy)
    return classes


def _check_first_label(file: Path, rows: Rows) -> None:
    """Raises UserError if the first row, read as an example, has a label unlike all others: it may be a header.

    It is unlike them if it alone is no integer, or if it alone never comes again.
    """
    labels = [str(cell) for cell in rows.words[-1]]
    first, *others = labels
    counts = Counter(others)
    odd = not is_integer(first) and bool(others) and (all(map(is_integer, others)) or min(counts.values()) > 1)
    if odd and first not in counts:
        raise UserError(
            f"{file} line {rows.lines[0]}: expected a label like those of the other rows, found {first[:40]!r}; "
            "set header = true if it is the name of the column, else header = false"
        )


def _feature_columns(file: Path, layout: Layout, rows: Rows) -> tuple[Column, ...]:
    words = iter(rows.words)
    columns = []
    for position in layout.features:
        column = _column(layout, position)
        if position in layout.categorical:
            categories = sorted({cell for cell in next(words) if cell is not None})
            _check_lengths(file, categories)
            column = column._replace(categories=tuple(categories))
        columns.append(column)
    return tuple(columns)


def _column(layout: Layout, position: int) -> Column:
    return Column(None if layout.names is None else layout.names[position], position)


def _check_lengths(file: Path, names: Sequence[str]) -> None:
    longest = max(names, key=len, default="")
    if len(longest) > _MAX_NAME:
        raise UserError(f"{file}: expected words of at most {_MAX_NAME} characters, found {longest[:40]!r}…")
