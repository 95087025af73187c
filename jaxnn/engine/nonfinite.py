"""NaN, infinity and divergence: the step that produced them is found by repeating the chunk, then the policy acts."""

from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn.engine.chunks import MAX_EVALUATIONS
from jaxnn.engine.hooks import Hooks, NonFiniteError
from jaxnn.engine.program import Program
from jaxnn.engine.snapshot import Snapshot, concatenate_histories, on_host
from jaxnn.metrics import lower_is_better
from jaxnn.quantities import Sum
from jaxnn.train.state import History, State

#: A loss so many times that of the first evaluation (or 1, if that is less) has diverged.
DIVERGED = 1e4
#: Steps that a run may skip.
MAX_SKIPPED = 100


class FailedStep(NamedTuple):
    """The first step that produced NaN or infinity: the snapshot before it, the state and the rows after it, and which
    seeds are still finite."""

    before: Snapshot
    state: State
    rows: History
    finite: np.ndarray


def bisect_step(program: Program, good: Snapshot, bad: int) -> FailedStep:
    """The first step at whose end a seed is not finite, between `good` and the first `bad` steps, by bisection."""
    while True:
        count = max(1, (bad - good.steps) // 2)
        if count == 1 and bad - good.steps == 1:
            state, rows, finite = program.run_steps(program.to_device(good.state), good.steps, 1)
            return FailedStep(good, on_host(state), rows, finite)
        middle, rows, finite = replay(program, good, count)
        if finite.all():
            history = concatenate_histories(good.history, *rows)
            good = good._replace(steps=good.steps + count, state=middle, history=history)
        else:
            bad = good.steps + count


def replay(program: Program, start: Snapshot, count: int) -> tuple[State, list[History], np.ndarray]:
    """`count` steps in as many chunks as their rows and their data need, and which seeds stayed finite throughout."""
    state, rows, done, end = program.to_device(start.state), [], start.steps, start.steps + count
    finite = np.ones(len(program.job.seeds), bool)
    schedule = program.schedule
    while done < end:
        chunk_end = min(end, (done // schedule.eval_steps + MAX_EVALUATIONS) * schedule.eval_steps)
        if schedule.block:
            chunk_end = min(chunk_end, schedule.block_end(done))
        state, new_rows, still_finite = program.run_steps(state, done, chunk_end - done)
        done, finite = chunk_end, finite & still_finite
        rows.append(new_rows)
    return on_host(state), rows, finite


def handle(program: Program, failed: FailedStep, hooks: Hooks) -> Snapshot:
    """The run after the failed step, as the plan's policy has it.

    Raises `NonFiniteError` where the policy is "stop", and after too many skipped steps.
    """
    before, policy, steps = failed.before, program.job.plan.on_nonfinite, program.job.source.steps
    step = before.steps % steps
    faults = []
    for seed in np.flatnonzero(~failed.finite):
        seed_state = jax.tree.map(lambda a, i=int(seed): a[i], before.state)
        place = program.job.diagnose(seed_state, int(seed), step)
        fault: dict[str, Any] = {"seed": int(seed), "epoch": int(seed_state.epoch) + 1, "step": step + 1}
        faults.append(fault | {"where": place, "policy": policy})
    message = "; ".join(f"epoch {f['epoch']}, step {f['step']} of {steps}: {f['where']}" for f in faults)
    if policy == "stop":
        raise NonFiniteError(f"{message}{_divergence_hint(before)}; nothing after that step is saved")
    if len(before.faults) + len(faults) > MAX_SKIPPED:
        raise NonFiniteError(
            f"{message}; expected at most {MAX_SKIPPED} skipped steps, found more: lower optimizer.learning_rate"
        )
    state, saved = before.state, hooks.last_saved()
    if policy == "rollback" and saved is not None:
        state = select_seeds(failed.finite, state, state._replace(update=saved.state.update))
    skipped, rows, finite = program.skip_step(program.to_device(state), before.steps)
    if not (finite | failed.finite).all():
        raise NonFiniteError(
            f"{message}; skipping the step does not help: set train.on_nonfinite = 'rollback' or start a new run"
        )
    return Snapshot(
        before.steps + 1,
        select_seeds(failed.finite, failed.state, on_host(skipped)),
        concatenate_histories(before.history, select_seeds(failed.finite, failed.rows, rows)),
        (*before.faults, *faults),
        before.seconds,
    )


def select_seeds(which: np.ndarray, yes: Any, no: Any) -> Any:
    """The leaves of `yes` for the seeds that `which` selects, those of `no` for the others."""

    def select(a, b):
        if isinstance(a, jax.Array):  # keys: no step changes them
            return a
        return np.where(which.reshape(-1, *[1] * (a.ndim - 1)), a, b)

    return jax.tree.map(select, yes, no)


def _loss(metrics: dict[str, Any]) -> Any:
    """The first quantity that training makes small; None where there is none."""
    return next((values for name, values in metrics.items() if lower_is_better(name)), None)


def _divergence_hint(before: Snapshot) -> str:
    """A hint where the losses grew before they became infinite."""
    means = {name: quantity for name, quantity in before.state.sums.items() if isinstance(quantity, Sum)}
    measured, evaluated = _loss(means), _loss(before.history.train)
    if measured is None or evaluated is None:
        return ""
    counted = measured.count > 0
    step_loss = measured.total / np.where(counted, measured.count, 1)
    first = evaluated[:, 0] if evaluated.shape[1] else step_loss[:, 0]
    last = np.where(counted, step_loss, 0).max(axis=1)
    growth = last / np.maximum(first, 1e-30)
    if (growth > 10).any():
        seed = int(np.argmax(growth))
        return f"; the loss had grown from {first[seed]:.3g} to {last[seed]:.3g}: lower optimizer.learning_rate"
    return ""


def check_divergence(first: History, newest: History) -> None:
    """Raises `NonFiniteError` when the newest training loss is far above the first."""
    begin, end = _loss(first.train), _loss(newest.train)
    if begin is None or end is None:
        return
    begin, end = begin[:, 0], end[:, -1]
    if (end > DIVERGED * np.maximum(begin, 1)).any():
        worst = int(np.nanargmax(end / np.maximum(begin, 1)))
        raise NonFiniteError(
            f"the training diverges: the loss of seed {worst} (counted from 0) grew from {begin[worst]:.3g} to "
            f"{end[worst]:.3g}; lower optimizer.learning_rate"
        )
