"""Reads a text as a row of tokens: characters, bytes or words. The next token is the target of each."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Int32, Integer

from jaxnn.data.data_dir import find_path
from jaxnn.data.dataset import Dataset, Part
from jaxnn.errors import UserError

Tokens = Literal["characters", "bytes", "words"]
_MAX_BYTES = 1 << 30
#: Stands for a word that is not in the vocabulary. No text can hold it: a word has no angle brackets in it.
UNKNOWN = "<unknown>"
_WORD = re.compile(r"\n|[^\W\d_]+(?:['’][^\W\d_]+)*|\d+|[^\w\s]|_")


class TextReader(NamedTuple):
    """Turns a text into ids of tokens, and back. The vocabulary is that of the training text."""

    tokens: Tokens
    vocabulary: tuple[str, ...]
    encoding: str = "utf-8"

    def inputs(self, file: Path) -> Int32[np.ndarray, "batch"]:
        """The ids of the tokens of a file. Raises UserError for a file that is no text, and for unknown tokens."""
        return self.ids_of(file_tokens(file, self.tokens, self.encoding), str(file))

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
        }


def text_file(
    path: str,
    tokens: Tokens = "characters",
    window: int = 64,
    min_count: int = 1,
    encoding: Literal["utf-8", "latin-1"] = "utf-8",
    data_dir: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Reads a text file for a language model: each token is an input, and the token after it is its target.

    path: a relative path is tried in the current folder, then in the data folder
    tokens: "characters", "bytes" (256 of them, for any file) or "words" (lower case, with marks and line ends)
    window: the tokens of an example; training takes windows of the text, and evaluation cuts a part into windows
    min_count: a word that is rarer becomes `<unknown>`
    encoding: "utf-8" with or without a byte order mark, or "latin-1"

    x and y are int32 (n,), the ids of the tokens. A split keeps the order: the first part of the text is trained on.
    Raises UserError for a file that is no text, and for one that is shorter than a window.
    """
    if tokens not in ("characters", "bytes", "words"):
        raise UserError(f"text: tokens: expected characters, bytes or words, found {tokens}")
    if window < 1 or min_count < 1:
        raise UserError(f"text: expected a window and a min_count of at least 1, found {window} and {min_count}")
    file = find_path(path, data_dir)
    pieces = file_tokens(file, tokens, encoding)
    if len(pieces) <= window:
        raise UserError(
            f"{file}: expected a text of more than {window} {tokens}, one window, found {len(pieces)}; give a longer "
            "text or a smaller data.window"
        )
    reader = TextReader(tokens, make_vocabulary(pieces, tokens, min_count), encoding)
    ids = reader.ids_of(pieces, str(file))
    return Dataset("text", Part(ids[:-1], ids[1:]), None, reader.vocabulary, 1.0, reader, window)


def file_tokens(file: Path, tokens: Tokens, encoding: str) -> list[str]:
    """The tokens of a file. Raises UserError for one that is missing or too large, and for bytes that are no text."""
    if not file.is_file() or file.stat().st_size > _MAX_BYTES:
        found = "a folder" if file.is_dir() else "more" if file.exists() else "no such file"
        raise UserError(f"{file}: expected a text file of at most 1 GiB, found {found}")
    content = file.read_bytes()
    if tokens == "bytes":
        return [f"{byte:02x}" for byte in content]
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UserError(f"{file}: expected UTF-8, found UTF-16; convert it: iconv -f UTF-16 -t UTF-8 {file.name}")
    try:
        text = content.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        raise UserError(
            f"{file}: expected UTF-8, found the byte {content[error.start]:#04x} at {error.start}; for an older text "
            'give data.encoding = "latin-1"'
        ) from error
    return text_tokens(text, tokens)


def text_tokens(text: str, tokens: Tokens) -> list[str]:
    """The tokens of a text. A byte is written with two hexadecimal digits; a line ends with one `\\n`."""
    if tokens == "bytes":
        return [f"{byte:02x}" for byte in text.encode()]
    text = text.replace("\r\n", "\n")
    return list(text) if tokens == "characters" else _WORD.findall(text.lower())


def make_vocabulary(pieces: Sequence[str], tokens: Tokens, min_count: int = 1) -> tuple[str, ...]:
    """The tokens that have an id, in order: 256 bytes, the characters sorted, or the words from frequent to rare."""
    if tokens == "bytes":
        return tuple(f"{byte:02x}" for byte in range(256))
    if tokens == "characters":
        return tuple(sorted(set(pieces)))
    counts = Counter(pieces)
    frequent = sorted((word for word, count in counts.items() if count >= min_count), key=lambda w: (-counts[w], w))
    return (UNKNOWN, *frequent)
