"""Members of a sweep trained as few programs: one for all that differ in numbers alone, in parts that fit the memory.

A member with one of its seeds is a *row*: what a plain run has for each seed, a sweep has for each row, so that every
row is computed as it would be alone.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn.config import build_optimizer
from jaxnn.config.bind import settings_of, step_of, training_of_step
from jaxnn.config.experiment import Experiment, device_data
from jaxnn.engine.driver import Progress, run_live
from jaxnn.engine.hooks import Care
from jaxnn.engine.parallel import How, how_here
from jaxnn.engine.program import Compiled
from jaxnn.engine.snapshot import Snapshot, is_key, on_host
from jaxnn.sweep.groups import Group, groups
from jaxnn.sweep.members import Member
from jaxnn.train.plan import Plan
from jaxnn.train.run import Training
from jaxnn.train.second_order import memory_bytes
from jaxnn.train.state import History

#: Of the memory that there is, what a program may take: the rest is for the data and the copies of this process.
SHARE = 0.6


class Trial(NamedTuple):
    """What came of a member. Arrays have a leading axis of seeds.

    experiment: of the first member that it shares a program with, on the same data
    score: the metric of train.best, of the best parameters; NaN where the seed diverged
    history: the rows of its records
    kept: the run as it stands, which can go on; None where it was let go
    """

    member: Member
    experiment: Experiment
    score: np.ndarray
    best_epoch: np.ndarray
    epochs: int
    history: History
    kept: Snapshot | None

    @property
    def diverged(self) -> int:
        """How many seeds did."""
        return int(np.isnan(self.score).sum())

    @property
    def merit(self) -> float:
        """The mean score over the seeds, larger for a better one; −∞ where one diverged."""
        mean = float(self.score.mean())
        sign = 1 if self.experiment.plan.best_metric == "accuracy" else -1
        return -np.inf if np.isnan(mean) else sign * mean


def train(
    members: Sequence[Member],
    seeds: Sequence[int],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    grad: str = "hand",
    epochs: int | None = None,
    begun: Sequence[Trial] | None = None,
    how: How | None = None,
    memory: int | None = None,
    loaded: dict[str, Experiment] | None = None,
    report: Callable[[int, int, Progress], None] = lambda done, rows, progress: None,
) -> Iterator[Trial]:
    """Trains every member with every seed; gives each as soon as it is trained, group by group.

    epochs: how long, in place of the config's
    begun: trials of the same members, which go on: no bit depends on where they stood still
    memory: bytes that a program may take (default: of what there is)
    loaded: data that need not be loaded again, as `groups` keeps them
    report(rows done, rows of all, where the present ones stand)
    """
    memory = int(SHARE * memory_bytes()) if memory is None else memory
    rows, done = len(members) * len(seeds), 0
    for group in groups(members, seeds, data_dir=data_dir, grad=grad, loaded=loaded):
        experiment = group.experiment
        plan = experiment.plan if epochs is None else experiment.plan._replace(epochs=epochs)
        way = how or how_here(build_optimizer(experiment.config))
        training = training_of_step(step_of(experiment.config, group.names, grad))
        work = _Work(experiment, training, group, members, plan, way)
        place = [(member, s) for member in group.members for s in range(len(seeds))]
        size = rows_at_once(work.bytes, len(place), memory, 1 if way == "one_device" else jax.local_device_count())
        waiting: list[Snapshot] = []
        for start in range(0, len(place), size):
            some = place[start : start + size]
            at = done

            def told(progress: Progress, at: int = at) -> None:
                report(at, rows, progress)

            waiting += work.run(some, size, begun, told)
            done += len(some)
            while len(waiting) >= len(seeds):
                own, waiting = waiting[: len(seeds)], waiting[len(seeds) :]
                member = members[group.members[(start + len(some) - len(waiting)) // len(seeds) - 1]]
                yield _trial(member, experiment, plan, _together(own))


class _Work(NamedTuple):
    """What rows of one group have in common."""

    experiment: Experiment
    training: Training
    group: Group
    members: Sequence[Member]
    plan: Plan
    how: How

    @property
    def stacked(self) -> bool:
        return len(self.experiment.splits) > 1

    def inputs(self, place: Sequence[tuple[int, int]]) -> tuple[dict[str, np.ndarray], Any]:
        """The settings of rows, and their data."""
        own = [settings_of(self.members[member].config, self.group.names) for member, _ in place]
        settings = {name: np.stack([values[name] for values in own]) for name in self.group.names}
        data = device_data(self.experiment)
        seeds = np.array([s for _, s in place])
        return settings, jax.tree.map(lambda a: a[seeds], data) if self.stacked else data

    def bytes(self, n: int) -> int:
        """Memory that a program of `n` rows takes, as the compiler says."""
        place = [(self.group.members[0], 0)]
        settings, data = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), self.inputs(place))

        def grown(tree):
            return jax.tree.map(lambda a: jax.ShapeDtypeStruct((n, *a.shape[1:]), a.dtype), tree)

        data = grown(data) if self.stacked else data
        compiled = Compiled(self.training, n, grown(settings), data, self.stacked, self.how)
        return compiled.chunk("part").bytes

    def run(
        self,
        place: Sequence[tuple[int, int]],
        size: int,
        begun: Sequence[Trial] | None,
        report: Callable[[Progress], None],
    ) -> list[Snapshot]:
        """Trains rows, as a program of `size`: the last is repeated where there are fewer."""
        n = len(place)
        place = [*place, *[place[-1]] * (size - n)]
        settings, data = self.inputs(place)
        start = None
        if begun is not None:
            start = _together([_cut(kept, s) for member, s in place if (kept := begun[member].kept) is not None])
        outcome = run_live(
            self.training,
            data,
            [self.experiment.seeds[s] for _, s in place],
            self.plan,
            settings=settings,
            how=self.how,
            stacked_data=self.stacked,
            report=report,
            begun=start,
            care=Care(on_fault="let"),
        )
        whole = Snapshot(outcome.steps, on_host(outcome.state), outcome.history, (), outcome.seconds)
        return [_cut(whole, i) for i in range(n)]


def rows_at_once(needed: Callable[[int], int], n: int, memory: int, devices: int) -> int:
    """How many of `n` rows one program takes: as many on each device, no more than fit by what programs are `needed`
    to have, and the same number in every part."""
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


def _cut(whole: Snapshot, i: int) -> Snapshot:
    """One row, still with the axis."""
    state, history = jax.tree.map(lambda a: a[i : i + 1], (whole.state, whole.history))
    return whole._replace(state=state, history=history)


def _together(rows: Sequence[Snapshot]) -> Snapshot:
    keys = jax.tree.map(lambda a: jax.random.key_data(a) if is_key(a) else a, [(r.state, r.history) for r in rows])
    joined = jax.tree.map(lambda *a: np.concatenate(a), *keys)
    like = rows[0].state, rows[0].history
    state, history = jax.tree.map(
        lambda a, b: jax.random.wrap_key_data(a, impl=jax.random.key_impl(b)) if is_key(b) else a, joined, like
    )
    return rows[0]._replace(state=state, history=history)


def _trial(member: Member, experiment: Experiment, plan: Plan, kept: Snapshot) -> Trial:
    state, sign = kept.state, 1 if plan.best_metric == "accuracy" else -1
    score = sign * np.asarray(state.best.score, np.float64)
    score = np.where(_sound(kept, plan), score, np.nan)
    return Trial(member, experiment, score, np.asarray(state.best.epoch), plan.epochs, kept.history, kept)


def _sound(kept: Snapshot, plan: Plan) -> np.ndarray:
    """Which seeds are finite: in what was measured until they stopped, and in their parameters."""
    losses = kept.history.train.loss
    stopped = np.arange(losses.shape[1]) >= np.asarray(kept.state.epoch)[:, None] // plan.record_every
    sound = (np.isfinite(losses) | stopped).all(axis=1) & np.isfinite(np.asarray(kept.state.best.score, np.float64))
    for leaf in jax.tree.leaves(kept.state.params):
        sound &= np.isfinite(np.asarray(leaf, np.float64)).reshape(len(sound), -1).all(axis=1)
    return sound
