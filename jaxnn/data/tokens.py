"""The tokens of a text: characters, bytes or words, of a string or of a file, and the vocabulary that they make."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

from jaxnn.data.rows import BLOCK_BYTES
from jaxnn.errors import UserError

Tokens = Literal["characters", "bytes", "words"]
Encoding = Literal["utf-8", "latin-1"]
TOKENS: tuple[str, ...] = get_args(Tokens)
ENCODINGS: tuple[str, ...] = get_args(Encoding)
MAX_BYTES = 1 << 30
#: Stands for a word that is not in the vocabulary. No text can hold it: a word has no angle brackets in it.
UNKNOWN = "<unknown>"
_WORD = re.compile(r"\n|[^\W\d_]+(?:['’][^\W\d_]+)*|\d+|[^\w\s]|_")


def check_options(name: str, tokens: str, encoding: str) -> None:
    """Raises UserError for tokens and encodings that no text is read with."""
    if tokens not in TOKENS:
        raise UserError(f"{name}: tokens: expected one of {', '.join(TOKENS)}, found {tokens}")
    if encoding not in ENCODINGS:
        raise UserError(f"{name}: encoding: expected one of {', '.join(ENCODINGS)}, found {encoding}")


def check_length(file: Path, tokens: Tokens, count: int, least: int) -> None:
    """Raises UserError for a text of fewer than `least` tokens: a window, and the token after it."""
    if count < least:
        raise UserError(
            f"{file}: expected a text of at least {least} {tokens}, one window, found {count}; give a longer text or a "
            "smaller data.window"
        )


def file_tokens(file: Path, tokens: Tokens, encoding: str) -> list[str]:
    """The tokens of a file. Raises UserError for one that is missing or too large, and for bytes that are no text."""
    if tokens == "bytes":
        return byte_tokens(file_bytes(file))
    return text_tokens(file_text(file, encoding), tokens)


def file_bytes(file: Path) -> bytes:
    """The bytes of a text file. Raises UserError for one that is missing or too large."""
    if not file.is_file() or file.stat().st_size > MAX_BYTES:
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
        # Python counts behind a byte order mark.
        raise _not_utf8(file, error, f" at {error.start + len(content) - len(error.object)}") from error


def _not_utf8(file: Path, error: UnicodeDecodeError, place: str) -> UserError:
    return UserError(
        f"{file}: expected UTF-8, found the byte {error.object[error.start]:#04x}{place}; for an older text give "
        'data.encoding = "latin-1"'
    )


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
                raise _not_utf8(path, error, "") from error  # its place is that in a block
            if not block:
                break
            # Cut behind a line, so that no word and no pair of carriage return and line feed is cut.
            text, line_end, rest = (kept + block).rpartition("\n")
            kept = rest
            if line_end:
                yield text_tokens(text + line_end, tokens)
    if kept:
        yield text_tokens(kept, tokens)


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
