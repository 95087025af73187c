"""Reads further tables in the form of a training table: the same columns, categories, classes and means."""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Float32, Int32

from jaxnn.data.dataset import Part
from jaxnn.data.table_column import Column, rebuild_column
from jaxnn.data.table_layout import Layout
from jaxnn.data.table_rows import Missing, Rows, read_rows
from jaxnn.data.table_text import Decimal, Encoding, Style, make_style, read_blocks
from jaxnn.errors import UserError

Unknown = Literal["refuse", "zeros"]


class TableReader(NamedTuple):
    """Reads CSV files with the columns of a training table, found by name in any order, or by position without names.

    width: the number of columns of the training table
    targets: the columns of the targets; files for prediction need none of them
    classes: the classes in the order of their labels; empty where the targets are numbers
    missing: what happens to missing values; where rows are dropped, a file for prediction may have none
    unknown: refuse a category that the training table lacks, or encode it as zeros
    means: of each feature, in place of missing values; empty until `with_means` sets them, and without `mean`
    """

    style: Style
    width: int
    features: tuple[Column, ...]
    targets: tuple[Column, ...]
    classes: tuple[str, ...]
    missing: Missing
    unknown: Unknown
    means: tuple[float, ...] = ()

    @property
    def feature_names(self) -> list[str]:
        """A name for each column of ``x``."""
        return [name for column in self.features for name in column.feature_names]

    def with_means(self, means: Sequence[float]) -> "TableReader":
        """The reader that puts these numbers, one for each feature, in place of missing values."""
        return self._replace(means=tuple(float(mean) for mean in means))

    def inputs(self, file: Path) -> Float32[np.ndarray, "n features"]:
        """The features of each row of a CSV file. Raises UserError for missing columns and cells that do not fit."""
        missing = "mean" if self.missing == "mean" else "refuse"
        return self._filled(self.encode_features(file, self._read(file, missing, with_targets=False)))

    def examples(self, file: Path) -> Part:
        """The rows of a CSV file with their targets: labels in the order of the training's classes, or numbers.

        Raises UserError, also for a class that the training table lacks.
        """
        rows = self._read(file, self.missing, with_targets=True)
        return Part(self._filled(self.encode_features(file, rows)), self.encode_targets(file, rows))

    def settings(self) -> dict[str, Any]:
        return {
            "kind": "table",
            "style": self.style._asdict(),
            "width": self.width,
            "features": [list(column) for column in self.features],
            "targets": [list(column) for column in self.targets],
            "classes": list(self.classes),
            "missing": self.missing,
            "unknown": self.unknown,
            "means": list(self.means),
        }

    def encode_features(self, file: Path, rows: Rows) -> Float32[np.ndarray, "n features"]:
        """The features of rows: numbers as they are, categories as one-hot rows, NaN for what is missing."""
        if all(column.categories is None for column in self.features):
            return rows.numbers[:, : len(self.features)].astype(np.float32)
        x = np.empty((len(rows.lines), len(self.feature_names)), np.float32)
        number, word, start = 0, 0, 0
        for column in self.features:
            if column.categories is None:
                x[:, start] = rows.numbers[:, number]
                number, start = number + 1, start + 1
            else:
                end = start + len(column.categories)
                x[:, start:end] = self._one_hot(file, rows.lines, column, rows.words[word])
                word, start = word + 1, end
        return x

    def encode_targets(self, file: Path, rows: Rows) -> Float32[np.ndarray, "n m"] | Int32[np.ndarray, "n"]:
        """The targets of rows: labels of one column of classes, or float32 numbers."""
        if not self.classes:
            return rows.numbers[:, -len(self.targets) :].astype(np.float32)
        labels = {name: label for label, name in enumerate(self.classes)}
        y = np.array([labels.get(str(cell), -1) for cell in rows.words[-1]], np.int32)
        if (y < 0).any():
            row = int((y < 0).argmax())
            raise UserError(
                f"{file} line {rows.lines[row]}: expected a class of the training table, {_list(self.classes)}, found "
                f"{str(rows.words[-1][row])[:40]!r}"
            )
        return y

    def _one_hot(
        self, file: Path, lines: np.ndarray, column: Column, cells: Sequence[str | None]
    ) -> Float32[np.ndarray, "n categories"]:
        assert column.categories is not None
        index = {category: i for i, category in enumerate(column.categories)}
        block = np.zeros((len(cells), len(index)), np.float32)
        for row, cell in enumerate(cells):
            if cell is None:
                block[row] = np.nan
            elif cell in index:
                block[row, index[cell]] = 1
            elif self.unknown == "refuse":
                raise UserError(
                    f"{file} line {lines[row]} {column.title}: expected a word of the training table, "
                    f"{_list(column.categories)}, found {cell[:40]!r}; "
                    'a run trained with unknown = "zeros" reads another word as none of them'
                )
        return block

    def _filled(self, x: Float32[np.ndarray, "n features"]) -> Float32[np.ndarray, "n features"]:
        return np.where(np.isnan(x), np.array(self.means, np.float32), x) if self.means else x

    def _read(self, file: Path, missing: Missing, *, with_targets: bool) -> Rows:
        blocks = read_blocks(file, self.style)
        first = next(blocks, None)
        if first is None:
            raise UserError(f"{file}: expected rows, found none")
        cells = [cell.strip() for cell in first.cells(self.style.delimiter)[0]]
        if self.has_header:
            layout, first = self._named_layout(file, cells, with_targets), first.without_first()
        else:
            layout = self._unnamed_layout(file, len(cells), with_targets)
        rows = read_rows(
            file, chain([first], blocks), self.style, layout, numeric_targets=not self.classes, missing=missing
        )
        if not len(rows.lines):
            raise UserError(f"{file}: expected examples, found none")
        return rows

    @property
    def target_names(self) -> list[str]:
        """A name for each column of numeric targets."""
        return [column.feature_names[0] for column in self.targets]

    @property
    def has_header(self) -> bool:
        return self.features[0].name is not None

    def _named_layout(self, file: Path, names: list[str], with_targets: bool) -> Layout:
        wanted = [str(column.name) for column in (*self.features, *(self.targets if with_targets else ()))]
        absent = [name for name in wanted if name not in names]
        if absent:
            raise UserError(
                f"{file}: expected the columns of the training table, found no {_list(absent)} among {_list(names)}; "
                f"the first row must be a header, with the delimiter {self.style.delimiter!r}"
            )
        twice = [name for name in wanted if names.count(name) > 1]
        if twice:
            raise UserError(f"{file}: expected columns of different names, found {twice[0]!r} twice; rename one")
        return self._layout_at(tuple(names), len(names), with_targets, lambda column: names.index(str(column.name)))

    def _unnamed_layout(self, file: Path, width: int, with_targets: bool) -> Layout:
        if width == self.width:
            return self._layout_at(None, width, with_targets, lambda column: column.position)
        if width != self.width - len(self.targets) or with_targets:
            without = "" if with_targets else f", or {self.width - len(self.targets)} without the label"
            raise UserError(f"{file}: expected {self.width} columns, as in the training table{without}, found {width}")
        targets = [column.position for column in self.targets]
        return self._layout_at(
            None, width, with_targets, lambda column: column.position - sum(p < column.position for p in targets)
        )

    def _layout_at(
        self, names: tuple[str, ...] | None, width: int, with_targets: bool, position: Callable[[Column], int]
    ) -> Layout:
        return Layout(
            names,
            width,
            tuple(position(column) for column in self.features),
            tuple(position(column) for column in self.targets) if with_targets else (),
            frozenset(position(column) for column in self.features if column.categories is not None),
        )


def rebuild_table_reader(settings: Mapping[str, Any]) -> TableReader:
    """The reader with these settings. Raises KeyError, TypeError, ValueError or UserError for others."""
    style = settings["style"]
    reader = TableReader(
        make_style(style["delimiter"], style["decimal"], style["encoding"], tuple(style["missing_values"])),
        int(settings["width"]),
        tuple(rebuild_column(column) for column in settings["features"]),
        tuple(rebuild_column(column) for column in settings["targets"]),
        tuple(str(name) for name in settings["classes"]),
        settings["missing"],
        settings["unknown"],
        tuple(float(mean) for mean in settings["means"]),
    )
    choices = ((reader.missing, Missing), (reader.unknown, Unknown), (style["decimal"], Decimal))
    if any(value not in get_args(known) for value, known in (*choices, (style["encoding"], Encoding))):
        raise ValueError("expected options of a table")
    if not reader.features or len({column.name is None for column in reader.features}) != 1:
        raise ValueError("expected features, all with a name or none")
    if not all(0 <= column.position < reader.width for column in (*reader.features, *reader.targets)):
        raise ValueError("expected positions of columns")
    if reader.means and len(reader.means) != len(reader.feature_names):
        raise ValueError("expected a mean for each feature")
    return reader


def _list(names: Sequence[str]) -> str:
    return ", ".join(repr(name[:40]) for name in names[:20]) + (", …" if len(names) > 20 else "")
