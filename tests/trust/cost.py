"""The cost of the checks for NaN and infinity: the same run with and without them, alternately."""

import statistics
import time
from types import SimpleNamespace
from typing import NamedTuple
from unittest.mock import patch

import jax.numpy as jnp

from jaxnn.config import load
from jaxnn.config.experiment import make_experiment
from jaxnn.engine import compiled_run, driver
from jaxnn.experiment import Experiment, run
from tests.trust.precision import cli_precision

#: Nets with short steps, where a check costs the most, and the overrides for a few seconds of training.
NETS = {
    "digits_mlp": ("train.epochs=150",),
    "digits_cnn": ("train.epochs=40",),
    "circles_mlp": ("train.epochs=50000", "train.eval_every=1000"),
}


class Cost(NamedTuple):
    """Processor seconds of training with and without the checks, one pair for each turn."""

    name: str
    checked: list[float]
    unchecked: list[float]

    @property
    def share(self) -> float:
        """The time that the checks add, as a fraction of the time without them."""
        pairs = zip(self.checked, self.unchecked, strict=True)
        return statistics.median(a / b for a, b in pairs) - 1


def measure(name: str, turns: int) -> Cost:
    """The cost for one net. The order of the two runs alternates from turn to turn."""
    cost = Cost(name, [], [])
    with cli_precision():
        experiment = make_experiment(load(name, NETS[name]))
        for turn in range(turns):
            for checked in (True, False) if turn % 2 else (False, True):
                seconds = train(experiment, checked)
                (cost.checked if checked else cost.unchecked).append(seconds)
    return cost


def train(experiment: Experiment, checked: bool) -> float:
    """Processor seconds of training without compilation; unlike a clock, they exclude other processes.

    Unchecked, no number is tested and no copy is made for a rollback. Both kinds compile their own program.
    """
    forget_programs()
    try:
        with patch.object(driver, "time", SimpleNamespace(perf_counter=time.process_time)):
            if checked:
                return run(experiment).outcome.seconds
            no_tests = patch.object(compiled_run, "_finite", lambda state, checked: jnp.ones((), bool))
            with no_tests, patch.object(driver, "SNAPSHOT_TIME_SHARE", 1e-9):
                return run(experiment).outcome.seconds
    finally:
        forget_programs()


def forget_programs() -> None:
    """Empties the caches of compiled programs: their keys do not say whether numbers are tested."""
    compiled_run._jitted.cache_clear()
    compiled_run._compiled.cache_clear()
