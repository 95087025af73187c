"""What is wrong with a config: every mistake at once, each a line that says where it is."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from jaxnn.errors import UserError, nearest

#: Keys and indices from the top of the file to a value: ("net", 0, "units").
Path = tuple[str | int, ...]


class Problem(NamedTuple):
    """A mistake: the value that it is about, and what was expected."""

    path: Path
    message: str


class ConfigError(UserError):
    """All that is wrong with a config, one line each: `configs/x.toml:12: optimizer.l3: unknown key; …`."""

    def __init__(self, lines: Sequence[str]):
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


def dotted(path: Path) -> str:
    """The name of a value in an error and in an override: `net.0.units`."""
    return ".".join(str(part) for part in path)


def among(found: object, known: Iterable[str]) -> str:
    """Where to look instead: the nearest name, or, if none is near, all of them."""
    known = sorted(known)
    near = nearest(found, known)
    return f"did you mean {near}?" if near else f"expected {'one of ' if len(known) > 1 else ''}{', '.join(known)}"


def shown(value: object) -> str:
    """`value` on a line, cut to a part of it."""
    try:
        text = "true" if value is True else "false" if value is False else ascii(value)
    except ValueError:  # of an integer of thousands of digits
        text = "a huge number"
    return text if len(text) <= 60 else f"{text[:57]}..."
