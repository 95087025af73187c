"""A compiled run that reports while it goes on: the same program, called for a few steps at a time."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.engine.chunks import Chunks
from jaxnn.engine.hooks import Care
from jaxnn.engine.nonfinite import check_divergence, find_step, handle
from jaxnn.engine.out_of_memory import named
from jaxnn.engine.parallel import How
from jaxnn.engine.program import Program
from jaxnn.engine.snapshot import Snapshot, join, on_host
from jaxnn.train.plan import Data, Plan
from jaxnn.train.run import Training
from jaxnn.train.state import History, Settings, State

#: A copy of the state for the case of a fault may take this share of the time.
COPYING = 0.01


class Progress(NamedTuple):
    """Where a run stands: records done and planned, seconds since the first step, and the newest row of the history."""

    done: int
    records: int
    seconds: float
    history: History


class Outcome(NamedTuple):
    """A run; every leaf has a leading axis of seeds, the history's then one of records, as numpy arrays.

    steps: how many were taken; finished: whether the run was not told to leave before its end
    faults: what went wrong and was passed over
    """

    state: State
    history: History
    compile_seconds: float
    seconds: float
    steps: int = 0
    finished: bool = True
    faults: tuple[dict[str, Any], ...] = ()


def run_live(
    training: Training,
    data: Data,
    seeds: Sequence[int],
    plan: Plan,
    *,
    settings: Settings | None = None,
    how: How = "in_turn",
    stacked_data: bool = False,
    report: Callable[[Progress], None] = lambda progress: None,
    begun: Snapshot | None = None,
    care: Care | None = None,
) -> Outcome:
    """The runs of `seeds`, as one program, reported to `report` about once a second.

    settings: each of them with a number for each seed, as the training binds them
    stacked_data: every leaf of `data` has a leading axis of seeds
    begun: goes on from here; what comes of it does not depend, in any bit, on where a run was cut
    Raises `Fault` for NaN, infinity or divergence (see `Care`), `UserError` when the memory does not suffice.
    """
    care = care or Care()
    n, examples = len(seeds), data.train.y.shape[1 if stacked_data else 0]
    per_epoch = plan.steps(examples)
    chunks = Chunks(plan.epochs * per_epoch, plan.record_every * per_epoch, care.every, care.pause)
    with named(plan, n):
        keys = jax.vmap(jax.random.key)(jnp.asarray(seeds, jnp.uint32))
        started = time.perf_counter()
        program = Program(training, keys, settings or {}, data, stacked_data, how, plan, chunks)
        compile_seconds = time.perf_counter() - started
        first = program.first()
        now = begun or Snapshot(0, on_host(first), program.no_rows)
        state = first if begun is None else program.to_device(begun.state)
        del first
        if begun is None:
            care.keep(now)

        safe, rows, done, pace = now, [now.history], now.steps, None
        before, copied, copy_seconds = now.seconds, time.perf_counter(), 0.0
        began = time.perf_counter()
        stopped = _stopped(now.state, plan)
        while done < chunks.total and not stopped:
            chunk = time.perf_counter()
            count = chunks.next(done, pace)
            state, new, sound = program.walk(state, done, count)
            pace = (time.perf_counter() - chunk) / count
            done += count
            rows.append(new)
            if not sound.all() and care.on_fault != "let":
                failing = find_step(program, safe, done)
                safe = handle(program, failing, care)
                state, done, rows = program.to_device(safe.state), safe.steps, [safe.history]
            seconds = before + time.perf_counter() - began
            newest = [part for part in rows if part.train.loss.shape[1]]
            if newest and care.on_fault != "let":
                check_divergence(newest[0], newest[-1])
            if new.train.loss.shape[1]:
                row = jax.tree.map(lambda a: a[:, -1], new)
                report(Progress(done // chunks.record, plan.records, seconds, row))
            stopped = _stopped(state, plan)
            leaving, due = care.leave(), care.due(done) or done == chunks.total or stopped
            aside = time.perf_counter()
            if leaving or due or aside - copied > copy_seconds / COPYING:
                rows = [join(*rows)]
                safe = Snapshot(done, on_host(state), rows[0], safe.faults, seconds)
                copied = time.perf_counter()
                copy_seconds = copied - aside
            if leaving or due:
                care.keep(safe)
            if leaving:
                break
        state = jax.block_until_ready(state)
    seconds = before + time.perf_counter() - began
    finished = stopped or done == chunks.total
    return Outcome(state, join(*rows), compile_seconds, seconds, done, finished, safe.faults)


def _stopped(state: State, plan: Plan) -> bool:
    """Whether patience has ended every seed's run."""
    if plan.patience is None:
        return False
    whole = np.asarray(state.epoch) // plan.record_every * plan.record_every == np.asarray(state.epoch)
    return bool((whole & (np.asarray(state.epoch) - np.asarray(state.best.epoch) > plan.patience)).all())
