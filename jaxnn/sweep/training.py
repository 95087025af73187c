"""Members of a sweep trained as few programs: one for all that differ in numbers alone, in parts that fit the memory.

A group of members is one program; see `jaxnn.sweep.rows`.
"""

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np

from jaxnn.config.loaded_data import LoadedData
from jaxnn.engine.hooks import Progress
from jaxnn.engine.parallel import SeedStrategy
from jaxnn.engine.snapshot import Snapshot
from jaxnn.experiment.definition import Experiment
from jaxnn.metrics import lower_is_better
from jaxnn.runs.manifest import data_digest
from jaxnn.sweep.best_states import BestStates
from jaxnn.sweep.groups import Group, data_table, groups
from jaxnn.sweep.joined import Round, check_same_data, train_together
from jaxnn.sweep.members import Member
from jaxnn.sweep.rows import GroupRows
from jaxnn.sweep.store import (
    GroupStore,
    Result,
    StoredTrial,
    TrialStore,
    member_key,
    own_hyperparameters,
    scores_of,
    with_hyperparameters,
)
from jaxnn.train.plan import Plan
from jaxnn.train.state import History, has_score

#: The history of a trial of which only the result was kept.
NO_HISTORY = History({}, {})


class Trial(NamedTuple):
    """What came of a member. Arrays have a leading axis of seeds.

    experiment: of the first member that it shares a program with, on the same data
    score: the metric of train.best, of the best parameters; NaN where the seed diverged
    history: the rows of its evaluations; without any where the sweep kept the result alone
    snapshot: the run as it is, which can continue; None where it was dropped
    key: what names the member in the folder of its sweep
    """

    member: Member
    experiment: Experiment
    score: np.ndarray
    best_epoch: np.ndarray
    epochs: int
    history: History
    snapshot: Snapshot | None
    key: str = ""

    @property
    def diverged(self) -> int:
        """How many seeds diverged."""
        return int(np.isnan(self.score).sum())

    @property
    def objective(self) -> float:
        """The mean score over the seeds, larger for a better one; −∞ where one diverged."""
        mean = float(self.score.mean())
        return -np.inf if np.isnan(mean) else self.experiment.plan.sign * mean


def order(trial: Trial) -> tuple[float, float]:
    """The sorting key of trials: those that trained for longer first, as in halving, and of these the best first."""
    diverged = not np.isfinite(trial.objective)
    return (np.inf if diverged else -trial.epochs, -trial.objective)


#: Trains members and gives what came of them.
Trainer = Callable[..., Iterator[Trial]]


def train(
    members: Sequence[Member],
    seeds: Sequence[int],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    grad: str = "hand",
    epochs: int | None = None,
    resume_from: Sequence[Trial] | None = None,
    strategy: SeedStrategy | None = None,
    memory: int | None = None,
    loaded: dict[str, LoadedData] | None = None,
    store: TrialStore | None = None,
    keep_states: int | None = None,
    report: Callable[[int, int, Progress], None] = lambda done, rows, progress: None,
) -> Iterator[Trial]:
    """Trains every member with every seed; yields each as soon as it is trained, group by group.

    epochs: how long, in place of the plan's
    resume_from: trials of the same members, which continue; where a run was cut changes no bit
    memory: bytes that a program may take (default: a share of the device's)
    loaded: data that need not be loaded again, as `groups` fills it
    store: where trials are kept; what it has is not trained again. Other workers may train for it, too: then all its
        members have results before the first is given
    keep_states: of how many of the best members the states are kept there; None: of all
    report(rows done, rows of all, progress of the current rows)
    """
    total, done = len(members) * len(seeds), 0
    opened, best = [], None
    for group in groups(members, seeds, data_dir=data_dir, grad=grad, loaded=loaded):
        plan = group.experiment.plan if epochs is None else group.experiment.plan._replace(epochs=epochs)
        experiment = group.experiment._replace(strategy=strategy)
        work = GroupRows(experiment, group, plan._replace(on_nonfinite="ignore"))
        opened.append((group, plan, work, None if store is None else _open_group(store, group, plan, members, grad)))
        if store is not None and keep_states is not None and best is None:
            best = BestStates(store, keep_states, plan.sign)
    if store is not None and store.joined is not None:
        rounds = []
        for group, plan, work, kept in opened:
            assert kept is not None
            states = {i: resume_from[p].snapshot if resume_from else None for i, p in enumerate(group.members)}
            save = functools.partial(_save, kept, group, plan, members, best)
            rounds.append(Round(work, kept, states, save))
        train_together(store.joined, rounds, report)
    for group, plan, work, kept in opened:
        stored = [None] * len(group.members) if kept is None else [kept.load(i) for i in range(len(group.members))]
        for i, trial in enumerate(stored):
            if trial is not None:
                assert kept is not None
                done += len(seeds)
                yield _restored(members[group.members[i]], work, i, trial, kept.keys[i])
        left = [i for i, trial in enumerate(stored) if trial is None]
        states = {i: resume_from[group.members[i]].snapshot if resume_from else None for i in left}
        # A state may be lost: then the member is trained from its start.
        for positions in ([i for i in left if states[i] is not None], [i for i in left if states[i] is None]):
            for i, snapshot in work.train(positions, states, memory, report, (done, total), kept):
                trial = _trial(members[group.members[i]], group.experiment, plan, snapshot)
                if kept is not None:
                    _save(kept, group, plan, members, best, i, snapshot)
                    trial = trial._replace(key=kept.keys[i])
                yield trial
            done += len(positions) * len(seeds)


def _open_group(store: TrialStore, group: Group, plan: Plan, members: Sequence[Member], grad: str) -> GroupStore:
    """The part of a store that has the trials of a group."""
    experiment, chosen = group.experiment, [members[position] for position in group.members]
    digest = data_digest(experiment)
    if store.joined is not None:
        config = chosen[0].config
        check_same_data(store.folder, "python" if config is None else data_table(config), digest)
    keys = tuple(member_key(member, experiment.seeds, grad, digest) for member in chosen)
    own = tuple(own_hyperparameters(member, experiment.source.example, grad) for member in chosen)
    return GroupStore(store, keys, own, plan.epochs, experiment.state_shapes(), experiment.history_shapes())


def _restored(member: Member, work: GroupRows, i: int, stored: StoredTrial, key: str) -> Trial:
    """The trial of a member from what a store has of it."""
    result, snapshot = stored
    if snapshot is not None:
        values = work.job([(i, s) for s in range(len(work.experiment.seeds))]).hyperparameters
        snapshot = with_hyperparameters(snapshot, values)
    history = NO_HISTORY if snapshot is None else snapshot.history
    best_epoch = np.array(result.best_epoch, np.int32)
    return Trial(member, work.experiment, scores_of(result), best_epoch, result.epochs, history, snapshot, key)


def _save(
    kept: GroupStore,
    group: Group,
    plan: Plan,
    members: Sequence[Member],
    best: BestStates | None,
    i: int,
    snapshot: Snapshot,
) -> None:
    """Keeps the trial of a member of a group for all workers, and its state if it may be needed."""
    result = _result(_trial(members[group.members[i]], group.experiment, plan, snapshot))
    needed = best is None or best.admits(result)
    kept.save(i, result, snapshot if needed else None)
    if best is not None:
        best.drop_others()


def _result(trial: Trial) -> Result:
    """What a store keeps of a trial besides its state."""
    assert trial.snapshot is not None
    scores = [None if np.isnan(score) else float(score) for score in trial.score]
    best_epoch = [int(epoch) for epoch in trial.best_epoch]
    steps = trial.snapshot.steps
    return Result(values=trial.member.values, epochs=trial.epochs, steps=steps, score=scores, best_epoch=best_epoch)


def _trial(member: Member, experiment: Experiment, plan: Plan, snapshot: Snapshot) -> Trial:
    state = snapshot.state
    score = plan.sign * np.asarray(state.best.score, np.float64)
    score = np.where(_finite_seeds(snapshot, plan), score, np.nan)
    return Trial(member, experiment, score, np.asarray(state.best.epoch), plan.epochs, snapshot.history, snapshot)


def _finite_seeds(snapshot: Snapshot, plan: Plan) -> np.ndarray:
    """Which seeds are finite: in what was measured until they stopped, and in their parameters."""
    finite = has_score(snapshot.state.best.score)
    for name, values in snapshot.history.train.items():
        if lower_is_better(name):
            stopped = np.arange(values.shape[1]) >= np.asarray(snapshot.state.epoch)[:, None] // plan.eval_every
            finite &= (np.isfinite(values) | stopped).all(axis=1)
    for leaf in jax.tree.leaves(snapshot.state.best.params):
        finite &= np.isfinite(np.asarray(leaf, np.float64)).reshape(len(finite), -1).all(axis=1)
    return finite
