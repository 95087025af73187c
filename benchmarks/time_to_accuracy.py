"""Seconds to 99 % of the test digits: a whole run of each, from the first weights on, ten seeds in turn."""

import statistics
from math import nan

from benchmarks.results_file import Finding, Ratio
from benchmarks.timing import Child, Timing
from benchmarks.workloads import WORKS

SEEDS = 10
ENOUGH = 0.99

#: What both do is train until they know 99 %: net and schedule are each one's own, chosen on validation digits.
OURS = WORKS["mnist_99"]
PEERS = ("PyTorch to 99 %",)


def finding(title: str) -> Finding:
    """Whole runs in turn. Raises RuntimeError where a mean is below 99 %: then it is no time to 99 %."""
    children = [Child(name, OURS) for name in ("jaxnn to 99 %", *PEERS)]
    try:
        compiling = [child.ask("run 1000") for child in children]
        runs = [[child.ask(f"run {seed}") for child in children] for seed in range(SEEDS)]
    finally:
        for child in children:
            child.end()
    timings = []
    for i, child in enumerate(children):
        seconds, accuracies = zip(*(run[i] for run in runs), strict=True)
        accuracy, middle = statistics.mean(accuracies), statistics.mean(seconds)
        if accuracy < ENOUGH:
            raise RuntimeError(f"{child.name}: expected a mean accuracy of at least {ENOUGH}, found {accuracy:.4f}")
        figures = (middle, min(seconds), max(seconds), max(0.0, compiling[i][0] - middle))
        timings.append(Timing(child.name, OURS.name, *figures, nan, accuracy))
    ours, *peers = timings
    best = min(peers, key=lambda t: t.seconds)
    ratios = [Ratio(f"jaxnn / best peer ({best.name})", ours.seconds / best.seconds, 0.5)]
    lowest = {child.name: min(run[i][1] for run in runs) for i, child in enumerate(children)}
    return Finding("ninety_nine", title, "run", timings, ratios, {"lowest accuracy of a seed": lowest})
