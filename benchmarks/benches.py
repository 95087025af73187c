"""The CPU benchmarks: the contestants and the targets of each."""

from collections.abc import Callable, Sequence

import jax

import jaxnn
from benchmarks import generation, progress, start, time_to_accuracy, transposed
from benchmarks.contestants.jaxnn_engine import data_bytes, make_workload_experiment
from benchmarks.results_file import BenchmarkResult, Ratio
from benchmarks.runner import Workload
from benchmarks.timing import Timing, time_contestants
from benchmarks.workloads import WORKLOADS
from jaxnn.config import build_loss, load
from jaxnn.summary import flops

JAX_PEERS = ("Keras", "Flax NNX", "Equinox")
PYTORCH = ("PyTorch", "PyTorch compiled")
JAX_PEERS_ON_SEQUENCES = ("Keras sequences", "Flax NNX sequences", "Equinox sequences")
PYTORCH_SEQUENCES = ("PyTorch sequences", "PyTorch compiled sequences")
PYTORCH_IMAGES = (*PYTORCH, "PyTorch channels last", "PyTorch compiled channels last")


class CpuBenchmarks:
    """Each public method is a benchmark; its docstring is the title in tables.

    matmul_rate: of the machine in float32, operations per second
    rounds: in place of each workload's own number
    """

    def __init__(self, matmul_rate: float, rounds: int | None = None):
        self.matmul_rate, self.rounds = matmul_rate, rounds

    def s08(self) -> BenchmarkResult:
        """784-30-10 with sigmoids, mean squared error, batch 128, 60,000 digits"""
        return self._against_peers("s08", (*JAX_PEERS, *PYTORCH), 0.25)

    def s10(self) -> BenchmarkResult:
        """784-30-10, tanh and softmax, batch 20, 50,000 digits"""
        return self._against_peers("s10", (*JAX_PEERS, *PYTORCH, "scikit-learn"), 0.25)

    def s11(self) -> BenchmarkResult:
        """The course's convolutional net, batch 128, 50,000 digits"""
        result = self._against_peers("s11", (*JAX_PEERS, *PYTORCH_IMAGES), 0.5)
        ours, *peers = result.timings
        jax_peers = [t for t in peers if t.name in JAX_PEERS]
        return result._replace(ratios=[*result.ratios, *_ratio_to_best("best on JAX", ours, jax_peers, 0.1)])

    def s11_batch_20(self) -> BenchmarkResult:
        """The course's convolutional net, batch 20, 50,000 digits"""
        return self._against_peers("s11_batch_20", PYTORCH_IMAGES, 0.6)

    def s05(self) -> BenchmarkResult:
        """784-30-10 on 500 digits, full batch, 20,000 steps: the course's own NumPy code"""
        workload = WORKLOADS["s05"]
        result = self._against_peers("s05", ("NumPy",), 0.25)
        seconds = {t.name: t.seconds * 20_000 / workload.steps for t in result.timings}
        return result._replace(facts=result.facts | {"seconds of 20,000 steps": seconds})

    def seeds(self) -> BenchmarkResult:
        """32 seeds of the 2-10-2 net on circles as one program, against one"""
        workload = WORKLOADS["s04"]
        timings = time_contestants([("jaxnn", workload), ("jaxnn 32 seeds", workload)], self.rounds)
        single, many = timings
        ratios = [Ratio("32 seeds / one", many.seconds / single.seconds, 6)]
        return BenchmarkResult("seeds", _title(CpuBenchmarks.seeds), _unit(workload), timings, ratios, {})

    def lstm_rows(self) -> BenchmarkResult:
        """LSTM of 128 units over the 28 rows of a digit, batch 128"""
        return self._against_sequence_peers("lstm_rows")

    def lstm_text(self) -> BenchmarkResult:
        """Two LSTMs of 128 units, 64 characters, batch 32"""
        return self._against_sequence_peers("lstm_text")

    def gpt(self) -> BenchmarkResult:
        """A transformer of 4 blocks and 128 units, 64 characters, batch 12"""
        peers = ("Flax NNX sequences", "Equinox sequences", *PYTORCH_SEQUENCES)
        result = self._against_peers("gpt", peers, 0.7)
        ours, *others = result.timings
        flax = [t for t in others if t.name.startswith("Flax")]
        share = result.facts["share of the machine's matmul rate"]
        ratios = [*result.ratios, *_ratio_to_best("Flax", ours, flax, 0.7)]
        ratios.append(Ratio("time / that of its products at the machine's matmul rate", 1 / share, 2.5))
        return result._replace(ratios=ratios)

    def sequence_seeds(self) -> BenchmarkResult:
        """8 seeds of a GRU on names as one program, against one"""
        workload = WORKLOADS["names_gru"]
        timings = time_contestants([("jaxnn", workload), ("jaxnn 8 seeds", workload)], self.rounds)
        single, many = timings
        ratios = [Ratio("8 seeds / one", many.seconds / single.seconds, 6)]
        title = _title(CpuBenchmarks.sequence_seeds)
        return BenchmarkResult("sequence_seeds", title, _unit(workload), timings, ratios, {})

    def generation(self) -> BenchmarkResult:
        """Characters a second from the small transformer, one at a time, with what attention has read kept"""
        return generation.measure(_title(CpuBenchmarks.generation))

    def vae(self) -> BenchmarkResult:
        """A variational autoencoder 784-500-20, batch 128, 60,000 digits"""
        return self._against_peers("vae", ("PyTorch generative", "PyTorch compiled generative"), 0.7)

    def gcn(self) -> BenchmarkResult:
        """A graph convolutional net of Cora, 200 epochs: one seed, and a hundred as one program"""
        workload = WORKLOADS["gcn"]
        names = ("jaxnn", "PyTorch generative", "jaxnn 100 seeds")
        timings = time_contestants([(name, workload) for name in names], self.rounds)
        by_name = {t.name: t for t in timings}
        ours, many = by_name["jaxnn"], by_name["jaxnn 100 seeds"]
        pytorch = [t for t in timings if t.name.startswith("PyTorch")]
        ratios = [*_ratio_to_best("PyTorch", ours, pytorch, 0.7), Ratio("seconds of 100 seeds", many.seconds, 60)]
        return BenchmarkResult("gcn", _title(CpuBenchmarks.gcn), _unit(workload), timings, ratios, {})

    def transposed(self) -> BenchmarkResult:
        """The gradient of two transposed convolutions of a generator, batch 64"""
        return transposed.measure(_title(CpuBenchmarks.transposed))

    def autodiff(self) -> BenchmarkResult:
        """By hand against autodiff of our own forward pass, same engine, every net"""
        timings, ratios = [], []
        for name, workload in WORKLOADS.items():
            if workload.steps and name != "s11_250000":
                hand_written, autodiff = time_contestants(
                    [("jaxnn", workload), ("jaxnn autodiff", workload)], self.rounds
                )
                timings += [hand_written, autodiff]
                ratio = hand_written.seconds / autodiff.seconds
                ratios.append(Ratio(f"{name}: by hand / autodiff", ratio, 1.0, hand_written.seconds))
        return BenchmarkResult("autodiff", _title(CpuBenchmarks.autodiff), "epoch, or round", timings, ratios, {})

    def autodiff_of_lax(self) -> BenchmarkResult:
        """By hand against autodiff of the same net on lax.conv and reduce_window, in the same scan"""
        workload = WORKLOADS["s11"]
        timings = time_contestants([("jaxnn", workload), ("jaxnn autodiff lax", workload)], self.rounds)
        hand_written, autodiff = timings
        ratios = [Ratio("by hand / autodiff of lax", hand_written.seconds / autodiff.seconds, 0.06)]
        return BenchmarkResult("autodiff_of_lax", _title(CpuBenchmarks.autodiff_of_lax), "epoch", timings, ratios, {})

    def examples(self) -> BenchmarkResult:
        """An epoch of 250,000 examples against one of 50,000: images stay bytes"""
        small, large = WORKLOADS["s11"], WORKLOADS["s11_250000"]
        timings = time_contestants([("jaxnn", small), ("jaxnn", large)], self.rounds)
        small_timing, large_timing = timings
        memory = {workload.name: data_bytes(workload) for workload in (small, large)}
        device_bytes, source_bytes = memory[large.name]
        ratios = [
            Ratio("time of 250,000 / of 50,000 examples", large_timing.seconds / small_timing.seconds, 5.2),
            Ratio("bytes on the device / of images and labels as they come", device_bytes / source_bytes, 1.001),
        ]
        return BenchmarkResult("examples", _title(CpuBenchmarks.examples), "epoch", timings, ratios, {"bytes": memory})

    def ninety_nine(self) -> BenchmarkResult:
        """Seconds to 99.0 % of the test digits, mean of ten seeds, without compiling"""
        return time_to_accuracy.measure(_title(CpuBenchmarks.ninety_nine))

    def start(self) -> BenchmarkResult:
        """`jaxnn train` on the digits, whole process, with an empty and with a filled compilation cache"""
        return start.measure(_title(CpuBenchmarks.start))

    def progress(self) -> BenchmarkResult:
        """The progress bar: a run in chunks with the bar, against the same steps in one call"""
        return progress.measure(_title(CpuBenchmarks.progress))

    def _against_sequence_peers(self, name: str) -> BenchmarkResult:
        """PyTorch and the libraries on JAX, each with its own target."""
        result = self._against_peers(name, (*JAX_PEERS_ON_SEQUENCES, *PYTORCH_SEQUENCES), 1.0)
        ours, *peers = result.timings
        on_jax = [t for t in peers if t.name in JAX_PEERS_ON_SEQUENCES]
        pytorch = [t for t in peers if t.name in PYTORCH_SEQUENCES]
        ratios = [*_ratio_to_best("PyTorch", ours, pytorch, 1.0), *_ratio_to_best("best on JAX", ours, on_jax, 0.5)]
        return result._replace(ratios=ratios)

    def _against_peers(self, name: str, peers: Sequence[str], target: float) -> BenchmarkResult:
        workload = WORKLOADS[name]
        timings = time_contestants([(contestant, workload) for contestant in ("jaxnn", *peers)], self.rounds)
        ours, *others = timings
        ratios = _ratio_to_best("best peer", ours, others, target)
        step_seconds = ours.seconds / (workload.steps_per_epoch if workload.batch_size else workload.steps)
        share = step_flops(workload) / step_seconds / self.matmul_rate
        facts = {"share of the machine's matmul rate": round(share, 3)}
        return BenchmarkResult(name, _title(getattr(CpuBenchmarks, name)), _unit(workload), timings, ratios, facts)


def _ratio_to_best(label: str, ours: Timing, others: Sequence[Timing], target: float) -> list[Ratio]:
    if not others:
        return []
    best = min(others, key=lambda t: t.seconds)
    return [Ratio(f"jaxnn / {label} ({best.name})", ours.seconds / best.seconds, target)]


def _title(benchmark: Callable[..., BenchmarkResult]) -> str:
    return (benchmark.__doc__ or "").strip()


def _unit(workload: Workload) -> str:
    return "epoch" if workload.batch_size else f"{workload.steps:,} steps"


def step_flops(workload: Workload) -> int:
    """Floating-point operations of one step: forward, backward and loss."""
    experiment, config = make_workload_experiment(workload), load(workload.config, workload.overrides)
    model, (x, y) = experiment.bound().model, experiment.source.example
    assert model is not None
    params = jax.eval_shape(model.init, jax.random.key(0), x)
    return flops(jaxnn.value_and_grad(model, build_loss(config)), params, x, y)


def benchmark_names() -> list[str]:
    """The names of the benchmarks, in the order of the class."""
    return [name for name in vars(CpuBenchmarks) if not name.startswith("_")]
