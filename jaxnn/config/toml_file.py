"""Reads a config file: its tables, and the line number of every value. Imports neither JAX nor pydantic."""

import os
import re
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from jaxnn.config.errors import ConfigError, KeyPath
from jaxnn.config.toml_positions import line_numbers

#: Forty times the longest shipped config.
MAX_BYTES = 64 << 10


class TomlFile(NamedTuple):
    """The content of a config file before it is validated."""

    name: str
    tables: dict[str, Any]
    lines: dict[KeyPath, int]

    def line_of(self, path: KeyPath) -> int:
        """The line of a value. For a missing value: the line of the innermost existing table that should hold it."""
        while path not in self.lines:
            path = path[:-1]
        return self.lines[path]


def read(path: Path) -> TomlFile:
    """Reads a TOML file. Raises `ConfigError`, with the line, for an unreadable file and for invalid TOML."""
    return file_of_text(read_text(path), _display_name(path))


def file_of_text(text: str, name: str) -> TomlFile:
    """The tables of a text that was read from a file, or is to be one. Raises `ConfigError`, with the line."""
    if len(text) > MAX_BYTES:
        raise ConfigError([f"{name}: expected a config of at most {MAX_BYTES >> 10} KiB, found more"])
    try:
        return TomlFile(name, *parse(text))
    except ConfigError as error:
        lines = [line.removeprefix("line ") for line in error.lines]
        raise ConfigError([f"{name}:{'' if line[0].isdigit() else ' '}{line}" for line in lines]) from error


def read_text(path: Path) -> str:
    """The text of a config file. Raises `ConfigError` for one that is unreadable, too long or not in UTF-8."""
    name = _display_name(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError([f"{name}: cannot be read: {error.strerror}"]) from error
    if len(data) > MAX_BYTES:
        raise ConfigError([f"{name}: expected a config of at most {MAX_BYTES >> 10} KiB, found more"])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = 1 + data.count(b"\n", 0, error.start)
        raise ConfigError(
            [f"{name}:{line}: expected text in UTF-8, found the byte {data[error.start]:#04x}"]
        ) from error


def parse(text: str) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    """The tables of a TOML text, and the line of every value. Raises `ConfigError`: `line 3: …`."""
    lines = line_numbers(text)
    try:
        return tomllib.loads(text), lines
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        position = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message)
        line = int(position[1]) if position and position[1] else len(text.splitlines())
        reason = message[: position.start()] if position else message
        raise ConfigError([f"line {line}: expected TOML: {reason}"]) from error
    except ValueError as error:  # Python's limit on the digits of an integer; the error has no line
        raise ConfigError(["expected numbers of 64 bits, found one of thousands of digits"]) from error


def _display_name(path: Path) -> str:
    """The relative path of a file below the current folder, otherwise its absolute path."""
    absolute = os.path.abspath(path)
    if os.path.splitdrive(absolute)[0] != os.path.splitdrive(os.getcwd())[0]:
        return absolute
    relative = os.path.relpath(absolute)
    return absolute if relative.startswith("..") else relative
