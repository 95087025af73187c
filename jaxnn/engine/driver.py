"""Drives a compiled run: calls its program a chunk of steps at a time, and the hooks in between."""

import time
from contextlib import ExitStack
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn.engine.chunks import ChunkSchedule
from jaxnn.engine.hooks import Hooks, Progress
from jaxnn.engine.job import Job
from jaxnn.engine.nonfinite import bisect_step, check_divergence, handle
from jaxnn.engine.out_of_memory import SMALLER, explained
from jaxnn.engine.program import Program
from jaxnn.engine.snapshot import Snapshot, addressable, concatenate_histories, on_host, rows_of
from jaxnn.errors import plural
from jaxnn.train.plan import Plan
from jaxnn.train.state import History, State

#: Copies of the state, from which a step with NaN is searched, may take this share of the time.
SNAPSHOT_TIME_SHARE = 0.01


class Outcome(NamedTuple):
    """A run. Every leaf has a leading axis of seeds, the history's then one of evaluations, as NumPy arrays.

    steps: how many were run; finished: whether the run was not stopped before its end
    faults: steps with NaN or infinity that were skipped
    """

    state: State
    history: History
    compile_seconds: float
    seconds: float
    steps: int = 0
    finished: bool = True
    faults: tuple[dict[str, Any], ...] = ()


def drive(job: Job, hooks: Hooks | None = None, resume_from: Snapshot | None = None) -> Outcome:
    """The runs of the job's seeds, as one program, reported about once a second.

    resume_from: continues there; where a run was cut changes no bit of its result. It is saved unless the hooks have
        saved the run before
    Raises `NonFiniteError` for NaN, infinity or divergence, unless the plan's policy is another; `UserError` when the
    memory does not suffice.
    """
    hooks, plan = hooks or Hooks(), job.plan
    schedule = ChunkSchedule(
        plan.epochs * job.source.steps, job.eval_steps, hooks.every, job.source.block, job.source.steps, hooks.seconds
    )
    with explained(*_step_memory(job)), ExitStack() as end:
        compile_started = time.perf_counter()
        program = Program(job, schedule)
        end.callback(program.close)
        compile_seconds = time.perf_counter() - compile_started
        first = program.first()
        start = resume_from or Snapshot(0, on_host(first), program.no_rows)
        state = first if resume_from is None else program.to_device(start.state)
        del first
        if hooks.last_saved() is None:
            hooks.save(start)

        snapshot, rows, done, seconds_per_step = start, [start.history], start.steps, None
        copied_at, copy_seconds = time.perf_counter(), 0.0
        started = time.perf_counter()
        stopped = _stopped(start.state, plan)
        hooks.watch(addressable(state), done)
        while done < schedule.total and not stopped:
            count = min(schedule.next(done, seconds_per_step), max(1, hooks.most_steps(done)))
            (count,) = hooks.agree((count,))
            chunk_started = time.perf_counter()
            state, new_rows, finite = program.run_steps(state, done, count)
            seconds_per_step = (time.perf_counter() - chunk_started) / count
            done += count
            rows.append(new_rows)
            if not finite.all() and plan.on_nonfinite != "ignore":
                snapshot = handle(program, bisect_step(program, snapshot, done), hooks)
                state, done, rows = program.to_device(snapshot.state), snapshot.steps, [snapshot.history]
            seconds = start.seconds + time.perf_counter() - started
            evaluated = [part for part in rows if rows_of(part)]
            if evaluated and plan.on_nonfinite != "ignore":
                check_divergence(evaluated[0], evaluated[-1])
            if rows_of(new_rows):
                newest = jax.tree.map(lambda a: a[:, -1], new_rows)
                hooks.report(Progress(done // schedule.eval_steps, plan.evaluations, seconds, newest))
            hooks.watch(addressable(state), done)
            stopped = _stopped(state, plan)
            stopping = hooks.should_stop()
            saving = hooks.should_save(done) or done == schedule.total or stopped or stopping
            now = time.perf_counter()
            copying = saving or now - copied_at > copy_seconds / SNAPSHOT_TIME_SHARE
            stopping, saving, copying = map(bool, hooks.agree((stopping, saving, copying)))
            if copying:
                rows = [concatenate_histories(*rows)]
                snapshot = Snapshot(done, on_host(state), rows[0], snapshot.faults, seconds)
                copied_at = time.perf_counter()
                copy_seconds = copied_at - now
            if saving:
                hooks.save(snapshot)
            if stopping:
                break
        state = addressable(jax.block_until_ready(state))
    seconds = start.seconds + time.perf_counter() - started
    finished = stopped or done == schedule.total
    return Outcome(state, concatenate_histories(*rows), compile_seconds, seconds, done, finished, snapshot.faults)


def _step_memory(job: Job) -> tuple[str, str]:
    """What a step does, and what to lower where the memory does not suffice."""
    seeds, full_batch = len(job.seeds), job.source.constant
    size = jax.tree.leaves(job.source.example)[0].shape[0]
    batch = "the whole training part" if full_batch else plural(size, "example")
    lower = "set train.batch_size" if full_batch else "lower train.batch_size"
    fewer = "train fewer seeds at once, " if seeds > 1 else ""
    return f"a step on {batch}, {plural(seeds, 'seed')}", f"{lower}, {fewer}{SMALLER}"


def _stopped(state: State, plan: Plan) -> bool:
    """Whether patience has ended every seed's run."""
    if plan.patience is None:
        return False
    state = addressable(state)
    epoch = np.asarray(state.epoch)
    return bool(((epoch % plan.eval_every == 0) & (epoch - np.asarray(state.best.epoch) > plan.patience)).all())
