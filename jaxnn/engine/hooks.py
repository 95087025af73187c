"""Callbacks of a running training: when to save, when to stop, what to report."""

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxnn.engine.chunks import SECONDS_PER_CHUNK
from jaxnn.engine.snapshot import Snapshot
from jaxnn.errors import UserError
from jaxnn.train.state import History, State


class NonFiniteError(UserError):
    """NaN, infinity or divergence in a run: where it arose and what to do."""


class Progress(NamedTuple):
    """How far a run is: evaluations done and planned, seconds since the first step, the newest row of the history."""

    done: int
    evaluations: int
    seconds: float
    history: History


#: Steps: more than any run has.
UNLIMITED = 2**62


class Hooks(NamedTuple):
    """What the driver calls after each chunk of steps.

    most_steps(done) -> the most steps of the next chunk, after `done` steps; it may wait before it answers
    watch(state, done): the state before the first step and after each chunk; its memory is given up in the next one
    report(progress): after each chunk that ended with an evaluation
    should_save(steps) -> whether to save the run after so many steps
    save(snapshot): saves it
    should_stop() -> whether to stop after this chunk
    agree(numbers) -> numbers: what all processes of a run do next, where several share its steps: the first decides
    last_saved() -> the run as it was last saved, for `rollback`
    every: steps after which the run must be saved (0: none)
    seconds: from one call to the next
    """

    most_steps: Callable[[int], int] = lambda done: UNLIMITED
    watch: Callable[[State, int], Any] = lambda state, done: None
    report: Callable[[Progress], Any] = lambda progress: None
    should_save: Callable[[int], bool] = lambda steps: False
    save: Callable[[Snapshot], Any] = lambda snapshot: None
    should_stop: Callable[[], bool] = lambda: False
    agree: Callable[[tuple[int, ...]], tuple[int, ...]] = lambda numbers: numbers
    last_saved: Callable[[], Snapshot | None] = lambda: None
    every: int = 0
    seconds: float = SECONDS_PER_CHUNK
