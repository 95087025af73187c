"""Reads a file whose lines are sequences of tokens, such as names: each token is told from those before it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Integer

from jaxnn.data.data_dir import find_path
from jaxnn.data.dataset import Dataset, Part
from jaxnn.data.padding import pad_sequences
from jaxnn.data.text import TextReader, rebuild_text_reader
from jaxnn.data.tokens import Encoding, Tokens, byte_tokens, file_text, make_vocabulary, split_lines, text_tokens
from jaxnn.errors import UserError

if TYPE_CHECKING:
    from jaxnn.sequence import Sequence

#: The token before the first of a line, and after its last.
LINE_END_OF: dict[str, str] = {"characters": "\n", "bytes": "0a", "words": "\n"}


class LineReader(NamedTuple):
    """Turns lines into ids of tokens, and back. Each line begins with the token of a line end."""

    text: TextReader
    time: int

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return self.text.vocabulary

    def decode(self, ids: Integer[np.ndarray, "places"]) -> str:
        return self.text.decode(ids)

    def inputs(self, file: Path) -> "Sequence":
        """The lines of a file, each behind a line end. Raises UserError as `examples` does."""
        return self.examples(file).x

    def examples(self, file: Path) -> Part:
        """The lines of a file, each behind a line end, and for each token the token after it; 0 at padding.

        Raises UserError for a file that is no text, for one without lines, and for unknown tokens.
        """
        return self.part(file_lines(file, self.text.tokens, self.text.encoding), file)

    def part(self, lines: list[list[str]], file: Path) -> Part:
        """The examples of lines of tokens. Raises UserError for unknown tokens; `file` is named in the message."""
        rows = self.text.rows_of([[LINE_END_OF[self.text.tokens], *line] for line in lines], str(file))
        targets = [np.append(row[1:], row[:1]) for row in rows]
        return Part(pad_sequences(rows, self.time), pad_sequences(targets, self.time).values)

    def settings(self) -> dict[str, Any]:
        return {**self.text.settings(), "kind": "lines", "time": self.time}


def rebuild_line_reader(settings: Mapping[str, Any]) -> LineReader:
    """The reader with these settings of a manifest. Raises UserError, KeyError or TypeError for others."""
    text, time = rebuild_text_reader(settings), settings["time"]
    if type(time) is not int or time < 1 or LINE_END_OF[text.tokens] not in text.vocabulary:
        raise UserError("reader lines: expected a time of at least 1 and a vocabulary with a line end, found others")
    return LineReader(text, time)


def lines_file(
    file: str,
    tokens: Tokens = "characters",
    min_count: int = 1,
    encoding: Encoding = "utf-8",
    data_dir: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Reads a text file whose lines are sequences, for a language model: each token is told from those before it.

    file: a relative path is tried in the current folder, then in the data folder
    tokens: "characters", "bytes" or "words" (lower case, with marks)
    min_count: a word that is rarer becomes `<unknown>`
    encoding: "utf-8" with or without a byte order mark, or "latin-1"

    A line end is the first token of every line and its last target. Lines end at "\\n" alone; empty ones are skipped.
    x is a `Sequence` of ids (n, time), y int32 (n, time).

    Raises UserError for a file that is no text, and for one without lines.
    """
    if min_count < 1:
        raise UserError(f"lines: expected a min_count of at least 1, found {min_count}")
    path = find_path(file, data_dir)
    lines = file_lines(path, tokens, encoding)
    pieces = [token for line in lines for token in (LINE_END_OF[tokens], *line)]
    text = TextReader(tokens, make_vocabulary(pieces, tokens, min_count), encoding)
    reader = LineReader(text, max(map(len, lines)) + 1)
    return Dataset(
        "lines", reader.part(lines, path), None, reader.vocabulary, 1.0, reader, tokens=len(reader.vocabulary)
    )


def file_lines(file: Path, tokens: Tokens, encoding: str) -> list[list[str]]:
    """The tokens of each line that has some. Raises UserError for a file that is no text, and for one without lines."""
    # Bytes are those of the file: Latin-1 has a character for each.
    lines = split_lines(file_text(file, "latin-1" if tokens == "bytes" else encoding))
    if tokens == "bytes":
        rows = [byte_tokens(line.encode("latin-1")) for line in lines]
    else:
        rows = [text_tokens(line, tokens) for line in lines]
    if not any(rows):
        raise UserError(f"{file}: expected lines of {tokens}, found none")
    return [row for row in rows if row]
