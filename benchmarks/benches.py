"""The benchmarks: who takes part in each, and what their times are held against."""

from collections.abc import Callable, Sequence

import jax
import numpy as np
from jax import numpy as jnp

from benchmarks import progress, start, time_to_accuracy
from benchmarks.contestants.ours import data_bytes, experiment_of
from benchmarks.results_file import Finding, Ratio
from benchmarks.runner import Work
from benchmarks.timing import Timing, race
from benchmarks.workloads import WORKS
from jaxnn.backprop import value_and_grad
from jaxnn.summary import flops

JAX_PEERS = ("Keras", "Flax NNX", "Equinox")
TORCH = ("PyTorch", "PyTorch compiled")
TORCH_IMAGES = (*TORCH, "PyTorch channels last", "PyTorch compiled channels last")


class Measure:
    """Each public method is a benchmark.

    rounds: in place of each work's own
    rate: the machine's float32 matmul rate, operations a second
    """

    def __init__(self, rate: float, rounds: int | None = None):
        self.rate, self.rounds = rate, rounds

    def s08(self) -> Finding:
        """784-30-10 with sigmoids, mean squared error, batch 128, 60,000 digits"""
        return self._against_peers("s08", (*JAX_PEERS, *TORCH), 0.25)

    def s10(self) -> Finding:
        """784-30-10, tanh and softmax, batch 20, 50,000 digits"""
        return self._against_peers("s10", (*JAX_PEERS, *TORCH, "scikit-learn"), 0.25)

    def s11(self) -> Finding:
        """The course's convolutional net, batch 128, 50,000 digits"""
        finding = self._against_peers("s11", (*JAX_PEERS, *TORCH_IMAGES), 0.5)
        ours, *peers = finding.timings
        of_jax = [t for t in peers if t.name in JAX_PEERS]
        return finding._replace(ratios=[*finding.ratios, *_to_best("best on JAX", ours, of_jax, 0.1)])

    def s11_batch_20(self) -> Finding:
        """The course's convolutional net, batch 20, 50,000 digits"""
        return self._against_peers("s11_batch_20", TORCH_IMAGES, 0.6)

    def s05(self) -> Finding:
        """784-30-10 on 500 digits, full batch, 20,000 steps: the course's own NumPy code"""
        work = WORKS["s05"]
        finding = self._against_peers("s05", ("NumPy",), 0.25)
        seconds = {t.name: t.seconds * 20_000 / work.steps for t in finding.timings}
        return finding._replace(facts=finding.facts | {"seconds of 20,000 steps": seconds})

    def seeds(self) -> Finding:
        """32 seeds of the 2-10-2 net on circles as one program, against one"""
        work = WORKS["s04"]
        timings = race([("jaxnn", work), ("jaxnn 32 seeds", work)], self.rounds)
        one, many = timings
        ratios = [Ratio("32 seeds / one", many.seconds / one.seconds, 6)]
        return Finding("seeds", _title(Measure.seeds), _unit(work), timings, ratios, {})

    def autodiff(self) -> Finding:
        """By hand against autodiff of our own forward pass, same engine, every net"""
        timings, ratios = [], []
        for name, work in WORKS.items():
            if work.steps and name != "s11_250000":
                hand, auto = race([("jaxnn", work), ("jaxnn autodiff", work)], self.rounds)
                timings += [hand, auto]
                ratios.append(Ratio(f"{name}: by hand / autodiff", hand.seconds / auto.seconds, 1.0, hand.seconds))
        return Finding("autodiff", _title(Measure.autodiff), "epoch, or round", timings, ratios, {})

    def autodiff_of_lax(self) -> Finding:
        """By hand against autodiff of the same net on lax.conv and reduce_window, in the same scan"""
        work = WORKS["s11"]
        timings = race([("jaxnn", work), ("jaxnn autodiff lax", work)], self.rounds)
        hand, auto = timings
        ratios = [Ratio("by hand / autodiff of lax", hand.seconds / auto.seconds, 0.06)]
        return Finding("autodiff_of_lax", _title(Measure.autodiff_of_lax), "epoch", timings, ratios, {})

    def examples(self) -> Finding:
        """An epoch of 250,000 examples against one of 50,000: images stay bytes"""
        some, all_of_them = WORKS["s11"], WORKS["s11_250000"]
        timings = race([("jaxnn", some), ("jaxnn", all_of_them)], self.rounds)
        few, many = timings
        memory = {work.name: data_bytes(work) for work in (some, all_of_them)}
        held, come = memory[all_of_them.name]
        ratios = [
            Ratio("time of 250,000 / of 50,000 examples", many.seconds / few.seconds, 5.2),
            Ratio("bytes on the device / of images and labels as they come", held / come, 1.001),
        ]
        return Finding("examples", _title(Measure.examples), "epoch", timings, ratios, {"bytes": memory})

    def ninety_nine(self) -> Finding:
        """Seconds to 99.0 % of the test digits, mean of ten seeds, compiling apart"""
        return time_to_accuracy.finding(_title(Measure.ninety_nine))

    def start(self) -> Finding:
        """`jaxnn train` on the digits, whole process, with an empty and with a filled compilation cache"""
        return start.finding(_title(Measure.start))

    def progress(self) -> Finding:
        """The live bar: a run cut into pieces and shown, against the same in one call"""
        return progress.finding(_title(Measure.progress))

    def _against_peers(self, name: str, peers: Sequence[str], target: float) -> Finding:
        work = WORKS[name]
        timings = race([(name, work) for name in ("jaxnn", *peers)], self.rounds)
        ours, *others = timings
        ratios = _to_best("best peer", ours, others, target)
        seconds_of_a_step = ours.seconds / (work.epoch if work.batch else work.steps)
        share = step_flops(work) / seconds_of_a_step / self.rate
        facts = {"share of the machine's matmul rate": round(share, 3)}
        return Finding(name, _title(getattr(Measure, name)), _unit(work), timings, ratios, facts)


def _to_best(what: str, ours: Timing, others: Sequence[Timing], target: float) -> list[Ratio]:
    if not others:
        return []
    best = min(others, key=lambda t: t.seconds)
    return [Ratio(f"jaxnn / {what} ({best.name})", ours.seconds / best.seconds, target)]


def _title(benchmark: Callable[..., Finding]) -> str:
    return (benchmark.__doc__ or "").strip()


def _unit(work: Work) -> str:
    return "epoch" if work.batch else f"{work.steps:,} steps"


def step_flops(work: Work) -> int:
    """Floating-point operations of one step: forward, backward and loss."""
    experiment = experiment_of(work)
    splits, _ = experiment.of_seed(0)
    batch = work.batch or work.examples
    x = jax.ShapeDtypeStruct((batch, *splits.train.x.shape[1:]), jnp.float32)
    y = jax.ShapeDtypeStruct((batch, *splits.train.y.shape[1:]), np.asarray(splits.train.y).dtype)
    params = jax.eval_shape(experiment.model.init, jax.random.key(0), x)
    gradient = value_and_grad(experiment.model, experiment.loss)
    return flops(lambda params, x, y: gradient(params, x, y), params, x, y)


def names() -> list[str]:
    """The benchmarks, in their order."""
    return [name for name in vars(Measure) if not name.startswith("_")]
