"""Where each key and value of a TOML text stands: `tomllib` does not say.

A tolerant scan that keeps no values: what is no TOML is left for `tomllib` to refuse. It runs first and refuses what
would make `tomllib` recurse too deep or (a key of ten thousand parts) run for hours.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from jaxnn.config.errors import ConfigError, Path

#: Of tables in tables, lists in lists and parts of one dotted key.
MOST_LEVELS = 16

_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r]++|\#[^\n]*+)
  | (?P<newline>\n)
  | (?P<text>\"{3}(?:[^"\\]|\\.|"(?!""))*+\"{3,5}|'{3}(?:[^']|'(?!''))*+'{3,5})
  | (?P<broken>\"{3}|'{3})
  | (?P<key>[A-Za-z0-9_-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)


class _Open(NamedTuple):
    """A list or an inline table that has begun; the index of the list's current element."""

    path: Path
    index: int | None


def positions(text: str) -> dict[Path, int]:
    """The line of each key, and of each element of a list, by its path; `()` is line 1.

    The head `[[net]]` of a list's k-th table counts as the value ("net", k).
    Raises `ConfigError` for more than `MOST_LEVELS` levels.
    """
    return _Scanner().scan(text)


class _Scanner:
    def __init__(self):
        self.lines: dict[Path, int] = {(): 1}
        self.elements: dict[Path, int] = {}  # how many [[…]] tables a list has so far
        self.head: Path = ()
        self.opened: list[_Open] = []
        self.parts: list[str] = []
        self.brackets = 0  # of a table's head that is being read
        self.value: Path | None = None  # that is being read; None while a key is

    def scan(self, text: str) -> dict[Path, int]:
        for kind, word, line in _tokens(text):
            if kind == "newline" and not self.opened:
                self.parts, self.brackets, self.value = [], 0, None
            elif kind != "newline" and self.value is None:
                self._in_key(kind, word, line)
            elif kind != "newline":
                self._in_value(word, line)
            if len(self.opened) + len(self.parts) > MOST_LEVELS:
                raise ConfigError([f"line {line}: expected at most {MOST_LEVELS} levels of tables and lists"])
        return self.lines

    def _in_key(self, kind: str, word: str, line: int) -> None:
        if kind == "key":
            self.parts.append(word[1:-1] if word[0] in "\"'" else word)
        elif word == "[" and not self.opened and not self.parts:
            self.brackets += 1
        elif word == "]" and self.brackets:
            self._head(line)
        elif word == "=" and self.parts:
            base = self.opened[-1].path if self.opened else self.head
            for n in range(1, len(self.parts) + 1):
                self.lines.setdefault((*base, *self.parts[:n]), line)
            self.value, self.parts = (*base, *self.parts), []
        elif word == "}" and self.opened:
            self.value = self.opened.pop().path

    def _head(self, line: int) -> None:
        path: Path = ()
        for i, part in enumerate(self.parts):
            path = (*path, part)
            self.lines.setdefault(path, line)
            if self.brackets > 1 and i == len(self.parts) - 1:
                self.elements[path] = self.elements.get(path, 0) + 1
            if path in self.elements:
                path = (*path, self.elements[path] - 1)
                self.lines.setdefault(path, line)
        self.head, self.parts, self.brackets = path, [], 0

    def _in_value(self, word: str, line: int) -> None:
        assert self.value is not None
        top = self.opened[-1] if self.opened else None
        if word == "," and top:
            if top.index is None:
                self.value = None
            else:
                self.opened[-1] = _Open(top.path, top.index + 1)
                self.value = (*top.path, top.index + 1)
        elif word in ("]", "}") and top:
            self.value = self.opened.pop().path
        else:
            self.lines.setdefault(self.value, line)
            if word == "[":
                self.opened.append(_Open(self.value, 0))
                self.value = (*self.value, 0)
            elif word == "{":
                self.opened.append(_Open(self.value, None))
                self.value = None


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    line = 1
    for match in _TOKEN.finditer(text):
        kind, word = match.lastgroup, match.group()
        if kind == "broken" or kind is None:
            return
        if kind != "space":
            yield kind, word, line
        line += word.count("\n")
