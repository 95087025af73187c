"""A compiled run that reports while it goes on: the same program, called for a few records at a time."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.train.plan import Data, Plan
from jaxnn.train.run import History, State, Training
from jaxnn.train.seeds import How, over_seeds

#: Seconds between two reports: a chunk's start and end cost about a millisecond.
PAUSE = 0.25
#: Records that one call can do: the length of its history's buffer.
LONGEST = 64


class Progress(NamedTuple):
    """Where a run stands: records done and planned, seconds since the first step, and the newest row of the history."""

    done: int
    records: int
    seconds: float
    history: History


class Outcome(NamedTuple):
    """A finished run; every leaf has a leading axis of seeds, the history's then one of records, as numpy arrays."""

    state: State
    history: History
    compile_seconds: float
    seconds: float


def run_live(
    training: Training,
    data: Data,
    seeds: Sequence[int],
    plan: Plan,
    *,
    how: How = "in_turn",
    stacked_data: bool = False,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Outcome:
    """The runs of `seeds`, as one program, reported to `report` about four times a second.

    stacked_data: every leaf of `data` has a leading axis of seeds
    """
    n = len(seeds)
    keys = jax.vmap(jax.random.key)(jnp.asarray(seeds, jnp.uint32))
    began = time.perf_counter()
    init = jax.jit(over_seeds(training.init, n, (True, stacked_data), how))
    length = min(plan.records, LONGEST)

    def advance(state, data, count):
        return training.advance(state, data, count, length)

    # The state is given up to the next one: training needs no second copy of the parameters.
    step = jax.jit(over_seeds(advance, n, (True, stacked_data, False), how), donate_argnums=0)
    state = init(keys, data)
    compiled = step.lower(state, data, jnp.int32(1)).compile()
    compile_seconds = time.perf_counter() - began

    rows: list[History] = []
    done, count, began = 0, 1, time.perf_counter()
    while done < plan.records:
        chunk = time.perf_counter()
        state, history = compiled(state, data, jnp.int32(count))
        rows.append(jax.tree.map(lambda a, n=count: np.asarray(a)[:, :n], history))
        done += count
        now = time.perf_counter()
        report(Progress(done, plan.records, now - began, jax.tree.map(lambda a: a[:, -1], rows[-1])))
        if _stopped(state, plan):
            break
        pace = (now - chunk) / count
        count = max(1, min(length, plan.records - done, int(PAUSE / pace)))
    history = jax.tree.map(lambda *parts: np.concatenate(parts, axis=1), *rows)
    return Outcome(jax.block_until_ready(state), history, compile_seconds, time.perf_counter() - began)


def _stopped(state: State, plan: Plan) -> bool:
    """Whether patience has ended every seed's run."""
    waited: Any = state.epoch - state.best.epoch
    return plan.patience is not None and bool((waited > plan.patience).all())
