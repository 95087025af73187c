"""The rows of a group of members: trained as one program, in parts that fit the memory.

A member with one of its seeds is a *row*. A plain run has a row for each seed; a sweep has one for each member and
seed, so every row is computed as it would be alone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn.engine.compiled_run import CompiledRun
from jaxnn.engine.driver import drive
from jaxnn.engine.hooks import Hooks, Progress
from jaxnn.engine.job import Job
from jaxnn.engine.snapshot import Snapshot, is_key, on_host
from jaxnn.experiment.definition import Experiment
from jaxnn.kernels.devices import local_devices, memory_bytes
from jaxnn.storage.claims import OvertakenError
from jaxnn.sweep.groups import Group
from jaxnn.sweep.store import GroupStore
from jaxnn.train.plan import Plan
from jaxnn.train.run import Data

#: The share of the memory that a program may take: the rest is for the data and the copies of this process.
MEMORY_SHARE = 0.6
#: Rows of a program that computes them one after the other. More gain nothing: each call of the program begins with the
#: order of the examples of every row. 4,000 rows of a small net took 3.5 times as long as parts of 128 of them.
MOST_IN_SEQUENCE = 128


class GroupRows(NamedTuple):
    """What the rows of one group have in common. A row is (position in the group, position of the seed)."""

    experiment: Experiment
    group: Group
    plan: Plan

    def job(self, rows: Sequence[tuple[int, int]]) -> Job:
        """The job of some rows."""
        job = self.experiment.job()
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
        data = Data(*(grow(part) if own else part for part, own in zip(data, job.stacked_data, strict=True)))
        compiled = CompiledRun(
            job.training, n, grow(job.hyperparameters), data, job.stacked_data, job.seed_strategy(), job.sharing
        )
        return compiled.chunk("learn").bytes

    def train(
        self,
        positions: Sequence[int],
        states: Mapping[int, Snapshot | None],
        memory: int | None,
        report: Callable[[int, int, Progress], None],
        progress: tuple[int, int],
        kept: GroupStore | None,
        size: int | None = None,
    ) -> Iterator[tuple[int, Snapshot]]:
        """Trains the members at some positions, in parts that fit the memory; yields each as soon as it is trained.

        states: where each of them starts; None: at its first step
        memory: bytes that a program may take; None: of the device's, the share that is free for it
        progress: rows that are done before, rows of all
        size: rows of a program, whatever the memory is
        """
        if not positions:
            return
        (done, total), n_seeds = progress, len(self.experiment.seeds)
        rows = [(i, s) for i in positions for s in range(n_seeds)]
        if size is None:
            strategy = self.job(rows[:1]).seed_strategy()
            devices = 1 if strategy == "one_device" else len(local_devices())
            memory = int(MEMORY_SHARE * memory_bytes()) if memory is None else memory
            most = len(rows) if strategy == "vectorized" else min(len(rows), MOST_IN_SEQUENCE)
            size = rows_at_once(self.bytes, most, memory, devices)
        finished: list[Snapshot] = []
        for start in range(0, len(rows), size):
            chunk = rows[start : start + size]

            def report_chunk(progress: Progress, done: int = done) -> None:
                report(done, total, progress)

            finished += self.run(chunk, size, states, report_chunk, kept)
            done += len(chunk)
            while len(finished) >= n_seeds:
                member_rows, finished = finished[:n_seeds], finished[n_seeds:]
                position = (start + len(chunk) - len(finished)) // n_seeds - 1
                yield positions[position], stack_rows(member_rows)

    def run(
        self,
        rows: Sequence[tuple[int, int]],
        size: int,
        states: Mapping[int, Snapshot | None],
        report: Callable[[Progress], None],
        kept: GroupStore | None,
    ) -> list[Snapshot]:
        """Trains rows as a program of `size`: the last row is repeated where there are fewer."""
        n = len(rows)
        rows = [*rows, *[rows[-1]] * (size - n)]
        snapshots = [(states[i], s) for i, s in rows]
        begun = [slice_row(snapshot, s) for snapshot, s in snapshots if snapshot is not None]
        start = stack_rows(begun) if begun else None
        hooks = Hooks()
        if kept is not None:
            hooks, newest = kept.running(rows)
            start = start if newest is None else newest
        outcome = drive(self.job(rows), hooks._replace(report=report), start)
        if not outcome.finished:
            raise OvertakenError("these members were taken over by another worker, because this one was silent")
        whole = Snapshot(outcome.steps, on_host(outcome.state), outcome.history, outcome.faults, outcome.seconds)
        return [slice_row(whole, i) for i in range(n)]


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


def slice_row(whole: Snapshot, i: int) -> Snapshot:
    """One row, still with the axis."""
    state, history = jax.tree.map(lambda a: a[i : i + 1], (whole.state, whole.history))
    return whole._replace(state=state, history=history)


def stack_rows(rows: Sequence[Snapshot]) -> Snapshot:
    """Rows as one snapshot."""
    plain = jax.tree.map(lambda a: jax.random.key_data(a) if is_key(a) else a, [(r.state, r.history) for r in rows])
    joined = jax.tree.map(lambda *a: np.concatenate(a), *plain)
    like = rows[0].state, rows[0].history
    state, history = jax.tree.map(
        lambda a, b: jax.random.wrap_key_data(a, impl=jax.random.key_impl(b)) if is_key(b) else a, joined, like
    )
    return rows[0]._replace(state=state, history=history)
