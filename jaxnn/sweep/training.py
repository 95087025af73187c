"""Members of a sweep trained as few programs: one for all that differ in numbers alone, in parts that fit the memory.

A member with one of its seeds is a *row*. A plain run has a row for each seed; a sweep has one for each member and
seed, so every row is computed as it would be alone.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn.config.experiment import LoadedData
from jaxnn.engine.driver import drive
from jaxnn.engine.hooks import Hooks, Progress
from jaxnn.engine.job import Job
from jaxnn.engine.parallel import SeedStrategy
from jaxnn.engine.program import CompiledRun
from jaxnn.engine.snapshot import Snapshot, is_key, on_host
from jaxnn.experiment.definition import Experiment
from jaxnn.kernels.devices import local_devices, memory_bytes
from jaxnn.metrics import lower_is_better
from jaxnn.sweep.groups import Group, groups
from jaxnn.sweep.members import Member
from jaxnn.train.plan import Plan
from jaxnn.train.state import History, has_score

#: The share of the memory that a program may take: the rest is for the data and the copies of this process.
MEMORY_SHARE = 0.6


class Trial(NamedTuple):
    """What came of a member. Arrays have a leading axis of seeds.

    experiment: of the first member that it shares a program with, on the same data
    score: the metric of train.best, of the best parameters; NaN where the seed diverged
    history: the rows of its evaluations
    snapshot: the run as it is, which can continue; None where it was dropped
    """

    member: Member
    experiment: Experiment
    score: np.ndarray
    best_epoch: np.ndarray
    epochs: int
    history: History
    snapshot: Snapshot | None

    @property
    def diverged(self) -> int:
        """How many seeds diverged."""
        return int(np.isnan(self.score).sum())

    @property
    def objective(self) -> float:
        """The mean score over the seeds, larger for a better one; −∞ where one diverged."""
        mean = float(self.score.mean())
        return -np.inf if np.isnan(mean) else self.experiment.plan.sign * mean


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
    report: Callable[[int, int, Progress], None] = lambda done, rows, progress: None,
) -> Iterator[Trial]:
    """Trains every member with every seed; yields each as soon as it is trained, group by group.

    epochs: how long, in place of the plan's
    resume_from: trials of the same members, which continue; where a run was cut changes no bit
    memory: bytes that a program may take (default: a share of the device's)
    loaded: data that need not be loaded again, as `groups` fills it
    report(rows done, rows of all, progress of the current rows)
    """
    memory = int(MEMORY_SHARE * memory_bytes()) if memory is None else memory
    total, done = len(members) * len(seeds), 0
    for group in groups(members, seeds, data_dir=data_dir, grad=grad, loaded=loaded):
        experiment = group.experiment
        plan = experiment.plan if epochs is None else experiment.plan._replace(epochs=epochs)
        work = _Work(experiment, group, plan._replace(on_nonfinite="ignore"), strategy)
        rows = [(i, s) for i in range(len(group.members)) for s in range(len(seeds))]
        devices = 1 if work.job(rows[:1]).seed_strategy() == "one_device" else len(local_devices())
        size = rows_at_once(work.bytes, len(rows), memory, devices)
        finished: list[Snapshot] = []
        for start in range(0, len(rows), size):
            chunk = rows[start : start + size]

            def report_chunk(progress: Progress, done: int = done) -> None:
                report(done, total, progress)

            finished += work.run(chunk, size, resume_from, report_chunk)
            done += len(chunk)
            while len(finished) >= len(seeds):
                member_rows, finished = finished[: len(seeds)], finished[len(seeds) :]
                position = (start + len(chunk) - len(finished)) // len(seeds) - 1
                member = members[group.members[position]]
                yield _trial(member, experiment, plan, _stack_rows(member_rows))


class _Work(NamedTuple):
    """What the rows of one group have in common. A row is (position in the group, position of the seed)."""

    experiment: Experiment
    group: Group
    plan: Plan
    strategy: SeedStrategy | None

    def job(self, rows: Sequence[tuple[int, int]]) -> Job:
        """The job of some rows."""
        job = self.experiment.job(self.strategy)
        positions = np.array([s for _, s in rows])
        values = {
            name: np.array([self.group.values[i][name] for i, _ in rows], array.dtype)
            for name, array in job.hyperparameters.items()
        }
        job = job._replace(
            plan=self.plan, hyperparameters=values, seeds=tuple(self.experiment.seeds[s] for s in positions)
        )
        if not job.stacked:
            return job

        def take(tree: Any) -> Any:
            return jax.tree.map(lambda a: np.asarray(a)[positions], tree)

        source, load = job.source, job.source.load
        return job._replace(
            source=source._replace(load=lambda *where: take(load(*where)), stats=take(source.stats)),
            validation=take(job.validation),
        )

    def bytes(self, n: int) -> int:
        """Memory that a program of n rows takes, by the compiler's figures."""
        job = self.job([(0, 0)])

        def grow(tree: Any) -> Any:
            return jax.tree.map(lambda a: jax.ShapeDtypeStruct((n, *a.shape[1:]), a.dtype), tree)

        data = job.data()
        data = grow(data) if job.stacked else data
        compiled = CompiledRun(job.training, n, grow(job.hyperparameters), data, job.stacked, job.seed_strategy())
        return compiled.chunk("learn").bytes

    def run(
        self,
        rows: Sequence[tuple[int, int]],
        size: int,
        resume_from: Sequence[Trial] | None,
        report: Callable[[Progress], None],
    ) -> list[Snapshot]:
        """Trains rows as a program of `size`: the last row is repeated where there are fewer."""
        n = len(rows)
        rows = [*rows, *[rows[-1]] * (size - n)]
        start = None
        if resume_from is not None:
            trials = [resume_from[self.group.members[i]] for i, _ in rows]
            snapshots = [trial.snapshot for trial in trials]
            start = _stack_rows(
                [_slice_row(kept, s) for kept, (_, s) in zip(snapshots, rows, strict=True) if kept is not None]
            )
        outcome = drive(self.job(rows), Hooks(report=report), start)
        whole = Snapshot(outcome.steps, on_host(outcome.state), outcome.history, (), outcome.seconds)
        return [_slice_row(whole, i) for i in range(n)]


def rows_at_once(needed: Callable[[int], int], n: int, memory: int, devices: int) -> int:
    """How many of n rows one program takes: equally many on each device, as many as fit into the memory, and the same
    number in every part. needed(rows) -> the bytes of a program of so many."""
    most = _whole(n, devices)
    if needed(most) > memory:
        few = min(devices, most)
        slope = (needed(2 * few) - needed(few)) / few
        room = int((memory - needed(few)) / max(slope, 1)) + few
        most = room // devices * devices if room >= devices else max(1, room)
    parts = -(-n // most)
    return _whole(-(-n // parts), devices) if most >= devices else most


def _whole(n: int, devices: int) -> int:
    """At least `n`, as many for each device; no more where there is less than one for each."""
    return n if n <= devices else -(-n // devices) * devices


def _slice_row(whole: Snapshot, i: int) -> Snapshot:
    """One row, still with the axis."""
    state, history = jax.tree.map(lambda a: a[i : i + 1], (whole.state, whole.history))
    return whole._replace(state=state, history=history)


def _stack_rows(rows: Sequence[Snapshot]) -> Snapshot:
    """Rows as one snapshot."""
    plain = jax.tree.map(lambda a: jax.random.key_data(a) if is_key(a) else a, [(r.state, r.history) for r in rows])
    joined = jax.tree.map(lambda *a: np.concatenate(a), *plain)
    like = rows[0].state, rows[0].history
    state, history = jax.tree.map(
        lambda a, b: jax.random.wrap_key_data(a, impl=jax.random.key_impl(b)) if is_key(b) else a, joined, like
    )
    return rows[0]._replace(state=state, history=history)


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
