"""Contestants side by side, each in its process, a round each in turn: what the machine does to one it does to all."""

import json
import math
import statistics
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from benchmarks.runner import Work, installed


class Timing(NamedTuple):
    """What one contestant took.

    seconds: of an epoch of `work.examples` (of a round, where an epoch is one step), the median of the rounds
    least, most: the rounds' extremes, in the same unit
    compile_seconds: what the first round took beyond a later one
    loss, accuracy: on the test part, after all rounds
    """

    name: str
    work: str
    seconds: float
    least: float
    most: float
    compile_seconds: float
    loss: float
    accuracy: float


def of_times(name: str, work: str, times: Sequence[float]) -> Timing:
    """The timing of what was run whole, so many times: nothing is compiled apart, and no test asked for."""
    return Timing(name, work, statistics.median(times), min(times), max(times), 0.0, math.nan, math.nan)


class Child:
    """A contestant's process."""

    def __init__(self, name: str, work: Work):
        self.name, self.work = name, work
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.contestant", name, work.name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.hear()

    def ask(self, order: str) -> Any:
        """The answer to one order; waits for it."""
        assert self.process.stdin is not None
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        return self.hear()

    def train(self) -> float:
        """The seconds of one round."""
        return self.ask(f"train {self.work.steps}")

    def hear(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            assert self.process.stderr is not None
            raise RuntimeError(f"{self.name} ended: {self.process.stderr.read()[-2000:]}")
        return json.loads(line)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def race(entries: Sequence[tuple[str, Work]], rounds: int | None = None) -> list[Timing]:
    """The timings of those contestants who are installed, in their order, each at its work.

    Raises RuntimeError when one breaks down, or ends without having done its work.
    """
    there = [(name, work) for name, work in entries if installed(name)]
    children: list[Child] = []
    try:
        children += [Child(name, work) for name, work in there]
        firsts = [child.train() for child in children]
        times: list[list[float]] = [[] for _ in children]
        for i in range(rounds or max(work.rounds for _, work in there)):
            turn = list(enumerate(children))
            # Who comes first changes: nobody always follows the same neighbour.
            for j, child in turn[i % len(turn) :] + turn[: i % len(turn)]:
                times[j].append(child.train())
        tests = [child.ask("test") for child in children]
    finally:
        for child in children:
            child.end()
    return [_timing(*of_one) for of_one in zip(children, firsts, times, tests, strict=True)]


def _timing(child: Child, first: float, times: list[float], test: tuple[float, float]) -> Timing:
    work, (loss, accuracy), middle = child.work, test, statistics.median(times)
    # A net without classes has no accuracy (NaN), and none is asked of it.
    learned = loss <= work.loss and (accuracy >= work.accuracy or not work.accuracy)
    # Rounds other than the work's own (a quick look) train too little to be asked for the result.
    if len(times) >= work.rounds and not learned:
        raise RuntimeError(
            f"{child.name}, {work.name}: expected a test loss of at most {work.loss} and an accuracy of at least "
            f"{work.accuracy}, found {loss:.4f} and {accuracy:.4f}: it has not done the work that it was timed at"
        )
    unit = work.epoch / work.steps if work.batch else 1.0
    return Timing(
        child.name, work.name, middle * unit, min(times) * unit, max(times) * unit, max(0.0, first - middle), *test
    )
