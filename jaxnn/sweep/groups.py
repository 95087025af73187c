"""Members of a sweep that differ in traced numbers alone share one program."""

import json
import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

from jaxnn.config import Config, numbers, step_text, value_at
from jaxnn.config.bind import hyperparameters, traceable_hyperparameters
from jaxnn.config.dump import to_builtins
from jaxnn.config.experiment import experiment_of
from jaxnn.config.loaded_data import LoadedData, load_data
from jaxnn.experiment.definition import Experiment
from jaxnn.sweep.members import Member


def data_table(config: Config) -> str:
    """What names the data of a config: its [data] table, as text."""
    return json.dumps(to_builtins(config.data), sort_keys=True, default=str)


class Group(NamedTuple):
    """Members that are one program.

    experiment: that of the first member, with all seeds
    members: their positions; values: the hyper-parameters of each
    """

    experiment: Experiment
    members: tuple[int, ...]
    values: tuple[dict[str, float], ...]


def groups(
    members: Sequence[Member],
    seeds: Sequence[int],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    grad: str = "hand",
    loaded: dict[str, LoadedData] | None = None,
) -> list[Group]:
    """Members by program, in the order of their first ones. Which numbers can be traced is tried.

    loaded: the data of each [data] table that was seen, so that data are loaded once
    """
    loaded = {} if loaded is None else loaded
    python = [i for i, member in enumerate(members) if member.config is None]
    programs = [_python_group(members, python, seeds)] if python else []
    configs = {i: member.config for i, member in enumerate(members) if member.config is not None}
    for candidates in _alike(configs, tuple(configs), lambda i: _candidates(members[i], configs[i])):
        config, first = configs[candidates[0]], members[candidates[0]]
        text = data_table(config)
        if text not in loaded:
            loaded[text] = load_data(config, data_dir=data_dir, seeds=seeds)
        example = experiment_of(config, loaded[text], seeds=seeds, grad=grad, traced=()).source.example
        names = traceable_hyperparameters(config, example, grad=grad, also=_swept(first, config))
        for together in _alike(configs, candidates, lambda i, names=names: names):
            experiment = experiment_of(configs[together[0]], loaded[text], seeds=seeds, grad=grad, traced=names)
            programs.append(Group(experiment, together, tuple(hyperparameters(configs[i], names) for i in together)))
    return sorted(programs, key=lambda group: group.members[0])


def _python_group(members: Sequence[Member], positions: Sequence[int], seeds: Sequence[int]) -> Group:
    """The members of one experiment in Python: all their hyper-parameters are traced."""
    experiments = [experiment for i in positions if (experiment := members[i].experiment) is not None]
    values = tuple({name: float(v) for name, v in e.hyperparameters.items()} for e in experiments)
    return Group(experiments[0]._replace(seeds=tuple(seeds)).check(), tuple(positions), values)


def _swept(member: Member, config: Config) -> tuple[str, ...]:
    """The names that vary and have numbers."""
    names = []
    for name in member.values:
        try:
            if isinstance(value_at(config, name), float):
                names.append(name)
        except KeyError:  # the value was removed, or is part of one
            continue
    return tuple(name for name in names if name.split(".")[0] in ("net", "loss", "optimizer", "augment"))


def _candidates(member: Member, config: Config) -> tuple[str, ...]:
    return tuple(sorted({*numbers(config), *_swept(member, config)}))


def _alike(
    configs: dict[int, Config], positions: Sequence[int], names: Callable[[int], tuple[str, ...]]
) -> list[tuple[int, ...]]:
    """The positions whose configs differ in the numbers `names` alone, together."""
    together: dict[str, list[int]] = {}
    for i in positions:
        together.setdefault(_text(configs[i], names(i)), []).append(i)
    return [tuple(alike) for alike in together.values()]


def _text(config: Config, names: tuple[str, ...]) -> str:
    rest = [to_builtins(config.data), config.train.epochs]
    return step_text(config, names) + json.dumps(rest, sort_keys=True, default=str)
