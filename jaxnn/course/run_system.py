"""Runs a system of the course: all seeds of its config as one program, and the quantities measured from that run."""

import os
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.config import Config, load
from jaxnn.config.experiment import experiment_of
from jaxnn.config.loaded_data import load_data
from jaxnn.course.budget import FULL, Budget, limit_config, limit_data
from jaxnn.course.seed_measurement import SeedMeasurement
from jaxnn.course.systems import Quantity, System
from jaxnn.engine.driver import drive
from jaxnn.engine.hooks import Hooks, Progress
from jaxnn.engine.snapshot import Snapshot
from jaxnn.experiment.definition import Experiment, last_params, seed_params
from jaxnn.experiment.run import Result, run
from jaxnn.experiment.scores import Scores, predict, scores
from jaxnn.layer import Params
from jaxnn.metric_labels import is_share
from jaxnn.metrics import predicted_labels


class SystemResult(NamedTuple):
    """What a system's run or study measured.

    experiment, result: of the run; None for a study, and where they were released to free memory
    """

    system: System
    measurements: tuple[SeedMeasurement, ...]
    seeds: int
    seconds: float
    experiment: Experiment | None = None
    result: Result | None = None


def reproduce(
    system: System,
    *,
    seeds: int | None = None,
    budget: Budget = FULL,
    data_dir: str | os.PathLike[str] | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
) -> SystemResult:
    """Runs the config of a system and measures its quantities. Raises `UserError` if its data are missing.

    seeds: in place of the number that the budget or the system gives
    """
    n = number_of_seeds(system, seeds, budget)
    return run_config(load(system.config), n, system.quantities, budget, data_dir, system, report)


def number_of_seeds(system: System, seeds: int | None, budget: Budget) -> int:
    """The seeds of a system's run: those that are asked for, else those of the budget, else the system's own."""
    return (budget.seeds or system.seeds) if seeds is None else seeds


def run_config(
    config: Config,
    n: int,
    quantities: Sequence[Quantity],
    budget: Budget,
    data_dir: str | os.PathLike[str] | None,
    system: System,
    report: Callable[[Progress], None] = lambda progress: None,
) -> SystemResult:
    """Runs `n` seeds of a config, as a part of a system, within a budget; measures the quantities."""
    start_time = time.perf_counter()
    with jax.enable_x64(config.train.precision == "float64"):
        experiment = limited_experiment(config, n, budget, data_dir)
        snapshots: list[Snapshot] = []
        result = run(experiment, Hooks(report=report, save=snapshots.append))
        measurements = measure(experiment, result, quantities, last_params(experiment, snapshots[0].state))
        if budget.note:
            measurements = tuple(measurement._replace(note=budget.note) for measurement in measurements)
    return SystemResult(system, measurements, n, time.perf_counter() - start_time, experiment, result)


def limited_experiment(config: Config, n: int, budget: Budget, data_dir: str | os.PathLike[str] | None) -> Experiment:
    """The experiment of a config with `n` seeds, within a budget."""
    config = limit_config(config, budget)
    seeds = range(config.train.seed, config.train.seed + n)
    config, data = limit_data(config, load_data(config, data_dir=data_dir, seeds=seeds), budget)
    return experiment_of(config, data, seeds=seeds)._replace(strategy=budget.strategy)


def best_params(experiment: Experiment) -> Params:
    """Trains an experiment without scoring it: the best parameters of each seed, on the host."""
    return jax.device_get(drive(experiment.job()).state.best.params)


def measure(
    experiment: Experiment, result: Result, quantities: Sequence[Quantity], initial_params: Params
) -> tuple[SeedMeasurement, ...]:
    """The quantities of a result, one value per seed each. initial_params: with a leading axis of seeds."""
    known: dict[tuple[str, str], dict[str, np.ndarray]] = {}

    def metrics(when: str, part: str) -> dict[str, np.ndarray]:
        if (when, part) not in known:
            by_part = _metrics_by_part(experiment, result, when, initial_params)
            known.update({(when, name): value for name, value in by_part.items()})
        return known[when, part]

    def values(quantity: Quantity) -> tuple[float, ...]:
        per_seed = metrics(quantity.when, quantity.part)[quantity.metric]
        unit = 100.0 if is_share(quantity.metric) else 1.0
        return tuple(unit * float(value) for value in np.asarray(per_seed))

    def examples(part: str) -> int:
        return jax.tree.leaves(experiment.examples(part))[0].shape[0]

    return tuple(SeedMeasurement(q.name, values(q), q.course, q.note, q.target, examples(q.part)) for q in quantities)


def _metrics_by_part(experiment: Experiment, result: Result, when: str, initial_params: Params) -> Scores:
    """part -> metrics over the seeds, at a time of the run."""
    history, state = result.outcome.history, result.outcome.state
    rows = {
        name: jax.tree.map(lambda a: a[:, -1 if when == "end" else 0], metrics)
        for name, metrics in (("train", history.train), ("validation", history.validation))
    }
    if when == "best":
        return result.scores
    if when == "ensemble":
        return ensemble_metrics(experiment, state.best.params)
    if when == "start":
        return scores(experiment, initial_params)
    if when == "end":
        return scores(experiment, last_params(experiment, state)) | {name: row for name, row in rows.items() if row}
    return rows


def ensemble_metrics(experiment: Experiment, params: Params) -> Scores:
    """validation and test -> metrics of the class probabilities averaged over the seeds, as arrays of one element."""
    by_part: Scores = {}
    params = jax.device_get(params)
    for name in ("validation", "test"):
        examples = experiment.examples(name)
        if examples is None:
            continue
        x, labels = examples
        per_seed = [predict(experiment, seed_params(params, i), x, i) for i in range(len(experiment.seeds))]
        mean = np.stack(per_seed).astype(np.float64).mean(axis=0)
        correct = np.asarray(predicted_labels(jnp.asarray(mean))) == labels
        probability = np.maximum(mean[np.arange(len(labels)), labels], np.finfo(np.float64).tiny)
        loss = -np.log(probability).mean(keepdims=True)
        by_part[name] = {"loss": loss, "accuracy": correct.mean(keepdims=True)}
    return by_part
