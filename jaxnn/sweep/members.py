"""The members of a sweep: configs, each checked as a config with overrides is."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from jaxnn.config import Config, ConfigError, load
from jaxnn.sweep.space import Axis


class Member(NamedTuple):
    """A config by the values that tell it from the others, as they were typed or drawn."""

    values: dict[str, str]
    config: Config


def make_members(
    source: str | os.PathLike[str], overrides: Sequence[str], combinations: Iterable[Mapping[str, str]]
) -> list[Member]:
    """The config of each combination of values. Raises `ConfigError` with all mistakes, each once."""
    members, lines = [], {}
    for values in combinations:
        try:
            config = load(source, [*overrides, *(f"{name}={value}" for name, value in values.items())])
            members.append(Member(dict(values), config))
        except ConfigError as error:
            lines |= dict.fromkeys(error.lines)
    if lines:
        raise ConfigError(list(lines))
    return members


def check_axes(source: str | os.PathLike[str], overrides: Sequence[str], axes: Sequence[Axis]) -> None:
    """Raises `ConfigError` with every value that a config does not take, by itself."""
    load(source, overrides)
    make_members(source, overrides, ({axis.name: value} for axis in axes for value in axis.test_values))
