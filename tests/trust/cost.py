"""What it costs to look for NaN and infinity: the same run with and without, in turn."""

import statistics
import time
from types import SimpleNamespace
from typing import NamedTuple
from unittest.mock import patch

import jax.numpy as jnp

from jaxnn.config import load
from jaxnn.config.experiment import Experiment, make_experiment
from jaxnn.engine import driver
from jaxnn.engine.program import Program
from jaxnn.experiment import results
from tests.trust.numbers import cli_precision

#: Nets whose steps are short, where a look costs the most: name -> overrides for a few seconds of training.
NETS = {
    "digits_mlp": ("train.epochs=150",),
    "digits_cnn": ("train.epochs=40",),
    "circles_mlp": ("train.epochs=50000", "train.record_every=1000"),
}


class Cost(NamedTuple):
    """Processor seconds of training with and without the looks, a pair a turn."""

    name: str
    looking: list[float]
    trusting: list[float]

    @property
    def share(self) -> float:
        """What the looks add, as a fraction of the time without them."""
        pairs = zip(self.looking, self.trusting, strict=True)
        return statistics.median(a / b for a, b in pairs) - 1


def measure(name: str, turns: int) -> Cost:
    """The cost for one net; the order within a turn changes from turn to turn."""
    cost = Cost(name, [], [])
    with cli_precision():
        experiment = make_experiment(load(name, NETS[name]))
        for turn in range(turns):
            for looking in (True, False) if turn % 2 else (False, True):
                seconds = train(experiment, looking)
                (cost.looking if looking else cost.trusting).append(seconds)
    return cost


def train(experiment: Experiment, looking: bool) -> float:
    """Processor seconds of training, compiling apart: they tell less than a clock of what else the machine does.

    Without looking no number is checked and no copy kept for a fault.
    """
    with patch.object(driver, "time", SimpleNamespace(perf_counter=time.process_time)):
        if looking:
            return results.run(experiment).outcome.seconds
        blind = patch.object(Program, "_sound", lambda self, state: jnp.ones((), bool))
        with blind, patch.object(driver, "COPYING", 1e-9):
            return results.run(experiment).outcome.seconds
