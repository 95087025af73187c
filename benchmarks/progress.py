"""What the live bar costs: a run that is cut and shown, as `jaxnn train` does it, against one call of its program."""

import io
import statistics
import time

from jaxnn.experiment.results import run
from rich.console import Console

from benchmarks.contestants.ours import Ours, ours
from benchmarks.results_file import Finding, Ratio
from benchmarks.timing import of_times
from benchmarks.workloads import WORKS
from jaxnn.cli.progress import progress_bar

ROUNDS = 7
WORK = WORKS["s10"]._replace(overrides=(*WORKS["s10"].overrides, "train.epochs=16"))


def finding(title: str) -> Finding:
    whole = ours(WORK)
    experiment = whole.experiment
    steps = experiment.plan.epochs * WORK.epoch
    in_one(whole, steps)
    shown, one = [], []
    console = Console(file=io.StringIO(), force_terminal=True)
    for turn in range(ROUNDS):
        for with_bar in (True, False) if turn % 2 else (False, True):
            if not with_bar:
                one.append(in_one(whole, steps))
                continue
            with progress_bar(console, experiment.plan.eval_every) as report:
                shown.append(run(experiment, report=report).outcome.seconds)
    timings = [of_times("with the bar", WORK.name, shown), of_times("in one call", WORK.name, one)]
    pairs = statistics.median(a / b for a, b in zip(shown, one, strict=True))
    return Finding(
        "progress", title, f"{experiment.plan.epochs} epochs", timings, [Ratio("with / without", pairs, 1.03)], {}
    )


def in_one(whole: Ours, steps: int) -> float:
    """Seconds of that many steps from the first state on."""
    whole.state, whole.done = whole.program.first(), 0
    began = time.perf_counter()
    whole.train(steps)
    return time.perf_counter() - began
