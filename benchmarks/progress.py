"""Measures the cost of the progress bar: a run in chunks with the bar, against the same steps in one call."""

import contextlib
import io
import statistics
import time

from benchmarks.contestants.jaxnn_engine import JaxnnContestant, make_contestant
from benchmarks.results_file import BenchmarkResult, Ratio
from benchmarks.timing import timing_of_runs
from benchmarks.workloads import WORKLOADS
from jaxnn.cli.progress import activity, report_training
from jaxnn.engine.hooks import Hooks
from jaxnn.experiment import run

ROUNDS = 7
WORKLOAD = WORKLOADS["s10"]._replace(overrides=(*WORKLOADS["s10"].overrides, "train.epochs=16"))


class Terminal(io.StringIO):
    """A stream that is taken for a terminal."""

    def isatty(self) -> bool:
        return True


def measure(title: str) -> BenchmarkResult:
    contestant = make_contestant(WORKLOAD)
    experiment = contestant.experiment
    steps = experiment.plan.epochs * experiment.source.steps
    seconds_without_bar(contestant, steps)
    with_bar, without_bar = [], []
    for i in range(ROUNDS):
        # The order alternates, so that neither always follows the other.
        for shows_bar in (True, False) if i % 2 else (False, True):
            if not shows_bar:
                without_bar.append(seconds_without_bar(contestant, steps))
                continue
            with contextlib.redirect_stderr(Terminal()), activity("train"):
                report = report_training(experiment.plan.eval_every)
                with_bar.append(run(experiment, Hooks(report=report)).outcome.seconds)
    timings = [
        timing_of_runs("with the bar", WORKLOAD.name, with_bar),
        timing_of_runs("in one call", WORKLOAD.name, without_bar),
    ]
    ratio = statistics.median(a / b for a, b in zip(with_bar, without_bar, strict=True))
    ratios = [Ratio("with / without", ratio, 1.03)]
    return BenchmarkResult("progress", title, f"{experiment.plan.epochs} epochs", timings, ratios, {})


def seconds_without_bar(contestant: JaxnnContestant, steps: int) -> float:
    """The seconds of that many steps from the initial state."""
    contestant.state, contestant.steps_done = contestant.program.first(), 0
    start_time = time.perf_counter()
    contestant.train(steps)
    return time.perf_counter() - start_time
