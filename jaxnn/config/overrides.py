"""Overrides from the command line, applied to the tables of a config before they are validated."""

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

from jaxnn.config.errors import ConfigError, KeyPath, dotted_path, preview
from jaxnn.config.toml_file import parse
from jaxnn.config.toml_positions import MAX_LEVELS


class Override(NamedTuple):
    """An override as the user typed it, and the path of the value that it sets."""

    text: str
    path: KeyPath


def apply_overrides(tables: dict[str, Any], texts: Sequence[str]) -> tuple[dict[str, Any], list[Override], list[str]]:
    """A copy of `tables` with each `dotted.name=value` set; the applied overrides; one error line for each other.

    A hyphen in a name stands for an underscore, and a number is an index of a list. The value is TOML or, if it is no
    TOML, text: a tab or a space alone is text too. An override without a value (`optimizer.schedule=`) removes the key.
    `net.3={layer="identity"}` replaces a whole layer.
    """
    tables = copy.deepcopy(tables)
    applied, errors = [], []
    for text in texts:
        name, equals, value = text.removeprefix("--").partition("=")
        parts = name.strip().replace("-", "_").split(".")
        path = tuple(int(part) if part.isdecimal() and len(part) < 5 else part for part in parts)
        if not equals or not all(parts) or len(parts) > MAX_LEVELS:
            message = "expected dotted.name=value, such as optimizer.learning_rate=0.1"
        else:
            message = _set(tables, path, value.strip() or value)
        if message:
            errors.append(f"override {text}: {message}")
        else:
            applied.append(Override(text, path))
    return tables, applied, errors


def _set(tables: dict[str, Any], path: KeyPath, value: str) -> str | None:
    """Sets or removes one value in place. Returns an error message if the path is wrong."""
    container: Any = tables
    for i, part in enumerate(path[:-1]):
        if isinstance(container, dict) and isinstance(part, str):
            container = container.setdefault(part, {}) if value else container.get(part, {})
        elif isinstance(container, list) and isinstance(part, int) and part < len(container):
            container = container[part]
        else:
            return _path_error(container, path[: i + 1])
    last = path[-1]
    if isinstance(container, dict) and isinstance(last, str):
        if value:
            container[last] = _value(value)
        else:
            container.pop(last, None)
    elif isinstance(container, list) and isinstance(last, int) and last < len(container):
        if not value:
            return "expected a value: only a key can be removed"
        container[last] = _value(value)
    else:
        return _path_error(container, path)
    return None


def _path_error(container: object, path: KeyPath) -> str:
    name = dotted_path(path[:-1]) or "the config"
    if isinstance(container, list):
        return f"expected an index from 0 to {len(container) - 1} in {name}, found {path[-1]}"
    if isinstance(container, dict):
        return f"expected a key of {name}, found {path[-1]}"
    return f"expected a table {name}, found {preview(container)}"


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
