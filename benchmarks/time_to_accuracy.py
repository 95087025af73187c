"""Seconds to 99 % of the test digits: whole runs of each contestant from new parameters, with ten seeds."""

import statistics
from math import nan

from benchmarks.results_file import BenchmarkResult, Ratio
from benchmarks.timing import ContestantProcess, Timing
from benchmarks.workloads import WORKLOADS

SEEDS = 10
TARGET_ACCURACY = 0.99
#: A seed of the runs that compile, which is none of the timed seeds.
COMPILING_SEED = 1000

#: Each contestant has its own net and schedule, chosen on validation digits.
WORKLOAD = WORKLOADS["mnist_99"]
PEERS = ("PyTorch to 99 %",)


def measure(title: str) -> BenchmarkResult:
    """Times whole runs in alternation. Raises RuntimeError if a mean accuracy is below 99 %."""
    processes = [ContestantProcess(name, WORKLOAD) for name in ("jaxnn to 99 %", *PEERS)]
    try:
        compiling = [process.send(f"run {COMPILING_SEED}") for process in processes]
        runs = [[process.send(f"run {seed}") for process in processes] for seed in range(SEEDS)]
    finally:
        for process in processes:
            process.close()
    timings = []
    for i, process in enumerate(processes):
        seconds, accuracies = zip(*(run[i] for run in runs), strict=True)
        accuracy, mean = statistics.mean(accuracies), statistics.mean(seconds)
        if accuracy < TARGET_ACCURACY:
            raise RuntimeError(
                f"{process.name}: expected a mean accuracy of at least {TARGET_ACCURACY}, found {accuracy:.4f}"
            )
        figures = (mean, min(seconds), max(seconds), max(0.0, compiling[i][0] - mean))
        timings.append(Timing(process.name, WORKLOAD.name, *figures, nan, accuracy))
    ours, *peers = timings
    best = min(peers, key=lambda timing: timing.seconds)
    ratios = [Ratio(f"jaxnn / best peer ({best.name})", ours.seconds / best.seconds, 0.5)]
    lowest = {process.name: min(run[i][1] for run in runs) for i, process in enumerate(processes)}
    return BenchmarkResult("ninety_nine", title, "run", timings, ratios, {"lowest accuracy of a seed": lowest})
