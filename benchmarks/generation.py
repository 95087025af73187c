"""How fast the small transformer writes: one character at a time, one text."""

import statistics
import time

import jax

import jaxnn
from benchmarks.contestants.jaxnn_engine import make_workload_experiment
from benchmarks.results_file import BenchmarkResult, Ratio
from benchmarks.timing import timing_of_runs
from benchmarks.workloads import WORKLOADS

CHARACTERS, ROUNDS = 1000, 5
#: Characters a second that are to be reached.
TARGET = 500


def measure(title: str) -> BenchmarkResult:
    """Writes `CHARACTERS` characters after a prompt, several times with the same compiled program."""
    workload = WORKLOADS["gpt"]
    experiment = make_workload_experiment(workload)
    model, (x, _) = experiment.bound().model, experiment.source.example
    assert model is not None
    params = model.init(jax.random.key(0), x)
    prompt = [[0] * 6]
    times = []
    for seed in range(ROUNDS + 1):
        start_time = time.perf_counter()
        jaxnn.generate(model, params, prompt, CHARACTERS, jax.random.key(seed), context=64)
        times.append(time.perf_counter() - start_time)
    seconds = statistics.median(times[1:])
    timing = timing_of_runs("jaxnn", workload.name, times[1:])
    ratio = Ratio(f"{TARGET} characters a second / measured", TARGET * seconds / CHARACTERS, 1.0)
    facts = {"characters a second": round(CHARACTERS / seconds), "seconds to compile": round(times[0] - seconds, 2)}
    return BenchmarkResult("generation", title, f"{CHARACTERS:,} characters", [timing], [ratio], facts)
