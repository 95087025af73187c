"""Reads a text as a row of tokens: characters, bytes or words. The next token is the target of each."""

import os
import re
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int32, Integer

from jaxnn.data.data_dir import find_path
from jaxnn.data.dataset import Dataset, Part
from jaxnn.data.rows import array_rows
from jaxnn.data.tokens import (
    ENCODINGS,
    MAX_BYTES,
    TOKENS,
    UNKNOWN,
    Encoding,
    Tokens,
    check_length,
    check_options,
    counted_vocabulary,
    file_tokens,
    make_vocabulary,
    text_tokens,
    token_blocks,
)
from jaxnn.errors import UserError


class TextReader(NamedTuple):
    """Turns a text into ids of tokens, and back. The vocabulary is that of the training text."""

    tokens: Tokens
    vocabulary: tuple[str, ...]
    encoding: Encoding = "utf-8"
    window: int = 64

    def inputs(self, file: Path) -> Int32[np.ndarray, "batch window"]:
        """The ids of the tokens of a file, cut into windows side by side.

        Raises UserError for a file that is no text or shorter than a window, and for unknown tokens.
        """
        return self._windows(self._file_ids(file, self.window))

    def examples(self, file: Path) -> Part:
        """The windows of a file, and for each token the token after it. Raises UserError as `inputs` does."""
        ids = self._file_ids(file, self.window + 1)
        return Part(self._windows(ids[:-1]), self._windows(ids[1:]))

    def _file_ids(self, file: Path, least: int) -> Int32[np.ndarray, "places"]:
        pieces = file_tokens(file, self.tokens, self.encoding)
        check_length(file, self.tokens, len(pieces), least)
        return self.ids_of(pieces, str(file))

    def _windows(self, ids: Int32[np.ndarray, "places"]) -> Int32[np.ndarray, "batch window"]:
        return ids[: len(ids) // self.window * self.window].reshape(-1, self.window)

    def encode(self, text: str) -> Int32[np.ndarray, "batch"]:
        """The ids of the tokens of a text. Raises UserError for a token outside the vocabulary, which it names."""
        return self.ids_of(text_tokens(text, self.tokens), "text")

    def ids_of(self, pieces: Sequence[str], where: str) -> Int32[np.ndarray, "batch"]:
        """The ids of tokens; a rare word has that of `<unknown>`. `where` names the text in a message."""
        index = {token: i for i, token in enumerate(self.vocabulary)}
        unknown = index[UNKNOWN] if self.tokens == "words" else None
        ids = [index.get(piece, unknown) for piece in pieces]
        if None in ids:
            raise UserError(
                f"{where}: expected {self.tokens} of the training text, found {pieces[ids.index(None)]!r}; leave it "
                "out, or train on a text that has it"
            )
        return np.array(ids, np.int32)

    def rows_of(self, lines: Sequence[Sequence[str]], where: str) -> list[Int32[np.ndarray, "places"]]:
        """The ids of each of several lines of tokens. Raises UserError as `ids_of` does."""
        ids = self.ids_of([token for line in lines for token in line], where)
        return np.split(ids, np.cumsum([len(line) for line in lines])[:-1])

    def decode(self, ids: Integer[np.ndarray, "places"]) -> str:
        """The text of ids. Words are joined by a space, except before a mark such as a comma."""
        pieces = [self.vocabulary[int(i)] for i in ids]
        if self.tokens == "bytes":
            return bytes(int(piece, 16) for piece in pieces).decode("utf-8", "replace")
        if self.tokens == "characters":
            return "".join(pieces)
        text = ""
        for piece in pieces:
            joined = not text or text.endswith("\n") or piece == "\n" or re.fullmatch(r"[.,;:!?)\]’']", piece)
            text += piece if joined else " " + piece
        return text

    def settings(self) -> dict[str, Any]:
        return {
            "kind": "text",
            "tokens": self.tokens,
            "vocabulary": list(self.vocabulary),
            "encoding": self.encoding,
            "window": self.window,
        }


def rebuild_text_reader(settings: Mapping[str, Any]) -> TextReader:
    """The reader with these settings of a manifest. Raises UserError, KeyError or TypeError for others."""
    tokens, vocabulary, encoding = settings["tokens"], settings["vocabulary"], settings["encoding"]
    window = settings["window"]
    if (
        tokens not in TOKENS
        or encoding not in ENCODINGS
        or type(window) is not int
        or window < 1
        or not isinstance(vocabulary, list)
        or not all(isinstance(token, str) for token in vocabulary)
        or len(set(vocabulary)) != len(vocabulary)
        or (tokens == "words" and UNKNOWN not in vocabulary)
        or (tokens == "bytes" and tuple(vocabulary) != make_vocabulary((), "bytes"))
    ):
        raise UserError("reader text: expected tokens, a vocabulary, an encoding and a window, found others")
    return TextReader(tokens, tuple(vocabulary), encoding, window)


def text_file(
    file: str,
    tokens: Tokens = "characters",
    window: int = 64,
    min_count: int = 1,
    encoding: Encoding = "utf-8",
    data_dir: str | os.PathLike[str] | None = None,
    most_bytes: int | None = None,
) -> Dataset:
    """Reads a text file for a language model: each token is an input, and the token after it is its target.

    file: a relative path is tried in the current folder, then in the data folder
    tokens: "characters", "bytes" (256 of them, for any file) or "words" (lower case, with marks and line ends)
    window: the tokens of an example; training takes windows of the text, and evaluation cuts a part into windows
    min_count: a word that is rarer becomes `<unknown>`
    encoding: "utf-8" with or without a byte order mark, or "latin-1"
    most_bytes: the tokens of a larger file are written to a temporary file, from which windows are read

    x and y are int32 (n,), the ids of the tokens. A split keeps the order: with validation = 0.1 the first nine tenths
    of the text are trained on.

    Raises UserError for a file that is no text, and for one that is shorter than a window.
    """
    check_options("text", tokens, encoding)
    if window < 1 or min_count < 1:
        raise UserError(f"text: expected a window and a min_count of at least 1, found {window} and {min_count}")
    path = find_path(file, data_dir)
    if most_bytes is not None and path.is_file() and path.stat().st_size > min(most_bytes, MAX_BYTES):
        return stored_text(path, tokens, window, min_count, encoding)
    pieces = file_tokens(path, tokens, encoding)
    check_length(path, tokens, len(pieces), window + 1)
    reader = TextReader(tokens, make_vocabulary(pieces, tokens, min_count), encoding, window)
    ids = reader.ids_of(pieces, str(path))
    return Dataset(
        "text",
        Part(ids[:-1], ids[1:]),
        None,
        reader.vocabulary,
        1.0,
        reader,
        window=window,
        tokens=len(reader.vocabulary),
    )


def stored_text(path: Path, tokens: Tokens, window: int, min_count: int, encoding: Encoding) -> Dataset:
    """The text of a large file: its tokens are written to a temporary file, in which they stay."""
    counts: Counter[str] = Counter()
    count = 0
    for pieces in token_blocks(path, tokens, encoding):
        counts.update(pieces)
        count += len(pieces)
    check_length(path, tokens, count, window + 1)
    reader = TextReader(tokens, counted_vocabulary(counts, tokens, min_count), encoding, window)
    # Removed at once where the system allows it, so that nothing is left when the process ends.
    with tempfile.TemporaryFile(prefix="jaxnn-tokens-") as file:
        for pieces in token_blocks(path, tokens, encoding):
            file.write(reader.ids_of(pieces, str(path)).tobytes())
        file.flush()
        ids = array_rows(np.memmap(file, np.int32, "r", shape=(count,)))
    part = Part(ids.between(0, count - 1), ids.between(1, count))
    vocabulary = reader.vocabulary
    return Dataset("text", part, None, vocabulary, 1.0, reader, window=window, tokens=len(vocabulary))
