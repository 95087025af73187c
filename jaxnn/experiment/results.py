"""What comes of an experiment: its run, the scores of its parameters, their predictions."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn.config import Config, build_loss, build_model, build_optimizer
from jaxnn.config.bind import binding, preparer, settings_of, training_of_step
from jaxnn.config.experiment import Experiment, device_data, settings, step
from jaxnn.data import Part, preprocess
from jaxnn.engine.diagnosis import diagnose
from jaxnn.engine.driver import Outcome, Progress, run_live
from jaxnn.engine.hooks import Care
from jaxnn.engine.parallel import how_here
from jaxnn.engine.program import KEPT
from jaxnn.engine.snapshot import Snapshot
from jaxnn.kernels.xla_options import compiler_options
from jaxnn.layer import Params
from jaxnn.metrics import Metrics, evaluate
from jaxnn.train.plan import Data, Prepare
from jaxnn.train.state import State


class Result(NamedTuple):
    """What came of an experiment. Every leaf has a leading axis of seeds.

    outcome: the last state and the history
    scores: part ("train", "validation", "test") -> metrics of the best parameters
    """

    outcome: Outcome
    scores: dict[str, Metrics]


def run(
    experiment: Experiment,
    *,
    grad: str = "hand",
    report: Callable[[Progress], None] = lambda progress: None,
    begun: Snapshot | None = None,
    care: Care | None = None,
) -> Result:
    """Trains every seed of the experiment as one program, and measures the best parameters of each.

    begun: goes on from here; care: how the run is looked after. One that was told to leave has no scores yet.
    """

    def explain(state: State, data: Data, step: int) -> str:
        return diagnose(experiment.model, experiment.loss, experiment.plan, experiment.prepare, state, data, step)

    of = step(experiment, grad)
    outcome = run_live(
        training_of_step(of),
        device_data(experiment),
        experiment.seeds,
        experiment.plan,
        settings=settings(experiment, of),
        how=how_here(build_optimizer(experiment.config)),
        stacked_data=len(experiment.splits) > 1,
        report=report,
        begun=begun,
        care=(care or Care())._replace(diagnose=explain, on_fault=experiment.config.train.on_fault),
    )
    if not outcome.finished:
        return Result(outcome, {})
    return Result(outcome, scores(experiment, outcome.state.best.params))


def scores(experiment: Experiment, params: Params) -> dict[str, Metrics]:
    """The metrics of each seed's parameters on each part that there is, as arrays of one number a seed."""
    found: dict[str, Metrics] = {}
    of = step(experiment)
    own = settings_of(experiment.config, of.names)
    # Cut apart on the host: on the device each leaf's slice is a program to compile.
    params = jax.device_get(params)
    for name in ("train", "validation", "test"):
        rows = []
        for i in range(len(experiment.seeds)):
            splits, stats = experiment.of_seed(i)
            part: Part | None = getattr(splits, name)
            if part is not None:
                of_seed = seed_params(params, i), own, stats, part.x, part.y
                rows.append(_measure(binding(of), experiment.prepare)(*of_seed))
        if rows:
            found[name] = jax.tree.map(lambda *a: np.stack(a), *rows)
    return found


@functools.lru_cache(KEPT)
def _measure(bind: Callable[..., Any], prepare: Prepare) -> Callable[..., Metrics]:
    """Compiled once for a model, however often it is measured."""

    def measure(params, own, stats, x, y):
        parts = bind(own)
        return evaluate(parts.model, parts.loss, params, x, y, prepare=lambda x: prepare(stats, x))

    return jax.jit(measure, compiler_options=compiler_options())


def seed_params(params: Params, i: int) -> Params:
    """The i-th seed's parameters."""
    return jax.tree.map(lambda a: a[i], params)


def predict(config: Config, params: Params, stats: preprocess.Stats, x: np.ndarray) -> np.ndarray:
    """What one seed's model makes of inputs: class probabilities, or its outputs where there are no classes."""
    model, loss, prepare = build_model(config), build_loss(config), preparer(config.train.precision)

    @functools.partial(jax.jit, compiler_options=compiler_options())
    def some(x):
        return loss.probabilities(model.apply(params, prepare(stats, x)))

    return np.concatenate([some(x[i : i + 1000]) for i in range(0, len(x), 1000)])
