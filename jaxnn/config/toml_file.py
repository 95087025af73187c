"""A config's file, read: its tables, and the line of everything in them."""

import os
import re
import tomllib
from pathlib import Path as File
from typing import Any, NamedTuple

from jaxnn.config.errors import ConfigError, Path
from jaxnn.config.toml_positions import positions

#: Forty times the longest shipped config.
MOST_BYTES = 64 << 10


class Source(NamedTuple):
    """What a file says, before it is checked."""

    name: str
    tables: dict[str, Any]
    lines: dict[Path, int]

    def line(self, path: Path) -> int:
        """The line of a value or, if it is missing, of the table that should hold it."""
        while path not in self.lines:
            path = path[:-1]
        return self.lines[path]


def read(file: File) -> Source:
    """The tables of a TOML file. Raises `ConfigError`, with the line, for what cannot be read or is no TOML."""
    name = _shortest(file)
    try:
        with file.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError([f"{name}: cannot be read: {error.strerror}"]) from error
    if len(data) > MOST_BYTES:
        raise ConfigError([f"{name}: expected a config of at most {MOST_BYTES >> 10} KiB, found more"])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = 1 + data.count(b"\n", 0, error.start)
        raise ConfigError(
            [f"{name}:{line}: expected text in UTF-8, found the byte {data[error.start]:#04x}"]
        ) from error
    try:
        return Source(name, *parse(text))
    except ConfigError as error:
        lines = [line.removeprefix("line ") for line in error.lines]
        raise ConfigError([f"{name}:{'' if line[0].isdigit() else ' '}{line}" for line in lines]) from error


def parse(text: str) -> tuple[dict[str, Any], dict[Path, int]]:
    """The tables of a TOML text, and the line of everything in them. Raises `ConfigError`: `line 3: …`."""
    lines = positions(text)
    try:
        return tomllib.loads(text), lines
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        at = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message)
        line = int(at[1]) if at and at[1] else len(text.splitlines())
        raise ConfigError([f"line {line}: expected TOML: {message[: at.start()] if at else message}"]) from error
    except ValueError as error:  # of int, which has no line
        raise ConfigError(["expected numbers of 64 bits, found one of thousands of digits"]) from error


def _shortest(file: File) -> str:
    """The file's name as one would type it."""
    path = os.path.abspath(file)
    near = os.path.relpath(path) if os.path.splitdrive(path)[0] == os.path.splitdrive(os.getcwd())[0] else path
    return path if near.startswith("..") else near
