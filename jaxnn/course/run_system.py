"""A system of the course, run: every seed of its config as one program, and the numbers read from it."""

import os
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.config import Config, load
from jaxnn.config.experiment import Experiment, make_experiment
from jaxnn.course.seed_statistics import Measured
from jaxnn.course.systems import Number, System
from jaxnn.engine.driver import Progress
from jaxnn.engine.hooks import Care
from jaxnn.engine.snapshot import Snapshot
from jaxnn.experiment.results import Result, predict, run, scores, seed_params
from jaxnn.layer import Params
from jaxnn.metrics import Metrics, predicted_labels

#: What makes a run short: nothing is proved by its numbers, but all of the program runs.
QUICK_STEPS, QUICK_EXAMPLES, QUICK_EPOCHS = 100, 500, 2
#: Why its numbers differ from the course's: the reasons of a whole run are not those of a short one.
QUICK_WHY = "a quick run"


class Outcome(NamedTuple):
    """A system's numbers. `experiment` and `result` are None where it is a study, whose numbers come with it."""

    system: System
    numbers: tuple[Measured, ...]
    seeds: int
    seconds: float
    experiment: Experiment | None = None
    result: Result | None = None


def shortened(config: Config) -> Config:
    """The config with fewer examples and epochs, so that a run takes a second."""
    data, train = config.data, config.train
    if isinstance(data.train, int) and data.train > QUICK_EXAMPLES:
        sizes = {"train": QUICK_EXAMPLES, "test": 200, "validation": 200 if data.validation else data.validation}
        data = data.model_copy(update=sizes)
    full = train.batch_size is None
    epochs = min(train.epochs, QUICK_STEPS if full else QUICK_EPOCHS)
    every = min(train.eval_every, epochs)
    return config.model_copy(
        update={"data": data, "train": train.model_copy(update={"epochs": epochs, "eval_every": every})}
    )


def reproduce(
    system: System,
    *,
    seeds: int | None = None,
    quick: bool = False,
    data_dir: str | os.PathLike[str] | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Outcome:
    """Runs the config of a system. Raises `UserError` where its data are not there."""
    began = time.perf_counter()
    config = load(system.config)
    config = shortened(config) if quick else config
    n = (2 if quick else system.seeds) if seeds is None else seeds
    first = config.train.seed
    with jax.enable_x64(config.train.precision == "float64"):
        experiment = make_experiment(config, data_dir=data_dir, seeds=range(first, first + n))
        kept: list[Snapshot] = []
        result = run(experiment, report=report, care=Care(keep=kept.append))
        measured = read(experiment, result, system.numbers, kept[0].state.params)
        if quick:
            measured = tuple(number._replace(why=QUICK_WHY) for number in measured)
    return Outcome(system, measured, n, time.perf_counter() - began, experiment, result)


def read(experiment: Experiment, result: Result, numbers: Sequence[Number], start: Params) -> tuple[Measured, ...]:
    """The numbers of a result, each once for every seed. start: the parameters that every seed began with."""
    found: dict[tuple[str, str], Metrics] = {}

    def metrics(when: str, part: str) -> Metrics:
        if (when, part) not in found:
            found.update({(when, name): m for name, m in _metrics(experiment, result, when, start).items()})
        return found[when, part]

    def values(number: Number) -> tuple[float, ...]:
        each = getattr(metrics(number.when, number.part), number.metric)
        unit = 100.0 if number.metric == "accuracy" else 1.0
        return tuple(unit * float(v) for v in np.asarray(each))

    def examples(part: str) -> int:
        return len(getattr(experiment.of_seed(0)[0], part).y)

    return tuple(Measured(n.name, values(n), n.course, n.why, n.target, examples(n.part)) for n in numbers)


def _metrics(experiment: Experiment, result: Result, when: str, start: Params) -> dict[str, Metrics]:
    """part -> metrics over the seeds, at a time of the run."""
    history, state = result.outcome.history, result.outcome.state
    rows = {
        name: jax.tree.map(lambda a: a[:, -1 if when == "end" else 0], metrics)
        for name, metrics in (("train", history.train), ("validation", history.validation))
    }
    if when == "best":
        return result.scores
    if when == "ensemble":
        return ensemble(experiment, state.best.params)
    if when == "start":
        return scores(experiment, start)
    if when == "end":
        return scores(experiment, state.params) | rows
    return rows


def ensemble(experiment: Experiment, params: Params) -> dict[str, Metrics]:
    """validation and test -> metrics, over one "seed", of the mean over the seeds of their class probabilities."""
    config, found = experiment.config, {}
    params = jax.device_get(params)
    for name in ("validation", "test"):
        part = getattr(experiment.splits[0], name)
        if part is None:
            continue
        stats = experiment.stats[0]
        each = [predict(config, seed_params(params, i), stats, part.x) for i in range(len(experiment.seeds))]
        mean = np.stack(each).astype(np.float64).mean(axis=0)
        right = np.asarray(predicted_labels(jnp.asarray(mean))) == part.y
        likely = np.maximum(mean[np.arange(len(part.y)), part.y], np.finfo(np.float64).tiny)
        found[name] = Metrics(-np.log(likely).mean(keepdims=True), right.mean(keepdims=True))
    return found
