"""The GPU benchmarks: the course's table of CPU and GPU, 99 % with one seed and with thirty, cuDNN's autodiff.

Everything runs in this process, on JAX's first device; the CPU's times come from `results/cpu.json`.
"""

import json
import math
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import jax
import numpy as np

from benchmarks.contestants import jaxnn_engine
from benchmarks.contestants.jaxnn_engine import JaxnnContestant
from benchmarks.results_file import BenchmarkResult, Ratio, from_json
from benchmarks.runner import Contestant, Workload, installed, make_contestant
from benchmarks.sequences import PLACES
from benchmarks.time_to_accuracy import TARGET_ACCURACY
from benchmarks.timing import Timing
from benchmarks.workloads import WORKLOADS
from jaxnn.config import load
from jaxnn.config.experiment import make_experiment
from jaxnn.experiment import run

CPU_RESULTS = Path(__file__).parent / "results" / "cpu.json"
ROUNDS = 7
SEEDS = 30
#: The net and the schedule for 99 %, chosen on validation digits.
TO_99 = WORKLOADS["mnist_99_gpu"]


class GpuBenchmarks:
    """Each public method is a benchmark; its docstring is the title in tables. `rounds`: in place of `ROUNDS`."""

    def __init__(self, rounds: int | None = None):
        self.rounds = rounds or ROUNDS

    def epochs(self) -> BenchmarkResult:
        """The course's table: an epoch of its convolutional net, 50,000 and 250,000 examples"""
        timings = []
        for workload in (WORKLOADS["s11"], WORKLOADS["s11_250000"]):
            timings += _time_in_alternation({"jaxnn": jaxnn_engine.hand_written}, workload, self.rounds)
        facts = {
            "the course's GPU, seconds": {"50,000": 4, "250,000": 26},
            "the course's CPU, seconds": {"50,000": 41, "250,000": 198},
            "two cores of a CPU, seconds": _cpu_epoch_seconds(),
        }
        small, large = (t.seconds for t in timings)
        ratios = [Ratio("time of 250,000 / of 50,000 examples", large / small)]
        return BenchmarkResult("epochs", _title(GpuBenchmarks.epochs), "epoch", timings, ratios, facts)

    def autodiff(self) -> BenchmarkResult:
        """By hand against autodiff: of our own forward pass, and of lax.conv and reduce_window, which cuDNN computes"""
        timings, ratios = [], []
        for name in ("s11", "s11_batch_20", "s08", "deep"):
            workload = WORKLOADS[name]
            makers: dict[str, Callable[[Workload], JaxnnContestant]] = {
                "jaxnn": jaxnn_engine.hand_written,
                "jaxnn autodiff": jaxnn_engine.autodiff,
            }
            if workload.net == "cnn":
                makers["jaxnn autodiff lax"] = jaxnn_engine.autodiff_of_lax
            hand_written, *others = _time_in_alternation(makers, workload, self.rounds)
            timings += [hand_written, *others]
            ratios += [
                Ratio(f"{name}: by hand / {t.name}", hand_written.seconds / t.seconds, 1.0, hand_written.seconds)
                for t in others
            ]
        return BenchmarkResult("autodiff", _title(GpuBenchmarks.autodiff), "epoch", timings, ratios, {})

    def ninety_nine(self) -> BenchmarkResult:
        """Seconds to 99.0 % of the test digits after compiling: one seed, and thirty as one program"""
        timings = []
        for name, count in (("one seed", 1), ("thirty seeds", SEEDS)):
            runner = jaxnn_engine.whole_run(TO_99)
            runs = [runner.run(*range(i * count, (i + 1) * count)) for i in range(4)]
            # The first run compiles.
            seconds, accuracy = [s for s, _ in runs[1:]], float(np.mean([a for _, a in runs]))
            if accuracy < TARGET_ACCURACY:
                raise RuntimeError(
                    f"{name}: expected a mean test accuracy of at least {TARGET_ACCURACY}, found {accuracy:.4f}"
                )
            median = statistics.median(seconds)
            figures = (median, min(seconds), max(seconds), runs[0][0] - median)
            timings.append(Timing(name, TO_99.name, *figures, math.nan, accuracy))
        single, thirty = (t.seconds for t in timings)
        ratios = [Ratio("seconds of one seed", single, 0.5), Ratio("thirty seeds / one", thirty / single, 3)]
        return BenchmarkResult("ninety_nine", _title(GpuBenchmarks.ninety_nine), "run", timings, ratios, {})

    def sequences(self) -> BenchmarkResult:
        """Two LSTMs and the small transformer on characters, against PyTorch, whose LSTM is cuDNN's"""
        timings, ratios = [], []
        for name, target in (("lstm_text", 1.5), ("gpt", 1.0)):
            makers: dict[str, Callable[[Workload], Contestant]] = {
                "jaxnn": jaxnn_engine.hand_written,
                "jaxnn autodiff": jaxnn_engine.autodiff,
            }
            if installed("PyTorch sequences"):
                makers["PyTorch sequences"] = lambda workload: make_contestant("PyTorch sequences", workload)
            ours, *others = _time_in_alternation(makers, WORKLOADS[name], self.rounds)
            timings += [ours, *others]
            ratios += [
                Ratio(f"{name}: jaxnn / {t.name}", ours.seconds / t.seconds, target if "PyTorch" in t.name else 1.0)
                for t in others
            ]
        return BenchmarkResult("sequences", _title(GpuBenchmarks.sequences), "epoch", timings, ratios, {})

    def shakespeare(self) -> BenchmarkResult:
        """A transformer of 6 blocks and 384 units, 5,000 steps of 64 × 256 characters, in bfloat16"""
        experiment = make_experiment(load("shakespeare_gpt", ["train.compute=bfloat16"]))
        result = run(experiment)
        seconds, loss = result.outcome.seconds, float(np.min(result.outcome.history.validation["loss"]))
        ratios = [Ratio("seconds", seconds, 90), Ratio("nats a character, validation part", loss, 1.47)]
        return BenchmarkResult("shakespeare", _title(GpuBenchmarks.shakespeare), "run", [], ratios, {})

    def repeats(self) -> BenchmarkResult:
        """Two runs from one key, bit for bit"""
        workload = WORKLOADS["s11"]
        states = []
        for _ in range(2):
            contestant = jaxnn_engine.make_contestant(workload)
            contestant.train(workload.steps)
            states.append([np.asarray(a) for a in jax.tree.leaves(contestant.params())])
        different = sum(int((a.view(np.uint32) != b.view(np.uint32)).sum()) for a, b in zip(*states, strict=True))
        return BenchmarkResult(
            "repeats", _title(GpuBenchmarks.repeats), "run", [], [Ratio("parameters that differ", different, 0)], {}
        )


def _time_in_alternation(
    makers: Mapping[str, Callable[[Workload], Contestant]], workload: Workload, rounds: int
) -> list[Timing]:
    """Trains one round of each contestant after another, `rounds` times."""
    # A round is a whole epoch, because a shorter one would count the shuffling too often; a text's is long enough.
    steps = workload.steps if workload.net in PLACES else max(workload.steps, workload.steps_per_epoch)
    contestants: dict[str, Contestant] = {}
    first_rounds: dict[str, float] = {}
    for name, maker in makers.items():
        start_time = time.perf_counter()
        contestants[name] = maker(workload)
        contestants[name].train(steps)
        first_rounds[name] = time.perf_counter() - start_time
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, contestant in contestants.items():
            start_time = time.perf_counter()
            contestant.train(steps)
            times[name].append(time.perf_counter() - start_time)
    timings = []
    for name, contestant in contestants.items():
        median, unit = statistics.median(times[name]), workload.steps_per_epoch / steps
        extremes = (min(times[name]) * unit, max(times[name]) * unit)
        compile_seconds = first_rounds[name] - median
        timings.append(Timing(name, workload.name, median * unit, *extremes, compile_seconds, *contestant.test()))
    return timings


def _cpu_epoch_seconds() -> dict[str, float]:
    """workload -> seconds of an epoch, as measured by `python -m benchmarks examples`; empty if it has not run."""
    benchmarks = json.loads(CPU_RESULTS.read_text())["benchmarks"] if CPU_RESULTS.exists() else {}
    if "examples" not in benchmarks:
        return {}
    return {t.work: t.seconds for t in from_json(benchmarks["examples"]["found"]).timings}


def _title(benchmark: Callable[..., BenchmarkResult]) -> str:
    return (benchmark.__doc__ or "").strip()


def benchmark_names() -> list[str]:
    """The names of the benchmarks, in the order of the class."""
    return [name for name in vars(GpuBenchmarks) if not name.startswith("_")]
