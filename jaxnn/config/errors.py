"""Errors of a config: all mistakes are reported at once, one line each. Imports neither JAX nor pydantic."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from jaxnn.errors import UserError, nearest

#: Keys and indices from the top of the file to a value: ("net", 0, "units").
KeyPath = tuple[str | int, ...]


class ConfigProblem(NamedTuple):
    """One mistake: the path of the value, and the message."""

    path: KeyPath
    message: str


class ConfigError(UserError):
    """All mistakes of a config, one line each: `configs/x.toml:12: optimizer.l3: unknown key; did you mean l2?`."""

    def __init__(self, lines: Sequence[str]):
        super().__init__("\n".join(lines))
        self.lines: tuple[str, ...] = tuple(lines)


def dotted_path(path: KeyPath) -> str:
    """The name of a value in error messages and overrides: `net.0.units`."""
    return ".".join(str(part) for part in path)


def suggest(name: object, known: Iterable[str]) -> str:
    """The end of an error message about an unknown name: the nearest known name or, if none is near, all of them."""
    known = sorted(known)
    near = nearest(name, known)
    return f"did you mean {near}?" if near else f"expected {'one of ' if len(known) > 1 else ''}{', '.join(known)}"


def preview(value: object) -> str:
    """`value` on one line of at most 60 characters, for an error message."""
    try:
        text = "true" if value is True else "false" if value is False else ascii(value)
    except ValueError:  # an integer with thousands of digits
        text = "a huge number"
    return text if len(text) <= 60 else f"{text[:57]}..."
