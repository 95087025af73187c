"""Chooses how many steps one compiled call runs: enough to hide its overhead, few enough to react to Ctrl-C in time."""

from typing import NamedTuple

#: Seconds that a chunk should take. A call costs up to 20 ms, most of it fresh memory that the program asks for.
SECONDS_PER_CHUNK = 0.75
#: Evaluations that one chunk can end: the length of its history's buffer in every run, so that one program serves all.
MAX_EVALUATIONS = 64
#: Steps of the first chunk, before the speed is known.
FIRST_CHUNK = 8


class ChunkSchedule(NamedTuple):
    """The chunks of a run of `total` steps, with `eval_steps` steps from one evaluation to the next.

    every: a chunk ends at each multiple of so many steps (0: at none in particular)
    block: a chunk also ends after so many steps of an epoch, because the next ones need another buffer (0: never)
    epoch: steps of an epoch
    seconds: that a chunk should take
    """

    total: int
    eval_steps: int
    every: int = 0
    block: int = 0
    epoch: int = 0
    seconds: float = SECONDS_PER_CHUNK

    def block_end(self, done: int) -> int:
        """The step at which the buffer of the step after the first `done` ends: that of its block, or of its epoch."""
        step = done % self.epoch
        return done - step + min(self.epoch, (step // self.block + 1) * self.block)

    def next(self, done: int, seconds_per_step: float | None) -> int:
        """How many steps to run after `done` steps; whole evaluations where they are short, so that few are cut."""
        until_evaluation = self.eval_steps - done % self.eval_steps
        if seconds_per_step is None:
            count = FIRST_CHUNK
        else:
            affordable = max(1, int(self.seconds / max(seconds_per_step, 1e-9)))
            # An evaluation that is less than four chunks away is not cut.
            whole = until_evaluation + max(0, affordable - until_evaluation) // self.eval_steps * self.eval_steps
            count = whole if until_evaluation <= 4 * affordable else affordable
        ends = [self.total, (done // self.eval_steps + MAX_EVALUATIONS) * self.eval_steps]
        ends += [(done // self.every + 1) * self.every] if self.every else []
        ends += [self.block_end(done)] if self.block else []
        return max(1, min(count, min(ends) - done))
