"""The numbers of a config that may be inputs of its program: listed, blanked out and set by their dotted names."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from jaxnn.config.base import Table
from jaxnn.config.dump import to_builtins
from jaxnn.config.errors import KeyPath, dotted_path
from jaxnn.config.schema import Config

#: The tables that a training step is made of.
TRAINED_SECTIONS = ("net", "loss", "optimizer", "augment", "noise", "adversarial")

AnyConfig = TypeVar("AnyConfig", bound=Config)


def numbers(config: Config) -> dict[str, float]:
    """Every number of the trained sections by its dotted name, without those that have the library's default.

    Not all of them can be inputs: the shape of an array cannot.
    """
    pairs = (pair for name in TRAINED_SECTIONS for pair in _numbers(getattr(config, name), (name,)))
    return {dotted_path(path): value for path, value in pairs}


def _numbers(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, float]]:
    if isinstance(value, Table):
        for key, field in type(value).model_fields.items():
            inner = getattr(value, key)
            is_set = isinstance(inner, float) and (field.is_required() or inner != field.default)
            if is_set or isinstance(inner, Table | tuple | Mapping):
                yield from _numbers(inner, (*path, key))
    elif isinstance(value, tuple):
        for i, inner in enumerate(value):
            yield from _numbers(inner, (*path, i))
    elif isinstance(value, Mapping):  # an initializer's options: 1 is 1.0 there
        for key, inner in value.items():
            if not isinstance(inner, bool) and isinstance(inner, int | float):
                yield (*path, key), float(inner)
    elif isinstance(value, float):
        yield path, value


def value_at(config: Config, name: str) -> Any:
    """The value of a dotted name. Raises `KeyError` where there is none."""
    value: Any = config
    for part in name.split("."):
        if isinstance(value, Table) and part in type(value).model_fields:
            value = getattr(value, part)
        elif isinstance(value, tuple) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, Mapping) and part in map(str, value):
            value = next(inner for key, inner in value.items() if str(key) == part)
        else:
            raise KeyError(name)
    return value


def with_numbers(config: AnyConfig, values: Mapping[str, Any]) -> AnyConfig:
    """The config with other values. They are not checked, because they may be traced."""
    for name, value in values.items():
        config = _with(config, name.split("."), value)
    return config


def _with(table: Any, parts: list[str], value: Any) -> Any:
    if not parts:
        return value
    first, rest = parts[0], parts[1:]
    if isinstance(table, Table):
        return table.model_copy(update={first: _with(getattr(table, first), rest, value)})
    if isinstance(table, tuple):
        i = int(first)
        return (*table[:i], _with(table[i], rest, value), *table[i + 1 :])
    key = next(k for k in table if str(k) == first)
    return {**table, key: _with(table[key], rest, value)}


def step_text(config: Config, without: tuple[str, ...] = ()) -> str:
    """The sections that a training step depends on as canonical text, with the numbers `without` blanked out."""
    blank = with_numbers(config, dict.fromkeys(without, 0.0))
    sections = {name: to_builtins(getattr(blank, name)) for name in TRAINED_SECTIONS}
    train = to_builtins(config.train)
    for name in ("epochs", "seed", "seeds", "on_nonfinite"):
        train.pop(name, None)
    return json.dumps([sections, train, sorted(without)], sort_keys=True, default=str)
