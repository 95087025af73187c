"""Reads a text as a row of tokens: characters, bytes or words. The next token is the target of each."""

import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Int32, Integer

from jaxnn.data.data_dir import find_path
from jaxnn.data.dataset import Dataset, Part
from jaxnn.data.rows import BLOCK_BYTES, array_rows
from jaxnn.errors import UserError

Tokens = Literal["characters", "bytes", "words"]
Encoding = Literal["utf-8", "latin-1"]
TOKENS: tuple[str, ...] = get_args(Tokens)
ENCODINGS: tuple[str, ...] = get_args(Encoding)
_MAX_BYTES = 1 << 30
#: Stands for a word that is not in the vocabulary. No text can hold it: a word has no angle brackets in it.
UNKNOWN = "<unknown>"
_WORD = re.compile(r"\n|[^\W\d_]+(?:['’][^\W\d_]+)*|\d+|[^\w\s]|_")


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
    if most_bytes is not None and path.is_file() and path.stat().st_size > min(most_bytes, _MAX_BYTES):
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


def token_blocks(path: Path, tokens: Tokens, encoding: Encoding) -> Iterator[list[str]]:
    """The tokens of a file, some megabytes at a time. Raises UserError for bytes that are no text."""
    if tokens == "bytes":
        with path.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                yield byte_tokens(block)
        return
    kept = ""
    with path.open("r", encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="") as file:
        while True:
            try:
                block = file.read(BLOCK_BYTES)
            except UnicodeDecodeError as error:
                raise UserError(
                    f"{path}: expected UTF-8, found the byte {error.object[error.start]:#04x}; for an older text give "
                    'data.encoding = "latin-1"'
                ) from error
            if not block:
                break
            # Cut behind a line, so that no word and no pair of carriage return and line feed is cut.
            text, line_end, rest = (kept + block).rpartition("\n")
            kept = rest
            if line_end:
                yield text_tokens(text + line_end, tokens)
    if kept:
        yield text_tokens(kept, tokens)


def check_length(file: Path, tokens: Tokens, count: int, least: int) -> None:
    """Raises UserError for a text of fewer than `least` tokens: a window, and the token after it."""
    if count < least:
        raise UserError(
            f"{file}: expected a text of at least {least} {tokens}, one window, found {count}; give a longer text or a "
            "smaller data.window"
        )


def check_options(name: str, tokens: str, encoding: str) -> None:
    """Raises UserError for tokens and encodings that no text is read with."""
    if tokens not in TOKENS:
        raise UserError(f"{name}: tokens: expected one of {', '.join(TOKENS)}, found {tokens}")
    if encoding not in ENCODINGS:
        raise UserError(f"{name}: encoding: expected one of {', '.join(ENCODINGS)}, found {encoding}")


def file_tokens(file: Path, tokens: Tokens, encoding: str) -> list[str]:
    """The tokens of a file. Raises UserError for one that is missing or too large, and for bytes that are no text."""
    if tokens == "bytes":
        return byte_tokens(file_bytes(file))
    return text_tokens(file_text(file, encoding), tokens)


def file_bytes(file: Path) -> bytes:
    """The bytes of a text file. Raises UserError for one that is missing or too large."""
    if not file.is_file() or file.stat().st_size > _MAX_BYTES:
        found = "a folder" if file.is_dir() else "more" if file.exists() else "no such file"
        raise UserError(f"{file}: expected a text file of at most 1 GiB, or data.where = 'stream', found {found}")
    return file.read_bytes()


def file_text(file: Path, encoding: str) -> str:
    """The text of a file without a byte order mark. Raises UserError for bytes that are no text, and where they are."""
    content = file_bytes(file)
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UserError(f"{file}: expected UTF-8, found UTF-16; convert it: iconv -f UTF-16 -t UTF-8 {file.name}")
    try:
        return content.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        raise UserError(
            f"{file}: expected UTF-8, found the byte {content[error.start]:#04x} at {error.start}; for an older text "
            'give data.encoding = "latin-1"'
        ) from error


def split_lines(text: str) -> list[str]:
    """The lines of a text, which end at a line feed alone, with or without a carriage return before it."""
    return [line.removesuffix("\r") for line in text.split("\n")]


def byte_tokens(content: bytes) -> list[str]:
    """Each byte as two hexadecimal digits."""
    return [f"{byte:02x}" for byte in content]


def text_tokens(text: str, tokens: Tokens) -> list[str]:
    """The tokens of a text. A byte is written with two hexadecimal digits; a line ends with one `\\n`."""
    if tokens == "bytes":
        return byte_tokens(text.encode())
    text = text.replace("\r\n", "\n")
    return list(text) if tokens == "characters" else _WORD.findall(text.lower())


def make_vocabulary(pieces: Sequence[str], tokens: Tokens, min_count: int = 1) -> tuple[str, ...]:
    """The tokens that have an id, in order: 256 bytes, the characters sorted, or the words from frequent to rare."""
    return counted_vocabulary(Counter() if tokens == "bytes" else Counter(pieces), tokens, min_count)


def counted_vocabulary(counts: Mapping[str, int], tokens: Tokens, min_count: int = 1) -> tuple[str, ...]:
    """The vocabulary of tokens that occur so many times."""
    if tokens == "bytes":
        return tuple(byte_tokens(bytes(range(256))))
    if tokens == "characters":
        return tuple(sorted(counts))
    frequent = sorted((word for word, count in counts.items() if count >= min_count), key=lambda w: (-counts[w], w))
    return (UNKNOWN, *frequent)
