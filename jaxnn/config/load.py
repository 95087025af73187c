"""From a name and overrides to a checked config, or to everything that is wrong with it."""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from jaxnn.config.base import problems_of
from jaxnn.config.cross_checks import contradictions
from jaxnn.config.errors import ConfigError, Path, Problem, dotted
from jaxnn.config.overrides import Override, override
from jaxnn.config.schema import Config
from jaxnn.config.shipped import find
from jaxnn.config.toml_file import Source, read
from jaxnn.config.toml_positions import MOST_LEVELS


def load(name_or_path: str | os.PathLike[str], overrides: Sequence[str] = ()) -> Config:
    """The config of a shipped name or a TOML file, with `dotted.name=value` overrides.

    Raises `ConfigError` with all mistakes at once, each by its file and line or its override; `UserError` for an
    unknown name.
    """
    source = read(find(name_or_path))
    tables, done, refused = override(source.tables, overrides)
    problems = {problem.path: problem.message for problem in _odd_values(tables)}
    config = None
    try:
        config = Config.model_validate(tables)
    except ValidationError as error:
        for path, message in problems_of(error):
            problems.setdefault(path, message)
    for path, message in contradictions(tables):
        problems.setdefault(path, message)
    if config is None or problems or refused:
        raise ConfigError([*refused, *_lines(source, done, problems)])
    return config


def _odd_values(tables: Any) -> Iterator[Problem]:
    """Values that TOML has and no config needs: what would not fit into 64 bits, dates, NaN and infinity.

    Raises `ConfigError` for more levels than may be walked.
    """
    left: list[tuple[Path, Any]] = [((), tables)]
    while left:
        path, value = left.pop()
        if isinstance(value, Mapping | list):
            items = value.items() if isinstance(value, Mapping) else enumerate(value)
            left += [((*path, key), inner) for key, inner in items]
            if len(path) > MOST_LEVELS:
                raise ConfigError([f"{dotted(path)}: expected at most {MOST_LEVELS} levels of tables and lists"])
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            yield Problem(path, "expected an integer of 64 bits, found a larger one")
        elif isinstance(value, float) and not math.isfinite(value):
            yield Problem(path, f"expected a finite number, found {value}")
        elif not isinstance(value, str | int | float):
            yield Problem(path, f"expected no date or time, found {value}")


def _lines(source: Source, overrides: Sequence[Override], problems: Mapping[Path, str]) -> list[str]:
    """A line for each problem: those of overrides first, then those of the file in its order."""
    placed = []
    for path, message in problems.items():
        text = f"{dotted(path)}: {message}" if path else message
        typed = _override_of(path, source, overrides)
        line = 0 if typed else source.line(path)
        placed.append((line, f"override {typed}: {text}" if typed else f"{source.name}:{line}: {text}"))
    return [text for _, text in sorted(placed, key=lambda item: item[0])]


def _override_of(path: Path, source: Source, overrides: Sequence[Override]) -> str | None:
    """The override that a problem comes from: of what it set, of what it had to make for that, or of its table."""
    for text, set_path in reversed(overrides):
        prefixes = (set_path[:n] for n in range(1, len(set_path)))
        made = next((prefix for prefix in prefixes if prefix not in source.lines), set_path)
        if path[: len(made)] == made or (path and set_path[: len(path)] == path):
            return text
    return None
