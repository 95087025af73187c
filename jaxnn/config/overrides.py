"""Values from the command line, set in the tables of a config before they are checked."""

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

from jaxnn.config.errors import ConfigError, Path, dotted, shown
from jaxnn.config.toml_file import parse
from jaxnn.config.toml_positions import MOST_LEVELS


class Override(NamedTuple):
    """`text` as it was typed, and the path of the value that it sets."""

    text: str
    path: Path


def override(tables: dict[str, Any], texts: Sequence[str]) -> tuple[dict[str, Any], list[Override], list[str]]:
    """`tables` with each `dotted.name=value` set; the overrides that were; a line for each that could not be.

    A hyphen in a name is an underscore, a number the place in a list. The value is TOML, or else text as it stands;
    without a value (`optimizer.schedule=`) the key is removed. `net.3={layer="identity"}` sets a whole layer.
    """
    tables = copy.deepcopy(tables)
    done, refused = [], []
    for text in texts:
        name, equals, value = text.removeprefix("--").partition("=")
        parts = name.strip().replace("-", "_").split(".")
        path = tuple(int(part) if part.isdecimal() and len(part) < 5 else part for part in parts)
        if not equals or not all(parts) or len(parts) > MOST_LEVELS:
            message = "expected dotted.name=value, such as optimizer.learning_rate=0.1"
        else:
            message = _set(tables, path, value.strip())
        if message:
            refused.append(f"override {text}: {message}")
        else:
            done.append(Override(text, path))
    return tables, done, refused


def _set(tables: dict[str, Any], path: Path, value: str) -> str | None:
    """Sets or removes one value in place; what is wrong with its name, if anything."""
    inner: Any = tables
    for i, part in enumerate(path[:-1]):
        if isinstance(inner, dict) and isinstance(part, str):
            inner = inner.setdefault(part, {}) if value else inner.get(part, {})
        elif isinstance(inner, list) and isinstance(part, int) and part < len(inner):
            inner = inner[part]
        else:
            return _misplaced(inner, path[: i + 1])
    last = path[-1]
    if isinstance(inner, dict) and isinstance(last, str):
        if value:
            inner[last] = _value(value)
        else:
            inner.pop(last, None)
    elif isinstance(inner, list) and isinstance(last, int) and last < len(inner):
        if not value:
            return "expected a value: only a key can be removed"
        inner[last] = _value(value)
    else:
        return _misplaced(inner, path)
    return None


def _misplaced(inner: object, path: Path) -> str:
    where = dotted(path[:-1]) or "the config"
    if isinstance(inner, list):
        return f"expected a place from 0 to {len(inner) - 1} in {where}, found {path[-1]}"
    if isinstance(inner, dict):
        return f"expected a key of {where}, found {path[-1]}"
    return f"expected a table {where}, found {shown(inner)}"


def _value(text: str) -> Any:
    if "\n" not in text:
        try:
            return parse(f"value = {text}")[0]["value"]
        except ConfigError:
            pass
    try:
        return float(text) if text[0] in "+-.0123456789" else text  # .5 and 5. are no TOML
    except ValueError:
        return text
