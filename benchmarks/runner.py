"""A workload, and the contestants that train it: one library's way to train a net, each run in its own process."""

import importlib
import importlib.util
from typing import Any, NamedTuple, Protocol


class Workload(NamedTuple):
    """A net to train, the same for all contestants.

    config: the config of `jaxnn` that defines the net; `overrides` change it
    net: the key of the same net in each module of `contestants`
    examples, batch_size: of an epoch, of a step; a batch size of 0 is all examples
    steps: of one round
    rounds: timed rounds of each contestant, after a first round that compiles
    learning_rate: of plain gradient descent
    max_loss, min_accuracy: required on the test part after all rounds; a contestant that misses them did not do the
        work
    """

    name: str
    title: str
    config: str
    net: str
    examples: int
    batch_size: int
    steps: int
    rounds: int
    learning_rate: float
    overrides: tuple[str, ...] = ()
    max_loss: float = float("inf")
    min_accuracy: float = 0.0

    @property
    def steps_per_epoch(self) -> int:
        return self.examples // self.batch_size if self.batch_size else 1


class Contestant(Protocol):
    """Trains in rounds. `train` returns when the steps are done, not when they are dispatched."""

    def train(self, steps: int) -> None: ...

    def test(self) -> tuple[float, float]:
        """Loss and accuracy (0 … 1) on the test part."""
        ...


class Runner(Protocol):
    """Trains a whole run at once."""

    def run(self, seed: int) -> tuple[float, float]:
        """Seconds of the run of a seed, and its test accuracy (0 … 1)."""
        ...


#: name -> module, function that makes the contestant of a workload, and the package that it needs
CONTESTANTS: dict[str, tuple[str, str, str]] = {
    "jaxnn": ("jaxnn_engine", "hand_written", "jaxnn"),
    "jaxnn autodiff": ("jaxnn_engine", "autodiff", "jaxnn"),
    "jaxnn autodiff lax": ("jaxnn_engine", "autodiff_of_lax", "jaxnn"),
    "jaxnn 8 seeds": ("jaxnn_engine", "eight_seeds", "jaxnn"),
    "jaxnn 32 seeds": ("jaxnn_engine", "many_seeds", "jaxnn"),
    "jaxnn to 99 %": ("jaxnn_engine", "whole_run", "jaxnn"),
    "PyTorch to 99 %": ("pytorch", "one_cycle", "torch"),
    "Keras": ("keras_fit", "fit", "keras"),
    "Flax NNX": ("flax_nnx", "loop", "flax"),
    "Equinox": ("equinox_loop", "loop", "equinox"),
    "PyTorch": ("pytorch", "eager", "torch"),
    "PyTorch channels last": ("pytorch", "eager_channels_last", "torch"),
    "PyTorch compiled": ("pytorch", "compiled", "torch"),
    "PyTorch compiled channels last": ("pytorch", "compiled_channels_last", "torch"),
    "Keras sequences": ("keras_sequences", "fit", "keras"),
    "Flax NNX sequences": ("flax_sequences", "loop", "flax"),
    "Equinox sequences": ("equinox_sequences", "loop", "equinox"),
    "PyTorch sequences": ("pytorch_sequences", "eager", "torch"),
    "jaxnn 100 seeds": ("jaxnn_engine", "hundred_seeds", "jaxnn"),
    "PyTorch generative": ("pytorch_generative", "eager", "torch"),
    "PyTorch compiled generative": ("pytorch_generative", "compiled", "torch"),
    "PyTorch compiled sequences": ("pytorch_sequences", "compiled", "torch"),
    "scikit-learn": ("scikit_learn", "partial_fit", "sklearn"),
    "NumPy": ("course_numpy", "loop", "numpy"),
}


def make_contestant(name: str, workload: Workload) -> Any:
    """The contestant of that name with its data loaded, before any training: a `Contestant`, or a `Runner` to 99 %."""
    module, function, _ = CONTESTANTS[name]
    maker = getattr(importlib.import_module(f"benchmarks.contestants.{module}"), function)
    return maker(workload)


def installed(name: str) -> bool:
    """Whether the package that a contestant needs is installed."""
    return importlib.util.find_spec(CONTESTANTS[name][2]) is not None
