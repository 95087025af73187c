"""The only place that prints. What a user wrote is shown as text: it is never markup nor a command to the terminal.

A character that would move the cursor, change the colours, turn the direction of writing or that the stream cannot
encode is replaced, so that nothing that is printed can fail or hide something.
"""

import codecs
import io
import os
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

#: What the package itself prints beyond ASCII, and how a stream shows it that has ASCII only.
ASCII = {
    "×": "x", "–": "-", "—": "-", "−": "-", "…": "...", "±": "+-", "′": "'", "²": "^2", "³": "^3", "→": "->",
    "←": "<-", "≤": "<=", "≥": ">=", "·": "*", "“": '"', "”": '"', "‘": "'", "’": "'", "\xa0": " ", "─": "-",
    "━": "-", "│": "|", "•": "*", "═": "=", "∞": "inf",
}  # fmt: skip
#: Characters that change the direction of what follows them.
DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
#: The name of the error handler that Python's encoders call.
HANDLER = "jaxnn.printable"

_lock = threading.RLock()
_hide: list[Callable[[], None]] = []


def printable(text: str, encoding: str = "utf-8") -> str:
    """Text that shows every character: control characters and what `encoding` lacks become escapes such as \\x1b.

    Line breaks stay.
    """
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    shown = "".join(_escape(c) if _is_control(c) else c for c in text)
    return shown.encode(encoding, HANDLER).decode(encoding)


def one_line(text: str) -> str:
    """`printable` text without line breaks."""
    return printable(" ".join(text.split("\n")))


def _is_control(character: str) -> bool:
    return character in DIRECTIONS or (
        unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") and character != "\n"
    )


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _replace(error: UnicodeError) -> tuple[str, int]:
    """The error handler: the nearest ASCII, or an escape."""
    assert isinstance(error, UnicodeEncodeError)
    return "".join(ASCII.get(c) or _escape(c) for c in error.object[error.start : error.end]), error.end


codecs.register_error(HANDLER, _replace)


def print_text(text: str) -> None:
    """Prints lines to standard output."""
    _write(sys.stdout, text)


def print_file(text: str) -> None:
    """Prints the text of a file: as it is, in UTF-8, into a pipe or a file; on a terminal as `print_text` does."""
    buffer = getattr(sys.stdout, "buffer", None)
    if sys.stdout.isatty() or buffer is None:
        print_text(text.rstrip("\n"))
        return
    with exclusive():
        sys.stdout.flush()
        buffer.write(text.encode(errors="surrogateescape"))
        buffer.flush()


def print_message(text: str) -> None:
    """Prints a line about the command, such as an error, to standard error, after the name of the program."""
    _write(sys.stderr, f"jaxnn: {text}")


def print_warning(text: str) -> None:
    """Prints a warning to standard error."""
    print_message(f"warning: {text}")


def print_renderable(renderable: "RenderableType", width: int | None = None) -> None:
    """Prints a table of rich to standard output. Its texts must be `rich.text.Text` that is `printable`."""
    with exclusive():
        _hide_all()
        stdout_console(width).print(renderable, crop=False)


def stdout_console(width: int | None = None) -> "Console":
    """rich's view of standard output."""
    from rich.console import Console  # here, because `jaxnn --help` imports this module

    return Console(file=sys.stdout, markup=False, highlight=False, emoji=False, width=width)


def output_width() -> int | None:
    """The columns of standard output, or of COLUMNS; None for a pipe or a file, where a line may have any length."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit() and int(columns):
        return int(columns)
    console = stdout_console()
    return console.width if console.is_terminal else None


@contextmanager
def hiding(hide: Callable[[], None]) -> Iterator[None]:
    """Calls `hide` before anything is printed in the block, so that a progress bar does not mix with a text."""
    _hide.append(hide)
    try:
        yield
    finally:
        _hide.remove(hide)


@contextmanager
def safe_streams() -> Iterator[None]:
    """Lets Python's own output streams replace what they cannot encode while the block runs."""
    changed: list[tuple[io.TextIOWrapper, str]] = []
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape", "backslashreplace"):
            changed.append((stream, stream.errors))
            stream.reconfigure(errors=HANDLER)
    try:
        yield
    finally:
        for stream, errors in changed:
            if not stream.closed:
                stream.reconfigure(errors=errors)


@contextmanager
def exclusive() -> Iterator[None]:
    """Keeps other threads from printing in the block; after a second it waits no longer, as a pipe may be stuck."""
    acquired = _lock.acquire(timeout=1)
    try:
        yield
    finally:
        if acquired:
            _lock.release()


def _hide_all() -> None:
    for hide in _hide:
        hide()


def _write(stream: Any, text: str) -> None:
    with exclusive():
        _hide_all()
        stream.write(printable(text, getattr(stream, "encoding", None) or "utf-8") + "\n")
        stream.flush()
