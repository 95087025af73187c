"""NaN, infinity and divergence: the step in which they arise, found by repeating the chunk, and what is done then."""

from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn.engine.chunks import LONGEST
from jaxnn.engine.hooks import Care, Fault
from jaxnn.engine.program import Program
from jaxnn.engine.snapshot import Snapshot, join, on_host
from jaxnn.train.state import History, State

#: A loss so many times that of the first record (or 1, if that is less) has diverged.
DIVERGED = 1e4
#: Steps that a run may pass over.
MOST = 100


class Failing(NamedTuple):
    """The step after `before` makes the seeds that are not `sound`; `state` and `rows` are what it leaves."""

    before: Snapshot
    state: State
    rows: History
    sound: np.ndarray


def find_step(program: Program, good: Snapshot, bad: int) -> Failing:
    """The first step at whose end a seed is not sound, between `good` and the first `bad` steps, by halving."""
    while True:
        count = max(1, (bad - good.steps) // 2)
        if count == 1 and bad - good.steps == 1:
            state, rows, sound = program.walk(program.to_device(good.state), good.steps, 1)
            return Failing(good, on_host(state), rows, sound)
        middle, rows, sound = walk_far(program, good, count)
        if sound.all():
            good = good._replace(steps=good.steps + count, state=middle, history=join(good.history, *rows))
        else:
            bad = good.steps + count


def walk_far(program: Program, start: Snapshot, count: int) -> tuple[State, list[History], np.ndarray]:
    """`count` steps, in as many chunks as their rows need; sound is who was so at the end of each."""
    state, rows, done, end = program.to_device(start.state), [], start.steps, start.steps + count
    sound = np.ones(len(start.history.train.loss), bool)
    record = program.chunks.record
    while done < end:
        some = min(end, (done // record + LONGEST) * record) - done
        state, new, well = program.walk(state, done, some)
        done, sound = done + some, sound & well
        rows.append(new)
    return on_host(state), rows, sound


def handle(program: Program, failing: Failing, care: Care) -> Snapshot:
    """The run after the failing step, as the policy has it. Raises `Fault` where it is `stop`, or after too many."""
    before = failing.before
    per_epoch = program.chunks.record // program.plan.record_every
    step = before.steps % per_epoch
    faults = []
    for seed in np.flatnonzero(~failing.sound):
        own = jax.tree.map(lambda a, i=int(seed): a[i], before.state)
        where = care.diagnose(own, program.of_seed(int(seed)), step)
        epoch = int(own.epoch) + 1
        fault: dict[str, Any] = {"seed": int(seed), "epoch": epoch, "step": step + 1, "where": where}
        faults.append(fault | {"policy": care.on_fault})
    said = "; ".join(f"epoch {f['epoch']}, step {f['step']} of {per_epoch}: {f['where']}" for f in faults)
    if care.on_fault == "stop":
        raise Fault(f"{said}{_growth(before)}; nothing after that step is kept")
    if len(before.faults) + len(faults) > MOST:
        raise Fault(f"{said}; expected at most {MOST} steps to pass over, found more: lower optimizer.learning_rate")
    state = before.state
    kept = care.kept()
    if care.on_fault == "rollback" and kept is not None:
        old = state._replace(params=kept.state.params, optimizer=kept.state.optimizer)
        state = choose(failing.sound, state, old)
    passed, rows, sound = program.pass_over(program.to_device(state), before.steps)
    if not (sound | failing.sound).all():
        raise Fault(f"{said}; it is so without that step too: set train.on_fault to 'rollback', or train anew")
    return Snapshot(
        before.steps + 1,
        choose(failing.sound, failing.state, on_host(passed)),
        join(before.history, choose(failing.sound, failing.rows, rows)),
        (*before.faults, *faults),
        before.seconds,
    )


def choose(which: np.ndarray, yes: Any, no: Any) -> Any:
    """The leaves of `yes` for the seeds that are `which`, else those of `no`."""

    def pick(a, b):
        if isinstance(a, jax.Array):  # keys: no step changes them
            return a
        return np.where(which.reshape(-1, *[1] * (a.ndim - 1)), a, b)

    return jax.tree.map(pick, yes, no)


def _growth(before: Snapshot) -> str:
    """A hint where the losses grew before they became infinite."""
    losses = before.history.train.loss
    seen, counts = before.state.seen.metrics.loss, before.state.seen.counts
    first = losses[:, 0] if losses.shape[1] else seen[:, 0]
    last = np.where(counts, seen, 0).max(axis=1)
    if (last > 10 * np.maximum(first, 1e-30)).any():
        grown = int(np.argmax(last / np.maximum(first, 1e-30)))
        return f"; the loss had grown from {first[grown]:.3g} to {last[grown]:.3g}: lower optimizer.learning_rate"
    return ""


def check_divergence(first: History, newest: History) -> None:
    """Raises `Fault` when the newest training loss is far above the first."""
    begin, end = first.train.loss[:, 0], newest.train.loss[:, -1]
    if (end > DIVERGED * np.maximum(begin, 1)).any():
        worst = int(np.nanargmax(end / np.maximum(begin, 1)))
        raise Fault(
            f"the training diverges: the loss of seed {worst} (counted from 0) grew from {begin[worst]:.3g} to "
            f"{end[worst]:.3g}; lower optimizer.learning_rate"
        )
