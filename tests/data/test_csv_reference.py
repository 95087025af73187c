"""The fast reader of CSV files equals a slow plain one, for every option, in what it reads and in what it refuses."""

import inspect
import re
import warnings
from typing import Any

import numpy as np
import pytest
from csv_tables import Table, tables
from hypothesis import given, settings

from jaxnn.data import load
from jaxnn.data.csv_file import csv_file
from jaxnn.data.reader import rebuild_reader
from jaxnn.data.table_reader import TableReader
from jaxnn.errors import UserError

NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


class Refused(Exception):
    """What the plain reader raises."""


def plain_number(cell: str, options: dict[str, Any]) -> float:
    cell = cell.strip()
    if cell in options["missing_values"]:
        return np.nan
    text = cell if options["decimal"] == "." else cell.replace(".", "x").replace(",", ".")
    if not NUMBER.fullmatch(text) or not abs(float(text)) < 3.4e38:
        raise Refused(cell)
    return float(text)


def is_number(cell: str, options: dict[str, Any]) -> bool:
    try:
        return not np.isnan(plain_number(cell, options))
    except Refused:
        return False


def targets_in_order(table: Table) -> list[int]:
    """The columns of the targets in the order of the option ``label``."""
    label = table.options["label"]
    keys = label if isinstance(label, tuple) else (label,)
    names = [name.strip() for name in table.names or ()]
    return [names.index(key) if isinstance(key, str) else key % len(table.roles) for key in keys]


def plain_rows(table: Table, rows: list[list[str]]) -> list[dict[int, float | str | None]]:
    """The cells of the rows that are kept, by column: numbers, NaN where missing; words, None where missing."""
    options, numeric = table.options, table.columns("n") + table.columns("y") * table.numeric_targets
    result = []
    for row in rows:
        cells: dict[int, float | str | None] = {i: plain_number(row[i], options) for i in numeric}
        for i in set(table.columns("c", "y")) - set(numeric):
            cells[i] = None if row[i].strip() in options["missing_values"] else row[i].strip()
        result.append(cells)
    kept = []
    for cells in result:
        gaps = {i for i, cell in cells.items() if cell is None or cell != cell}
        if gaps and options["missing"] == "drop":
            continue
        if gaps and (options["missing"] == "refuse" or gaps & set(table.columns("y"))):
            raise Refused("missing")
        kept.append(cells)
    return kept


def plain_read(table: Table) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The features and the targets, or the words of the labels, of both files."""
    train, test = plain_rows(table, table.rows), plain_rows(table, table.test)
    if not train or not test:
        raise Refused("no rows")
    categories = {i: sorted({str(row[i]) for row in train if row[i] is not None}) for i in table.columns("c")}
    parts = []
    for rows in (train, test):
        x = []
        for row in rows:
            features: list[Any] = []
            for i in table.columns("n", "c"):
                known = categories.get(i)
                if known is None or row[i] is None:
                    features += [row[i]] if known is None else [np.nan] * len(known)
                elif row[i] not in known and table.options["unknown"] == "refuse":
                    raise Refused("unknown")
                else:
                    features += [row[i] == category for category in known]
            x.append(features)
        y = [[row[i] for i in targets_in_order(table)] for row in rows]
        parts += [np.array(x, np.float32), np.array(y, np.float32) if table.numeric_targets else np.array(y)[:, 0]]
    if not table.numeric_targets:
        labels = set(parts[1])
        fractions = (re.fullmatch(NUMBER, y) and not float(y).is_integer() for y in labels)
        if len(labels) < 2 or any(fractions) or set(parts[3]) - labels:
            raise Refused("labels")
    if not parts[0].shape[1]:
        raise Refused("no features")
    return parts[0], parts[1], parts[2], parts[3]


def check_names(table: Table) -> None:
    """Raises Refused unless features and targets have names that no other column has."""
    names = [name.strip() for name in table.names or ()]
    for i in table.columns("n", "c", "y"):
        if names and (not names[i] or names.count(names[i]) > 1):
            raise Refused("names")


def expected_table(table: Table) -> Table:
    """The table as ``header = "auto"`` has to read it. Raises Refused if the first row may be a header or an example.

    Where it was written otherwise, the second file is the same as the first. Columns by names say that there is a
    header. Else the first cells of all columns of numbers say so: words are those of a header, numbers those of an
    example whose label is like the others.
    """
    options, first = table.options, [cell.strip() for cell in table.names or table.rows[0]]
    keys = (options["label"], options["categorical"], options["ignore"])
    if options["header"] != "auto" or any(
        isinstance(key, str) for k in keys for key in (k if type(k) is tuple else (k,))
    ):
        return table
    cells = [first[i] for i in table.columns("n") + table.columns("y") * table.numeric_targets]
    numbers = [is_number(cell, options) for cell in cells]
    absent = [cell in options["missing_values"] for cell in cells]
    shown = [cell for cell in first if cell]
    if shown == [str(i) for i in range(len(shown))]:
        raise Refused("numbers of the columns")
    if any(numbers) and all(a or b for a, b in zip(numbers, absent, strict=True)):
        rows = table.rows if table.names is None else [table.names, *table.rows]
        return table._replace(names=None, rows=rows, test=rows)
    if cells and not any(numbers) and absent == [not cell for cell in cells] and any(cells):
        if table.names is None:
            return table._replace(names=first, rows=table.rows[1:], test=table.rows[1:])
        return table
    raise Refused("either")


def check_first_label(table: Table, labels: list[str]) -> None:
    """Raises Refused for a first label that may be the name of its column."""
    first, *others = labels

    def is_integer(label: str) -> bool:
        return re.fullmatch("0|-?[1-9][0-9]*", label) is not None

    unlike = all(map(is_integer, others)) or all(others.count(label) > 1 for label in others)
    if not is_integer(first) and first not in others and others and unlike:
        raise Refused("first label")


@settings(deadline=None, max_examples=300)
@given(table=tables())
def test_csv_equals_a_plain_reader(tmp_path_factory, table):
    folder = tmp_path_factory.getbasetemp()
    path, test_path = folder / "reference.csv", folder / "reference_test.csv"
    path.write_bytes(table.content)
    test_path.write_bytes(table.test_content)
    options = {"path": str(path), **table.options}
    try:
        expected = expected_table(table)
        if expected is table:  # else the first row of each file is read as something else
            options["test_path"] = str(test_path)
        check_names(expected)
        x, y, test_x, test_y = plain_read(expected)
        if expected.options["header"] == "auto" and expected.names is None and not expected.numeric_targets:
            check_first_label(expected, list(y))
    except Refused:
        with pytest.raises(UserError) as refusal, warnings.catch_warnings(action="ignore"):
            load("csv", options)
        assert "\n" not in str(refusal.value)
        return
    with warnings.catch_warnings(action="ignore"):
        dataset = load("csv", options)
    parts = [(dataset.train, x, y)]
    if expected is table:
        assert dataset.test is not None
        parts.append((dataset.test, test_x, test_y))
    for part, features, targets in parts:
        np.testing.assert_array_equal(part.x, features)
        found = part.y if expected.numeric_targets else np.array([dataset.classes[label] for label in part.y])
        np.testing.assert_array_equal(found, targets)
    assert isinstance(dataset.reader, TableReader)
    reader = rebuild_reader(dataset.reader.settings())
    assert reader == dataset.reader
    if options["missing"] != "drop":
        np.testing.assert_array_equal(reader.inputs(path), x)


def test_csv_reference_varies_every_option():
    fixed = {"path", "test_path", "max_value", "data_dir"}  # `max_value` is of the preprocessing
    options: set[str] = set()

    @settings(max_examples=1, database=None)
    @given(table=tables())
    def draw(table):
        options.update(table.options)

    draw()
    assert options == set(inspect.signature(csv_file).parameters) - fixed
