"""Cuts the text of a CSV file into blocks of rows. Knows encodings, quotes and line numbers, but no columns."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from jaxnn.data.limited_reader import LimitedReader
from jaxnn.errors import UserError

_MAX_BYTES = 1 << 30
_BLOCK_BYTES = 1 << 20
_BLOCK_ROWS = 1024
_QUOTE = '"'
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[\r\n]*', re.IGNORECASE)  # Excel's first line, such as sep=;

Encoding = Literal["utf-8", "utf-16", "cp1252", "latin-1"]
Decimal = Literal[".", ","]

#: Cells that count as missing, unless the user names others.
MISSING_VALUES = ("", "?", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null")


class Style(NamedTuple):
    """How the cells of a file are written.

    delimiter: the character between cells
    decimal: the character before a fraction
    encoding: of the text; a byte order mark of UTF-8 or UTF-16 takes precedence
    missing_values: the cells that stand for a missing value, compared without the white space around them
    """

    delimiter: str = ","
    decimal: Decimal = "."
    encoding: Encoding = "utf-8"
    missing_values: tuple[str, ...] = MISSING_VALUES

    def is_missing(self, cell: str) -> bool:
        return cell.strip() in self.missing_values


def make_style(delimiter: str, decimal: Decimal, encoding: Encoding, missing_values: tuple[str, ...]) -> Style:
    """A style whose values fit each other. The delimiters "tab" and a written ``\\t`` stand for a tab character.

    Raises UserError for a delimiter that a number or a quoted cell may contain.
    """
    character = "\t" if delimiter in ("tab", "\\t") else delimiter
    if len(character) != 1 or character in '\r\n\0"' or character.isalnum() or character in "+-.":
        raise UserError(
            f"csv: delimiter: expected one character between cells, such as , or ; or | or tab, found {delimiter!r}"
        )
    if character == decimal:
        raise UserError(
            f"csv: decimal: expected a character other than the delimiter, found {decimal!r} as both; "
            f"a table with decimal commas needs another delimiter, such as ;"
        )
    return Style(character, decimal, encoding, missing_values)


class Block(NamedTuple):
    """Consecutive rows of a file, none of them blank.

    numbers: the line of each row in the file, from 1
    lines: the rows as lines of text, each with its line end, where no cell of the block is quoted
    rows: the rows as cells, where a cell is quoted
    """

    numbers: list[int]
    lines: list[str] | None
    rows: list[list[str]] | None

    def cells(self, delimiter: str) -> list[list[str]]:
        """The cells of each row, with the white space around them."""
        if self.rows is not None:
            return self.rows
        assert self.lines is not None
        return [line.rstrip("\r\n").split(delimiter) for line in self.lines]

    def without_first(self) -> "Block":
        return Block(self.numbers[1:], self.lines and self.lines[1:], self.rows and self.rows[1:])


def read_blocks(file: Path, style: Style) -> Iterator[Block]:
    """Yields the rows of a CSV file, gzipped or not, in blocks that are not empty.

    A first line ``sep=;``, as Excel writes it, is skipped if it names the delimiter.

    Raises UserError, with file and line, for text that is not of the encoding, an open quote, another delimiter in the
    first line, another kind of file (HTML, Excel, ...) and more than 1 GiB.
    """
    with LimitedReader(file, _MAX_BYTES, _MAX_BYTES) as reader:
        raw = io.BufferedReader(cast(Any, _RawReader(reader)), _BLOCK_BYTES)
        encoding = "utf-8-sig" if style.encoding == "utf-8" else style.encoding
        if raw.peek(2)[:2] in _UTF16_MARKS:
            encoding = "utf-16"
        elif style.encoding == "utf-16":
            encoding = "utf-16-le"  # that of Windows
        with io.TextIOWrapper(raw, encoding, newline="") as text:
            yield from _decoded_blocks(file, text, style)


class _RawReader(io.RawIOBase):
    """A `LimitedReader` as a stream of Python, which can be decoded."""

    def __init__(self, reader: LimitedReader):
        self._reader = reader

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._reader.read_up_to(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _decoded_blocks(file: Path, text: io.TextIOWrapper, style: Style) -> Iterator[Block]:
    line = 0
    try:
        while lines := text.readlines(_BLOCK_BYTES):
            if any("\0" in item for item in lines):
                raise UserError(f"{file}: expected text, found null characters; encoding = 'utf-16' reads UTF-16")
            start = 0
            if line == 0 and (separator := _SEPARATOR_LINE.fullmatch(lines[0])):
                _check_separator(file, separator[1], style)
                start = 1
            if any(_QUOTE in item for item in lines[start:]):
                yield from _quoted_blocks(file, chain(lines[start:], text), line + start, style)
                return
            kept = [(line + i + 1, item) for i, item in enumerate(lines) if i >= start and item.strip(" \r\n")]
            line += len(lines)
            if kept:
                yield Block([number for number, _ in kept], [item for _, item in kept], None)
    except UnicodeError as error:
        raise UserError(
            f"{file}: expected text in {style.encoding.upper()}, found other bytes in or after line {line + 1}; save "
            "it as UTF-8, or name its encoding: encoding = 'cp1252' for Windows, 'latin-1' or 'utf-16'"
        ) from error


def _quoted_blocks(file: Path, lines: Iterable[str], skipped: int, style: Style) -> Iterator[Block]:
    """The blocks of lines in which a cell is quoted: a quoted cell may hold delimiters and line ends."""
    reader = csv.reader(lines, delimiter=style.delimiter, strict=True)
    numbered = ((skipped + reader.line_num, row) for row in reader if len(row) > 1 or (row and row[0].strip(" ")))
    while True:
        try:
            rows = list(islice(numbered, _BLOCK_ROWS))
        except csv.Error as error:
            raise UserError(
                f"{file} line {skipped + reader.line_num}: expected cells between {style.delimiter!r}, quoted as a "
                f'whole or not at all, found a quote out of place ({error}); write "" for a quote inside a quoted cell'
            ) from error
        if not rows:
            return
        yield Block([number for number, _ in rows], None, [row for _, row in rows])


def _check_separator(file: Path, stated: str, style: Style) -> None:
    if stated != style.delimiter:
        raise UserError(
            f"{file} line 1: expected the delimiter {style.delimiter!r}, found the line sep={stated}; set delimiter = "
            f"{'tab' if stated == chr(9) else stated!r}"
        )
