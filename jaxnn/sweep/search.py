"""How a space is searched: all of it, at random, by successive halving, or by what optuna proposes."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from jaxnn.config.experiment import experiment_of
from jaxnn.config.loaded_data import LoadedData
from jaxnn.engine.hooks import Progress
from jaxnn.experiment.definition import Experiment
from jaxnn.experiment.scores import Scores, scores
from jaxnn.runs.python_file import with_epochs
from jaxnn.sweep.checks import KEEP, Search, check_sweep, draws_members
from jaxnn.sweep.groups import data_table
from jaxnn.sweep.halving import halving_search
from jaxnn.sweep.member_run import write_run
from jaxnn.sweep.members import Family, Member
from jaxnn.sweep.optuna_search import optuna_search
from jaxnn.sweep.space import Axis, grid, sample
from jaxnn.sweep.store import TrialStore, identity
from jaxnn.sweep.training import NO_HISTORY, Trial, order, train


class Searched(NamedTuple):
    """The trials of a sweep whose members are all trained, best first, before the best of them is measured.

    best: the best trial, with its parameters; None where all diverged
    kept: those that become runs in the folder of the sweep, best first
    """

    trials: tuple[Trial, ...]
    best: Trial | None
    kept: tuple[Trial, ...]
    family: Family
    loaded: Mapping[str, LoadedData]
    grad: str
    seconds: float


class SweepResult(NamedTuple):
    """Trials, best first; `best` is the first with its parameters, `scores` are its own on every part of the data.

    kept: the keys of the members that are runs in the folder of the sweep, best first
    metric: that of train.best, by which they are sorted: its mean over the seeds; what diverged comes last
    """

    trials: tuple[Trial, ...]
    best: Trial | None
    scores: Scores
    metric: str
    seeds: tuple[int, ...]
    seconds: float
    kept: tuple[str, ...] = ()


def sweep(
    source: str | os.PathLike[str],
    axes: Sequence[Axis],
    overrides: Sequence[str] = (),
    *,
    store: TrialStore | None = None,
    keep: int = KEEP,
    command: Sequence[str] = ("jaxnn", "sweep"),
    **options: Any,
) -> SweepResult:
    """Trains the members of a space, chooses by the metric of train.best, and measures the best one on every part.

    The arguments are those of `search_space`, and:
    keep: how many of the best members become runs, where there is a store
    command: what their manifests say of how they were made
    """
    return conclude(search_space(source, axes, overrides, store=store, keep=keep, **options), store, command)


def search_space(
    source: str | os.PathLike[str],
    axes: Sequence[Axis],
    overrides: Sequence[str] = (),
    *,
    search: Search = "grid",
    seeds: int | None = None,
    trials: int = 16,
    batch: int = 8,
    eta: int = 3,
    draw_seed: int = 0,
    data_dir: str | os.PathLike[str] | None = None,
    grad: Literal["hand", "auto"] = "hand",
    memory: int | None = None,
    store: TrialStore | None = None,
    keep: int = KEEP,
    report: Callable[[str, Progress], None] = lambda where, progress: None,
) -> Searched:
    """Trains the members of a space. No member is trained twice, however its values are written.

    source, overrides: the config, as `jaxnn.config.load` takes it
    seeds: for each member, from the config's first on (default: the config's number)
    trials: members that are drawn or proposed; a space of lists alone is taken whole by grid and halving
    batch: members that optuna proposes at once
    eta: by which halving divides the members, and multiplies the epochs, from rung to rung
    draw_seed: of what is drawn
    memory: bytes that a program may take (default: of what there is)
    store: where trials are kept, so that the sweep can be resumed, or shared with other workers
    keep: of how many of the best members the states are kept there
    Raises `UserError` for a space that cannot be, with all its mistakes at once.
    """
    common = check_sweep(
        source,
        axes,
        overrides,
        search=search,
        seeds=seeds,
        trials=trials,
        batch=batch,
        eta=eta,
        draw_seed=draw_seed,
        keep=keep,
    )
    started, loaded = time.perf_counter(), {}

    def train_members(where: str, members: Sequence[Member], **options: Any) -> Iterator[Trial]:
        def report_rows(done: int, rows: int, progress: Progress) -> None:
            report(f"{where}{done} of {rows} runs", progress)

        shared = {"data_dir": data_dir, "grad": grad, "memory": memory, "loaded": loaded, "store": store}
        # A rung of halving goes on from the states of the one before.
        shared |= {"keep_states": keep if search in ("grid", "random") else None}
        return train(members, common.seeds, report=report_rows, **shared, **options)

    if search == "optuna":
        results = optuna_search(axes, common, train_members, trials, batch, draw_seed)
    else:
        members = distinct(common.make(_combinations(search, axes, trials, draw_seed)))
        results = (
            halving_search(members, common.plan, train_members, eta)
            if search == "halving"
            else train_members("", members)
        )
    light: list[Trial] = []
    best, kept = None, []
    for trial in results:
        if best is None or order(trial) < order(best):
            best = trial
        # The parameters of all members together may not fit.
        light.append(trial._replace(snapshot=None))
        if store is not None:
            ranked = sorted([*kept, light[-1]], key=order)
            kept = [trial for trial in ranked[:keep] if np.isfinite(trial.objective)]
            for dropped in (trial for trial in ranked if trial not in kept):
                store.drop(dropped.key)
    light.sort(key=order)
    if best is None or best.snapshot is None or not np.isfinite(best.objective):
        best = None
    return Searched(tuple(light), best, tuple(kept), common, loaded, grad, time.perf_counter() - started)


def conclude(
    searched: Searched, store: TrialStore | None = None, command: Sequence[str] = ("jaxnn", "sweep")
) -> SweepResult:
    """Measures the best member of a search on every part of the data, and makes runs of those that are kept."""
    trials, best, measured, keys = searched.trials, searched.best, {}, [trial.key for trial in searched.kept]
    if best is not None and best.snapshot is not None:
        params = best.snapshot.state.best.params
        best = best._replace(experiment=_experiment_of(best, searched.loaded, searched.grad))
        measured = scores(best.experiment, params)
    if store is not None:
        for trial in searched.kept:
            experiment = _experiment_of(trial, searched.loaded, searched.grad)
            write_run(store.member_folder(trial.key), trial.key, experiment, command)
        store.end_running()
        trials = tuple(trial if trial.key in keys else trial._replace(history=NO_HISTORY) for trial in trials)
    common = searched.family
    return SweepResult(trials, best, measured, common.plan.best, common.seeds, searched.seconds, tuple(keys))


def distinct(members: Iterable[Member]) -> list[Member]:
    """The members without those that equal an earlier one, however their values are written."""
    first: dict[str, Member] = {}
    for member in members:
        first.setdefault(identity(member), member)
    return list(first.values())


def _experiment_of(trial: Trial, loaded: Mapping[str, LoadedData], grad: str) -> Experiment:
    """The experiment of a trial's own member and epochs; `trial.experiment` is that of the first of its program."""
    config, experiment = trial.member.config, trial.member.experiment
    if config is None:
        assert experiment is not None
        return with_epochs(experiment._replace(seeds=trial.experiment.seeds), trial.epochs)
    text = data_table(config)
    config = config.model_copy(update={"train": config.train.model_copy(update={"epochs": trial.epochs})})
    return experiment_of(config, loaded[text], seeds=trial.experiment.seeds, grad=grad)


def _combinations(search: str, axes: Sequence[Axis], trials: int, seed: int) -> Iterable[dict[str, str]]:
    return sample(axes, trials, seed) if draws_members(search, axes) else grid(axes)
