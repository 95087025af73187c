"""The members of a sweep: configs or experiments in Python, each checked as one with overrides is."""

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from jaxnn.config import Config, ConfigError, load
from jaxnn.config.experiment import plan_of
from jaxnn.experiment.definition import Experiment
from jaxnn.experiment.seeds import seed_range
from jaxnn.runs import folder as run_folder
from jaxnn.runs.python_file import PREFIX, is_python_target, load_experiment, typed_overrides, with_values
from jaxnn.runs.reopen import source_of_run
from jaxnn.sweep.space import Axis
from jaxnn.train.plan import Plan


class Member(NamedTuple):
    """A config, or an experiment in Python, by the values that tell it from the others, as they were typed or drawn."""

    values: dict[str, str]
    config: Config | None = None
    experiment: Experiment | None = None


class Family(NamedTuple):
    """What the members of a sweep have in common.

    make(combinations) -> the member of each combination of values; raises `ConfigError` with all mistakes, each once
    """

    title: str
    plan: Plan
    seeds: tuple[int, ...]
    make: Callable[[Iterable[Mapping[str, str]]], list[Member]]


def family(source: str | os.PathLike[str], overrides: Sequence[str] = (), seeds: int | None = None) -> Family:
    """The family of a config's name, a TOML file, FILE.py:NAME, or the folder of a run of one of these.

    seeds: how many, from the first one on; default: as many as it has
    Raises `ConfigError` or `UserError` for a source or overrides that cannot be.
    """
    folder = Path(source)
    if (folder / run_folder.MANIFEST).is_file():
        source = source_of_run(folder, run_folder.read_manifest(folder))
    if is_python_target(os.fspath(source)):
        experiment = load_experiment(os.fspath(source), *typed_overrides(overrides))
        chosen = seed_range(experiment.seeds[0], seeds) if seeds else experiment.seeds
        experiment = experiment._replace(seeds=chosen).check()
        return Family(experiment.title, experiment.plan, chosen, lambda values: python_members(experiment, values))
    config = load(source, overrides)
    chosen = seed_range(config.train.seed, seeds or config.train.seeds)
    return Family(config.title, plan_of(config), chosen, lambda values: make_members(source, overrides, values))


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


def python_members(experiment: Experiment, combinations: Iterable[Mapping[str, str]]) -> list[Member]:
    """The experiment with each combination of hyper-parameters. Raises `ConfigError` with all mistakes, each once."""
    members, lines = [], {}
    for values in combinations:
        numbers = {}
        for name, text in values.items():
            key = name.removeprefix(PREFIX)
            try:
                numbers[key] = float(text)
            except ValueError:
                numbers[key] = math.nan
            if not math.isfinite(numbers[key]):
                lines[f"{name}: expected a finite number, found {text!r}"] = None
            if key not in experiment.hyperparameters:
                known = ", ".join(experiment.hyperparameters) or "none"
                lines[f"{name}: expected a hyper-parameter among {known}, found {key}"] = None
        members.append(Member(dict(values), None, with_values(experiment, numbers)))
    if lines:
        raise ConfigError(list(lines))
    return members


def check_axes(sweep_family: Family, axes: Sequence[Axis]) -> None:
    """Raises `ConfigError` with every value that the family does not take, each alone."""
    sweep_family.make({axis.name: value} for axis in axes for value in axis.test_values)
