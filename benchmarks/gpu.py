"""What is measured on a GPU: the course's table of CPU and GPU, 99 % with one seed and with thirty, cuDNN's autodiff.

Everything runs in this process, on the device that JAX finds first; a CPU's times come from `results/cpu.json`.
"""

import json
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np

from benchmarks.contestants import ours
from benchmarks.results_file import Finding, Ratio, of_json
from benchmarks.runner import Work
from benchmarks.time_to_accuracy import ENOUGH
from benchmarks.timing import Timing
from benchmarks.workloads import WORKS

CPU = Path(__file__).parent / "results" / "cpu.json"
ROUNDS = 7
SEEDS = 30
#: The net and schedule to 99 %, chosen on validation digits.
FASTEST = WORKS["mnist_99_gpu"]


class Measure:
    """Each public method is a benchmark. `rate`: the device's float32 matmul rate, operations a second."""

    def __init__(self, rate: float, rounds: int | None = None):
        self.rate, self.rounds = rate, rounds or ROUNDS

    def epochs(self) -> Finding:
        """The course's table: an epoch of its convolutional net, 50,000 and 250,000 examples"""
        timings = []
        for work in (WORKS["s11"], WORKS["s11_250000"]):
            timings += _in_turn({"jaxnn": ours.ours}, work, self.rounds)
        facts = {
            "the course's GPU, seconds": {"50,000": 4, "250,000": 26},
            "the course's CPU, seconds": {"50,000": 41, "250,000": 198},
            "two cores of a CPU, seconds": _on_cpu(),
        }
        small, large = (t.seconds for t in timings)
        ratios = [Ratio("time of 250,000 / of 50,000 examples", large / small)]
        return Finding("epochs", _said(Measure.epochs), "epoch", timings, ratios, facts)

    def autodiff(self) -> Finding:
        """By hand against autodiff: of our own forward pass, and of lax.conv and reduce_window, which cuDNN computes"""
        timings, ratios = [], []
        for name in ("s11", "s11_batch_20", "s08", "deep"):
            work = WORKS[name]
            makers: dict[str, Callable[[Work], ours.Ours]] = {"jaxnn": ours.ours, "jaxnn autodiff": ours.by_autodiff}
            if work.net == "cnn":
                makers["jaxnn autodiff lax"] = ours.by_autodiff_of_lax
            hand, *others = _in_turn(makers, work, self.rounds)
            timings += [hand, *others]
            ratios += [
                Ratio(f"{name}: by hand / {t.name}", hand.seconds / t.seconds, 1.0, hand.seconds) for t in others
            ]
        return Finding("autodiff", _said(Measure.autodiff), "epoch", timings, ratios, {})

    def ninety_nine(self) -> Finding:
        """Seconds to 99.0 % of the test digits after compiling: one seed, and thirty as one program"""
        timings = []
        for name, count in (("one seed", 1), ("thirty seeds", SEEDS)):
            runner = ours.whole_run(FASTEST)
            found = [runner.run(*range(i * count, (i + 1) * count)) for i in range(4)]
            # The first of them compiles.
            seconds, accuracy = [s for s, _ in found[1:]], float(np.mean([a for _, a in found]))
            if accuracy < ENOUGH:
                raise RuntimeError(f"{name}: expected a mean test accuracy of at least {ENOUGH}, found {accuracy:.4f}")
            middle = statistics.median(seconds)
            timings.append(
                Timing(name, FASTEST.name, middle, min(seconds), max(seconds), found[0][0] - middle, math.nan, accuracy)
            )
        one, thirty = (t.seconds for t in timings)
        ratios = [Ratio("seconds of one seed", one, 0.5), Ratio("thirty seeds / one", thirty / one, 3)]
        return Finding("ninety_nine", _said(Measure.ninety_nine), "run", timings, ratios, {})

    def repeats(self) -> Finding:
        """Two runs from one key, bit for bit"""
        work = WORKS["s11"]
        states = []
        for _ in range(2):
            one = ours.ours(work)
            one.train(work.steps)
            states.append([np.asarray(a) for a in jax.tree.leaves(one.state.params)])
        different = sum(int((a.view(np.uint32) != b.view(np.uint32)).sum()) for a, b in zip(*states, strict=True))
        return Finding(
            "repeats", _said(Measure.repeats), "run", [], [Ratio("parameters that differ", different, 0)], {}
        )


def _in_turn(makers: dict[str, Callable[[Work], ours.Ours]], work: Work, rounds: int) -> list[Timing]:
    # A round is a whole epoch: of a part, shuffling would be counted too often.
    steps = max(work.steps, work.epoch)

    contestants: dict[str, ours.Ours] = {}
    firsts: dict[str, float] = {}
    for name, maker in makers.items():
        began = time.perf_counter()
        contestants[name] = maker(work)
        contestants[name].train(steps)
        firsts[name] = time.perf_counter() - began
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, one in contestants.items():
            began = time.perf_counter()
            one.train(steps)
            times[name].append(time.perf_counter() - began)
    found = []
    for name, one in contestants.items():
        middle, unit = statistics.median(times[name]), work.epoch / steps
        extremes = (min(times[name]) * unit, max(times[name]) * unit)
        found.append(Timing(name, work.name, middle * unit, *extremes, firsts[name] - middle, *one.test()))
    return found


def _on_cpu() -> dict[str, float]:
    """Seconds of an epoch that `python -m benchmarks examples` found, where it has run."""
    kept = json.loads(CPU.read_text())["benchmarks"] if CPU.exists() else {}
    return {t.work: t.seconds for t in of_json(kept["examples"]["found"]).timings} if "examples" in kept else {}


def _said(benchmark: Callable[..., Finding]) -> str:
    return (benchmark.__doc__ or "").strip()


def names() -> list[str]:
    """The benchmarks, in their order."""
    return [name for name in vars(Measure) if not name.startswith("_")]
