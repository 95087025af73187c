"""Reads texts with a class: a table of two columns, or a folder with a file of lines for each class."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxnn.data.data_dir import find_path
from jaxnn.data.dataset import Dataset, Part
from jaxnn.data.labels import number_classes
from jaxnn.data.lines import file_lines
from jaxnn.data.padding import pad_sequences
from jaxnn.data.table_text import make_style, read_blocks
from jaxnn.data.text import TextReader, rebuild_text_reader
from jaxnn.data.tokens import Encoding, Tokens, file_text, make_vocabulary, split_lines, text_tokens
from jaxnn.errors import UserError

if TYPE_CHECKING:
    from jaxnn.sequence import Sequence

_MAX_NAME = 200  # characters of a class
#: Endings of a file whose cells are between tabs, where a quote is a character as any other.
_TAB_SUFFIXES = (".tsv", ".tab")


class Columns(NamedTuple):
    """Where a table has its texts and their classes, by the names of a header or by index from 0."""

    text: str | int
    label: str | int
    encoding: Encoding

    def read(self, file: Path) -> list[tuple[str, str]]:
        """(text, class) of each row. Raises UserError, which names the line, for a row without one of them."""
        rows = _tab_rows(file, self.encoding) if file.suffix.lower() in _TAB_SUFFIXES else _comma_rows(file, self)
        header = rows.pop(0)[1] if rows and any(isinstance(key, str) for key in (self.text, self.label)) else None
        pairs = []
        for number, cells in rows:
            where = f"{file} line {number}"
            text, label = (_cell(where, cells, key, header) for key in (self.text, self.label))
            pairs.append((text, label))
        if not pairs:
            raise UserError(f"{file}: expected rows of a text and its class, found none")
        return pairs


class LabelledLines(NamedTuple):
    """The tokens of each text of a table or a folder, and the name of its class."""

    file: Path
    lines: list[list[str]]
    names: list[str]


class LabelledLineReader(NamedTuple):
    """Turns texts into ids of tokens, and the names of their classes into labels."""

    text: TextReader
    time: int
    length: int
    classes: tuple[str, ...]
    columns: Columns | None

    def inputs(self, file: Path) -> "Sequence":
        """The lines of a file, or the texts of a table. Raises UserError for unknown tokens."""
        if self.columns is None or file.suffix.lower() in ("", ".txt"):
            return self._sequences(file_lines(file, self.text.tokens, self.text.encoding), file)
        return self.examples(file).x

    def examples(self, file: Path) -> Part:
        """The texts of a table or a folder with their labels. Raises UserError for a class that is not known."""
        return self.part(read_examples(file, self.text.tokens, self.text.encoding, self.columns))

    def part(self, read: LabelledLines) -> Part:
        """The examples of texts with the names of their classes. Raises UserError as `examples` does."""
        unknown = next((name for name in read.names if name not in self.classes), None)
        if unknown is not None:
            raise UserError(
                f"{read.file}: expected classes of {', '.join(self.classes)[:_MAX_NAME]}, found {unknown!r}"
            )
        labels = {name: i for i, name in enumerate(self.classes)}
        return Part(self._sequences(read.lines, read.file), np.array([labels[name] for name in read.names], np.int32))

    def _sequences(self, lines: list[list[str]], file: Path) -> "Sequence":
        return pad_sequences(self.text.rows_of([line[: self.length or None] for line in lines], str(file)), self.time)

    def settings(self) -> dict[str, Any]:
        columns = None if self.columns is None else [self.columns.text, self.columns.label]
        facts = {"time": self.time, "length": self.length, "classes": list(self.classes), "columns": columns}
        return {**self.text.settings(), "kind": "labelled_lines", **facts}


def rebuild_labelled_line_reader(settings: Mapping[str, Any]) -> LabelledLineReader:
    """The reader with these settings of a manifest. Raises UserError, KeyError or TypeError for others."""
    text, time, length = rebuild_text_reader(settings), settings["time"], settings["length"]
    classes, columns = settings["classes"], settings["columns"]
    if (
        any(type(number) is not int for number in (time, length))
        or time < 1
        or length < 0
        or not isinstance(classes, list)
        or not all(isinstance(name, str) for name in classes)
        or not (columns is None or (isinstance(columns, list) and len(columns) == 2))
        or any(type(key) not in (str, int) for key in columns or ())
    ):
        raise UserError("reader labelled_lines: expected a time, a length, classes and columns, found others")
    keys = None if columns is None else Columns(columns[0], columns[1], text.encoding)
    return LabelledLineReader(text, time, length, tuple(classes), keys)


def labelled_lines(
    file: str,
    tokens: Tokens = "words",
    text: str | int = 0,
    label: str | int = 1,
    length: int = 0,
    min_count: int = 1,
    encoding: Encoding = "utf-8",
    validation_file: str = "",
    test_file: str = "",
    data_dir: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Reads texts with a class, such as sentences with a sentiment, as sequences of different lengths.

    file: a CSV or TSV table, or a folder that holds a file of lines for each class, whose name or ending is the class.
        A relative path is tried in the current folder, then in the data folder
    tokens: "words" (lower case, with marks), "characters" or "bytes"
    text: the column of the texts in a table, by index from 0 (-1: the last), or by name if the first row is a header
    label: the column of the classes
    length: longer texts are cut to so many tokens; 0: none is
    min_count: a word that is rarer in the training texts becomes `<unknown>`
    encoding: "utf-8" with or without a byte order mark, or "latin-1"
    validation_file: a second table or folder, the official validation part
    test_file: another one, the official test part

    Lines end at "\\n" alone. In a TSV file a quote is a character as any other. x is a `Sequence` of ids (n, time).

    Raises UserError for files that are no text, for a class without texts, and for rows without a text or a class.
    """
    if min_count < 1 or length < 0:
        raise UserError(
            f"labelled_lines: expected a min_count of at least 1 and a length of at least 0, found {min_count} and "
            f"{length}"
        )
    path = find_path(file, data_dir)
    columns = None if path.is_dir() else Columns(text, label, encoding)
    train = read_examples(path, tokens, encoding, columns)
    held_out = [
        read_examples(find_path(name, data_dir), tokens, encoding, columns) if name else None
        for name in (validation_file, test_file)
    ]
    pieces = [token for line in train.lines for token in line]
    words = TextReader(tokens, make_vocabulary(pieces, tokens, min_count), encoding)
    # One shape for all parts: that of the longest text.
    longest = max(len(line[: length or None]) for part in (train, *held_out) if part is not None for line in part.lines)
    reader = LabelledLineReader(words, longest, length, number_classes(train.names)[1], columns)
    validation, test = (None if part is None else reader.part(part) for part in held_out)
    return Dataset(
        "labelled_lines",
        reader.part(train),
        test,
        reader.classes,
        1.0,
        reader,
        validation=validation,
        tokens=len(words.vocabulary),
    )


def read_examples(path: Path, tokens: Tokens, encoding: str, columns: Columns | None) -> LabelledLines:
    """What stands in a table or in a folder of files. Raises UserError as `labelled_lines` does."""
    if path.is_dir():
        return _folder_examples(path, tokens, encoding)
    if columns is None:
        raise UserError(f"{path}: expected a folder with a file of lines for each class, found a file")
    lines, names = [], []
    for text, name in columns.read(path):
        pieces = text_tokens(text, tokens)
        if not pieces:
            raise UserError(f"{path}: expected text in every row, found {text[:40]!r} in row {len(lines) + 1}")
        lines.append(pieces)
        names.append(name)
    return LabelledLines(path, lines, names)


def _folder_examples(folder: Path, tokens: Tokens, encoding: str) -> LabelledLines:
    files = sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
    if len(files) < 2:
        raise UserError(f"{folder}: expected a file of lines for each of two or more classes, found {len(files)}")
    same_stem = len({file.stem for file in files}) == 1
    lines, names = [], []
    for file in files:
        rows = file_lines(file, tokens, encoding)
        lines += rows
        names += [file.suffix.removeprefix(".") if same_stem else file.stem] * len(rows)
    return LabelledLines(folder, lines, names)


def _tab_rows(file: Path, encoding: str) -> list[tuple[int, list[str]]]:
    return [(i, line.split("\t")) for i, line in enumerate(split_lines(file_text(file, encoding)), 1) if line]


def _comma_rows(file: Path, columns: Columns) -> list[tuple[int, list[str]]]:
    style = make_style(",", ".", columns.encoding, ())
    return [
        (number, cells)
        for block in read_blocks(file, style)
        for number, cells in zip(block.numbers, block.cells(","), strict=True)
    ]


def _cell(where: str, cells: list[str], key: str | int, header: list[str] | None) -> str:
    """The text of a row in a column. Raises UserError for a column that the table or the row does not have."""
    position = key
    if isinstance(position, str):
        names = [name.strip() for name in header or ()]
        if position not in names:
            raise UserError(f"{where}: expected a column of {', '.join(names)[:_MAX_NAME]}, found {position!r}")
        position = names.index(position)
    if not -len(cells) <= position < len(cells):
        raise UserError(f"{where}: expected column {key!r}, a text and its class, found {len(cells)} columns")
    cell = cells[position].strip()
    if not cell:
        raise UserError(f"{where}: expected a text and its class, found column {key!r} empty")
    return cell
