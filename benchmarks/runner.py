"""What a contest is made of: a work, and contestants who do it, each in a process of its own."""

import importlib
import importlib.util
from typing import Any, NamedTuple, Protocol


class Work(NamedTuple):
    """A net to train, the same for all who do it.

    config: the config of `jaxnn` that says it all; `overrides` change it
    net: what the other libraries call it (see `contestants`)
    examples, batch: of an epoch, of a step; a batch of 0 is all examples
    steps: of one round
    rounds: in which all contestants take part, after a first that compiles
    rate: learning rate of plain gradient descent
    loss, accuracy: on the test part after all rounds, at most and at least: who is not there did not do the work
    """

    name: str
    title: str
    config: str
    net: str
    examples: int
    batch: int
    steps: int
    rounds: int
    rate: float
    overrides: tuple[str, ...] = ()
    loss: float = float("inf")
    accuracy: float = 0.0

    @property
    def epoch(self) -> int:
        """Steps of an epoch."""
        return self.examples // self.batch if self.batch else 1


class Contestant(Protocol):
    """Someone who trains; `train` returns when its steps are done, not when they are under way."""

    def train(self, steps: int) -> None: ...

    def test(self) -> tuple[float, float]:
        """Loss and accuracy (0 … 1) on the test part."""
        ...


class Runner(Protocol):
    """Someone who does a whole run at once."""

    def run(self, seed: int) -> tuple[float, float]:
        """Seconds of the run of a seed, and its test accuracy (0 … 1)."""
        ...


#: name -> module and function that makes the contestant of a work, and the package that it needs
CONTESTANTS: dict[str, tuple[str, str, str]] = {
    "jaxnn": ("ours", "by_hand", "jaxnn"),
    "jaxnn autodiff": ("ours", "by_autodiff", "jaxnn"),
    "jaxnn autodiff lax": ("ours", "by_autodiff_of_lax", "jaxnn"),
    "jaxnn 32 seeds": ("ours", "many_seeds", "jaxnn"),
    "jaxnn to 99 %": ("ours", "whole_run", "jaxnn"),
    "PyTorch to 99 %": ("pytorch", "one_cycle", "torch"),
    "Keras": ("keras_fit", "fit", "keras"),
    "Flax NNX": ("flax_nnx", "loop", "flax"),
    "Equinox": ("equinox_loop", "loop", "equinox"),
    "PyTorch": ("pytorch", "eager", "torch"),
    "PyTorch channels last": ("pytorch", "eager_channels_last", "torch"),
    "PyTorch compiled": ("pytorch", "compiled", "torch"),
    "PyTorch compiled channels last": ("pytorch", "compiled_channels_last", "torch"),
    "scikit-learn": ("scikit_learn", "partial_fit", "sklearn"),
    "NumPy": ("course_numpy", "loop", "numpy"),
}


def make(name: str, work: Work) -> Any:
    """The contestant of that name, its data at hand, nothing trained yet: a `Contestant`, or a `Runner` to 99 %."""
    module, function, _ = CONTESTANTS[name]
    maker = getattr(importlib.import_module(f"benchmarks.contestants.{module}"), function)
    return maker(work)


def installed(name: str) -> bool:
    """Whether the package that a contestant needs is there."""
    return importlib.util.find_spec(CONTESTANTS[name][2]) is not None
