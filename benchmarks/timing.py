"""Times contestants side by side, each in its own process, in alternating rounds, so that all see the same machine."""

import json
import math
import statistics
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from benchmarks.runner import Workload, installed


class Timing(NamedTuple):
    """The times of one contestant. The names of the fields are those of `results/*.json`.

    work: the workload's name
    seconds: of an epoch of the workload (of a round, where an epoch is one step), the median of the rounds
    least, most: the fastest and the slowest round, in the same unit
    compile_seconds: how much longer the first round took than the median
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


def timing_of_runs(name: str, workload: str, times: Sequence[float]) -> Timing:
    """The timing of whole runs, for which neither compiling nor the test part is measured."""
    return Timing(name, workload, statistics.median(times), min(times), max(times), 0.0, math.nan, math.nan)


class ContestantProcess:
    """A contestant's process, which takes commands and replies with JSON; see `benchmarks.contestant`."""

    def __init__(self, name: str, workload: Workload):
        self.name, self.workload = name, workload
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.contestant", name, workload.name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._read_reply()

    def send(self, command: str) -> Any:
        """Sends a command and waits for its reply."""
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self._read_reply()

    def train(self) -> float:
        """The seconds of one round."""
        return self.send(f"train {self.workload.steps}")

    def _read_reply(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            assert self.process.stderr is not None
            raise RuntimeError(f"{self.name} ended: {self.process.stderr.read()[-2000:]}")
        return json.loads(line)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def time_contestants(entries: Sequence[tuple[str, Workload]], rounds: int | None = None) -> list[Timing]:
    """The timings of the installed contestants, in their order, each with its workload.

    rounds: in place of the workloads' own number
    Raises RuntimeError if a contestant fails or does not reach the required test loss and accuracy.
    """
    entries = [(name, workload) for name, workload in entries if installed(name)]
    processes: list[ContestantProcess] = []
    try:
        processes += [ContestantProcess(name, workload) for name, workload in entries]
        first_rounds = [process.train() for process in processes]
        times: list[list[float]] = [[] for _ in processes]
        for i in range(rounds or max(workload.rounds for _, workload in entries)):
            order = list(enumerate(processes))
            # Each round begins with another contestant. The cyclic order stays the same.
            for j, process in order[i % len(order) :] + order[: i % len(order)]:
                times[j].append(process.train())
        tests = [process.send("test") for process in processes]
    finally:
        for process in processes:
            process.close()
    return [_timing(*row) for row in zip(processes, first_rounds, times, tests, strict=True)]


def _timing(process: ContestantProcess, first_round: float, times: list[float], test: tuple[float, float]) -> Timing:
    workload, (loss, accuracy), median = process.workload, test, statistics.median(times)
    # The accuracy of a net without classes is NaN, so it is compared only if one is required.
    learned = loss <= workload.max_loss and (accuracy >= workload.min_accuracy or not workload.min_accuracy)
    # With fewer rounds than the workload has, the training is too short for the requirement.
    if len(times) >= workload.rounds and not learned:
        raise RuntimeError(
            f"{process.name}, {workload.name}: expected a test loss of at most {workload.max_loss} and an accuracy of "
            f"at least {workload.min_accuracy}, found {loss:.4f} and {accuracy:.4f}: it did not do the timed work"
        )
    unit = workload.steps_per_epoch / workload.steps if workload.batch_size else 1.0
    extremes = min(times) * unit, max(times) * unit
    return Timing(process.name, workload.name, median * unit, *extremes, max(0.0, first_round - median), *test)
