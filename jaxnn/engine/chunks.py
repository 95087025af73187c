"""How many steps to take before looking up: enough that looking up costs nothing, few enough to be stopped in time."""

from typing import NamedTuple

#: Seconds between two looks: each costs up to 20 ms, most of it the fresh memory that the program asks for anew.
PAUSE = 0.75
#: Records that one chunk can end: the length of its history's buffer, in every run, so that one program serves all.
LONGEST = 64
#: Steps of the first chunk, whose pace is not known.
FIRST = 8


class Chunks(NamedTuple):
    """The cuts of a run: `total` steps, `record` steps from one row of the history to the next.

    every: a cut must fall on each multiple of so many steps (0: none must)
    pause: seconds that a chunk should take
    """

    total: int
    record: int
    every: int = 0
    pause: float = PAUSE

    def next(self, done: int, seconds_per_step: float | None) -> int:
        """How many steps to take after `done`; whole records where they are short, so that few epochs are cut."""
        rest = self.record - done % self.record
        if seconds_per_step is None:
            count = FIRST
        else:
            wanted = max(1, int(self.pause / max(seconds_per_step, 1e-9)))
            # Up to four pauses, a record is not cut.
            whole = rest + max(0, wanted - rest) // self.record * self.record
            count = whole if rest <= 4 * wanted else wanted
        ends = [self.total, (done // self.record + LONGEST) * self.record]
        if self.every:
            ends.append((done // self.every + 1) * self.every)
        return max(1, min(count, min(ends) - done))
