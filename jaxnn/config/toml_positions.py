"""The line of each key and value of a TOML text, which `tomllib` does not report.

The scanner tracks keys and brackets and ignores values. It accepts invalid TOML, which `tomllib` refuses afterwards.
It runs first because it refuses what would make `tomllib` recurse too deeply, or run for hours (a key of ten thousand
parts).
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from jaxnn.config.errors import ConfigError, KeyPath

#: Limit for the nesting of tables and lists plus the parts of one dotted key.
MAX_LEVELS = 16

# No possessive quantifiers: before Python 3.11.5 they match too little where they repeat a group. Every alternative of
# a repeated group begins with another character, so that matching takes linear time.
_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r]+|\#[^\n]*)
  | (?P<newline>\n)
  | (?P<text>\"{3}(?:[^\\]|\\.)*?\"{3,5}|'{3}.*?'{3,5})
  | (?P<key>[A-Za-z0-9_-]+|(?!\"{3})"(?:[^"\\\n]|\\.)*"|(?!'{3})'[^'\n]*')
  | (?P<unterminated>["'])
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)


class _Container(NamedTuple):
    """A list or inline table whose closing bracket has not been read; `element` is the current one of a list."""

    path: KeyPath
    element: int | None


def line_numbers(text: str) -> dict[KeyPath, int]:
    """The line of each key, and of each element of a list, by its path; `()` is line 1.

    The header `[[net]]` of the k-th table in a list is the line of ("net", k).
    Raises `ConfigError` for more than `MAX_LEVELS` levels.
    """
    return _Scanner().scan(text)


class _Scanner:
    def __init__(self):
        self.lines: dict[KeyPath, int] = {(): 1}
        self.table_counts: dict[KeyPath, int] = {}  # the number of [[…]] tables of each list so far
        self.table: KeyPath = ()  # of the last header
        self.containers: list[_Container] = []
        self.key_parts: list[str] = []
        self.header_brackets = 0  # 1 inside of [table], 2 inside of [[table]]
        self.value: KeyPath | None = None  # the path of the value being read; None while a key is read

    def scan(self, text: str) -> dict[KeyPath, int]:
        for kind, token, line in _tokens(text):
            if kind == "newline" and not self.containers:
                self.key_parts, self.header_brackets, self.value = [], 0, None
            elif kind != "newline" and self.value is None:
                self._read_key_token(kind, token, line)
            elif kind != "newline":
                self._read_value_token(token, line)
            if len(self.containers) + len(self.key_parts) > MAX_LEVELS:
                raise ConfigError([f"line {line}: expected at most {MAX_LEVELS} levels of tables and lists"])
        return self.lines

    def _read_key_token(self, kind: str, token: str, line: int) -> None:
        if kind == "key":
            self.key_parts.append(token[1:-1] if token[0] in "\"'" else token)
        elif token == "[" and not self.containers and not self.key_parts:
            self.header_brackets += 1
        elif token == "]" and self.header_brackets:
            self._end_header(line)
        elif token == "=" and self.key_parts:
            base = self.containers[-1].path if self.containers else self.table
            for n in range(1, len(self.key_parts) + 1):
                self.lines.setdefault((*base, *self.key_parts[:n]), line)
            self.value, self.key_parts = (*base, *self.key_parts), []
        elif token == "}" and self.containers:
            self.value = self.containers.pop().path

    def _end_header(self, line: int) -> None:
        path: KeyPath = ()
        for i, part in enumerate(self.key_parts):
            path = (*path, part)
            self.lines.setdefault(path, line)
            if self.header_brackets > 1 and i == len(self.key_parts) - 1:
                self.table_counts[path] = self.table_counts.get(path, 0) + 1
            if path in self.table_counts:
                path = (*path, self.table_counts[path] - 1)
                self.lines.setdefault(path, line)
        self.table, self.key_parts, self.header_brackets = path, [], 0

    def _read_value_token(self, token: str, line: int) -> None:
        assert self.value is not None
        innermost = self.containers[-1] if self.containers else None
        if token == "," and innermost:
            if innermost.element is None:
                self.value = None
            else:
                self.containers[-1] = _Container(innermost.path, innermost.element + 1)
                self.value = (*innermost.path, innermost.element + 1)
        elif token in ("]", "}") and innermost:
            self.value = self.containers.pop().path
        else:
            self.lines.setdefault(self.value, line)
            if token == "[":
                self.containers.append(_Container(self.value, 0))
                self.value = (*self.value, 0)
            elif token == "{":
                self.containers.append(_Container(self.value, None))
                self.value = None


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    """The tokens of the text with their lines, up to a string without an end."""
    line = 1
    for match in _TOKEN.finditer(text):
        kind, token = match.lastgroup, match.group()
        if kind == "unterminated" or kind is None:
            return
        if kind != "space":
            yield kind, token, line
        line += token.count("\n")
