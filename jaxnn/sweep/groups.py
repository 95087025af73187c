"""Members of a sweep that differ in numbers alone: those are inputs of one program."""

import json
import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np

from jaxnn.config import Config, numbers, step_text, value_at
from jaxnn.config.bind import free
from jaxnn.config.dump import to_builtins
from jaxnn.config.experiment import Experiment, make_experiment, with_config
from jaxnn.sweep.members import Member


class Group(NamedTuple):
    """Members that are one program: `names` are the numbers in which they differ, and others that are inputs too."""

    experiment: Experiment
    names: tuple[str, ...]
    members: tuple[int, ...]


def groups(
    members: Sequence[Member],
    seeds: Sequence[int],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    grad: str = "hand",
    loaded: dict[str, Experiment] | None = None,
) -> list[Group]:
    """Members by program, in the order of their first ones; what may be an input is tried.

    loaded: an experiment for each text of [data] that was seen, so that data are loaded once
    """
    loaded = {} if loaded is None else loaded
    found: list[Group] = []
    for first in _alike(members, range(len(members)), lambda member: _candidates(member)):
        config = members[first[0]].config
        text = json.dumps(to_builtins(config.data), sort_keys=True, default=str)
        if text not in loaded:
            loaded[text] = make_experiment(config, data_dir=data_dir, seeds=seeds)
        experiment = with_config(loaded[text], config)
        data = jax.tree.map(np.asarray, experiment.data_of_seed(0))
        names = free(experiment.config, data, grad=grad, also=_swept(members[first[0]]))
        for some in _alike(members, first, lambda member, names=names: names):
            own = with_config(experiment, members[some[0]].config)
            found.append(Group(own, names, some))
    return sorted(found, key=lambda group: group.members[0])


def _swept(member: Member) -> tuple[str, ...]:
    """The names that vary and have numbers."""
    found = []
    for name in member.values:
        try:
            if isinstance(value_at(member.config, name), float):
                found.append(name)
        except KeyError:  # the value was removed, or is part of one
            continue
    return tuple(name for name in found if name.split(".")[0] in ("net", "loss", "optimizer", "augment"))


def _candidates(member: Member) -> tuple[str, ...]:
    return tuple(sorted({*numbers(member.config), *_swept(member)}))


def _alike(
    members: Sequence[Member], of: Sequence[int], names: Callable[[Member], tuple[str, ...]]
) -> list[tuple[int, ...]]:
    """Those of `of` whose configs differ in the numbers `names` alone, together."""
    found: dict[str, list[int]] = {}
    for i in of:
        own = names(members[i])
        found.setdefault(_text(members[i].config, own), []).append(i)
    return [tuple(some) for some in found.values()]


def _text(config: Config, names: tuple[str, ...]) -> str:
    rest = [to_builtins(config.data), config.train.epochs]
    return step_text(config, names) + json.dumps(rest, sort_keys=True, default=str)
