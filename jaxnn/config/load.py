"""Loads a config: reads its TOML, applies overrides, validates it and reports every mistake with its line."""

import math
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from jaxnn.config.base import config_problems
from jaxnn.config.cross_checks import cross_check
from jaxnn.config.errors import ConfigError, ConfigProblem, KeyPath, dotted_path
from jaxnn.config.overrides import Override, apply_overrides
from jaxnn.config.schema import Config
from jaxnn.config.sections import is_path_option
from jaxnn.config.shipped import find
from jaxnn.config.toml_file import TomlFile, file_of_text, read
from jaxnn.config.toml_positions import MAX_LEVELS

#: The largest number of float32.
LARGEST = (2 - 2**-23) * 2.0**127


def load(name_or_path: str | os.PathLike[str], overrides: Sequence[str] = ()) -> Config:
    """The config of a shipped name or a TOML file, with `dotted.name=value` overrides.

    A relative path of the data is found from the file's folder, then from the current one. That of an override is found
    from the current folder.

    Raises `ConfigError` with all mistakes at once, each with its file and line or its override, and `UserError` for
    an unknown name.
    """
    for text in overrides:
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise ConfigError(
                [f"override {text}: expected text in UTF-8, found another byte; rename a file of this name"]
            )
    path = find(name_or_path)
    return _validated(read(path), path.parent, overrides)


def load_text(text: str, name: str = "config", overrides: Sequence[str] = ()) -> Config:
    """The config of a TOML text. Mistakes say `name` in place of a file's.

    Raises `ConfigError` with all mistakes at once, each with its line.
    """
    return _validated(file_of_text(text, name), Path.cwd(), overrides)


def _validated(file: TomlFile, folder: Path, overrides: Sequence[str]) -> Config:
    """The config of a file's tables. Relative paths of its data are found from `folder`."""
    tables, applied, errors = apply_overrides(file.tables, overrides)
    resolve_data_paths(tables, folder, {override.path[:2] for override in applied})
    problems = {problem.path: problem.message for problem in _unsupported_values(tables)}
    config = None
    try:
        config = Config.model_validate(tables)
    except ValidationError as error:
        for path, message in config_problems(error):
            problems.setdefault(path, message)
    for path, message in cross_check(tables):
        problems.setdefault(path, message)
    if config is None or problems or errors:
        raise ConfigError([*errors, *_error_lines(file, applied, problems)])
    return config


def resolve_data_paths(tables: dict[str, Any], folder: Path, overridden: Collection[KeyPath]) -> None:
    """Makes relative paths of the data absolute in place: `data.path` and options such as `data.test_path`.

    Each is tried in the config's folder, then in the current one; an option of the command line, which is among the
    `overridden`, in the current one alone. So a run finds its data from any folder. A path that is in none of them
    stays: the data folder may have it.
    """
    data = tables.get("data")
    if not isinstance(data, dict):
        return
    for key, path in list(data.items()):
        if not is_path_option(key) or not isinstance(path, str) or not path or path.startswith("~"):
            continue
        typed = ("data",) in overridden or ("data", key) in overridden
        for candidate in (path,) if typed else (os.path.join(folder, path), path):
            if os.path.exists(candidate):  # unlike `Path.exists`, it raises no error for a path that cannot be
                data[key] = os.path.abspath(candidate)
                break


def _unsupported_values(tables: Any) -> Iterator[ConfigProblem]:
    """Values that TOML allows and no config uses: numbers beyond 32 bits, dates, NaN and infinity.

    Raises `ConfigError` for more than `MAX_LEVELS` levels.
    """
    pending: list[tuple[KeyPath, Any]] = [((), tables)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, Mapping | list):
            items = value.items() if isinstance(value, Mapping) else enumerate(value)
            pending += [((*path, key), inner) for key, inner in items]
            if len(path) > MAX_LEVELS:
                raise ConfigError([f"{dotted_path(path)}: expected at most {MAX_LEVELS} levels of tables and lists"])
        elif isinstance(value, int) and not -(2**31) <= value < (2**32 if path[-1:] == ("seed",) else 2**31):
            yield ConfigProblem(path, "expected an integer of 32 bits, found a larger one")
        elif isinstance(value, float) and LARGEST < abs(value) < math.inf:
            yield ConfigProblem(path, f"expected a number that float32 has, at most {LARGEST:.2g}, found {value}")
        elif isinstance(value, float) and not math.isfinite(value):
            yield ConfigProblem(path, f"expected a finite number, found {value}")
        elif not isinstance(value, str | int | float):
            yield ConfigProblem(path, f"expected no date or time, found {value}")


def _error_lines(file: TomlFile, overrides: Sequence[Override], problems: Mapping[KeyPath, str]) -> list[str]:
    """One line for each problem: first those of overrides, then those of the file in its order."""
    numbered = []
    for path, message in problems.items():
        text = f"{dotted_path(path)}: {message}" if path else message
        override = _override_of(path, file, overrides)
        line = 0 if override else file.line_of(path)
        numbered.append((line, f"override {override}: {text}" if override else f"{file.name}:{line}: {text}"))
    return [text for _, text in sorted(numbered, key=lambda item: item[0])]


def _override_of(path: KeyPath, file: TomlFile, overrides: Sequence[Override]) -> str | None:
    """The override that caused a problem at `path`, if one did.

    An override causes the problems of the value that it sets, of the tables that it creates for it and of the tables
    that contain it.
    """
    for text, set_path in reversed(overrides):
        prefixes = (set_path[:n] for n in range(1, len(set_path)))
        created = next((prefix for prefix in prefixes if prefix not in file.lines), set_path)
        if path[: len(created)] == created or (path and set_path[: len(path)] == path):
            return text
    return None
