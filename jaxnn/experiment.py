"""From a config to a result: its data, its model, its training, and what came of it."""

import functools
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn import data as datasets
from jaxnn.backprop import apply
from jaxnn.binding import Step, binding, free, preparer, settings_of, step_of, training_of_step
from jaxnn.compiling import compiler_options
from jaxnn.config import Config, build_loss, build_model, build_optimizer
from jaxnn.data import Dataset, Part, Splits, preprocess
from jaxnn.errors import UserError
from jaxnn.layer import Layer, Params
from jaxnn.losses import Loss
from jaxnn.train.care import Care
from jaxnn.train.diagnosis import diagnose
from jaxnn.train.live import Outcome, Progress, run_live
from jaxnn.train.metrics import Metrics, evaluate
from jaxnn.train.plan import Data, Examples, Plan, Prepare, check
from jaxnn.train.program import KEPT
from jaxnn.train.run import Training
from jaxnn.train.second_order import FullBatch, check_optimizer
from jaxnn.train.seeds import how_here
from jaxnn.train.snapshot import Snapshot
from jaxnn.train.state import State


class Experiment(NamedTuple):
    """A config made concrete. `splits` and `stats` have an entry for each seed that draws its own data, else one."""

    config: Config
    dataset: Dataset
    splits: tuple[Splits, ...]
    stats: tuple[preprocess.Stats, ...]
    model: Layer
    loss: Loss
    plan: Plan
    seeds: tuple[int, ...]

    @property
    def prepare(self) -> Prepare:
        return preparer(self.config.train.precision)

    def of_seed(self, i: int) -> tuple[Splits, preprocess.Stats]:
        """The data of the i-th seed."""
        return self.splits[i % len(self.splits)], self.stats[i % len(self.stats)]

    def data_of_seed(self, i: int) -> Data:
        """The same as a training takes it."""
        return _data(*self.of_seed(i))


class Result(NamedTuple):
    """What came of an experiment. Every leaf has a leading axis of seeds.

    outcome: the last state and the history
    scores: part ("train", "validation", "test") -> metrics of the best parameters
    """

    outcome: Outcome
    scores: dict[str, Metrics]


def make_experiment(
    config: Config, *, data_dir: str | os.PathLike[str] | None = None, seeds: Sequence[int] = (0,)
) -> Experiment:
    """Loads and splits the data, fits the preprocessing on the training part, builds the model and checks it all.

    Raises `UserError` for data that are not there or not sound, and for a run that cannot be.
    """
    drawn = [config.data.seed + seed for seed in seeds] if config.data.per_seed else [config.data.seed]
    one = None if datasets.is_drawn(config.data.name) else load(config, data_dir, config.data.seed)
    sets = [one or load(config, data_dir, seed) for seed in drawn]
    splits = tuple(split(config, dataset, seed) for dataset, seed in zip(sets, drawn, strict=True))
    stats = tuple(
        preprocess.fit(config.data.preprocess, s.train.x, dataset.white)
        for s, dataset in zip(splits, sets, strict=True)
    )
    seeds = tuple(seeds)
    return _checked(
        Experiment(config, sets[0], splits, stats, build_model(config), build_loss(config), plan_of(config), seeds)
    )


def plan_of(config: Config) -> Plan:
    """How long to train, and what to keep."""
    train = config.train
    return Plan(train.epochs, train.batch_size, train.best, train.patience, train.record_every)


def with_config(experiment: Experiment, config: Config) -> Experiment:
    """The experiment of another config on the same data, checked."""
    built = {"model": build_model(config), "loss": build_loss(config), "plan": plan_of(config)}
    return _checked(experiment._replace(config=config, **built))


def _checked(experiment: Experiment) -> Experiment:
    config, x = experiment.config, experiment.splits[0].train.x
    first = experiment.data_of_seed(0)
    check(experiment.model, first, experiment.plan, experiment.prepare)
    optimizer = build_optimizer(config)
    if config.augment is not None and (np.ndim(x) != 4 or isinstance(optimizer, FullBatch)):
        raise UserError(
            f"[augment]: expected images and a first-order optimizer, "
            f"found examples of shape {x.shape[1:]} and {config.optimizer.name}"
        )
    check_optimizer(optimizer, experiment.model, experiment.loss, first, experiment.plan, experiment.prepare)
    return experiment


def load(config: Config, data_dir: str | os.PathLike[str] | None, seed: int) -> Dataset:
    return datasets.load(config.data.name, data_dir=data_dir, seed=seed, **config.data.options)


def example_shape(config: Config, data_dir: str | os.PathLike[str] | None) -> tuple[int, ...]:
    """The shape of one input; MNIST's is known without its files."""
    return (28, 28, 1) if config.data.name == "mnist" else load(config, data_dir, config.data.seed).train.x.shape[1:]


def split(config: Config, dataset: Dataset, seed: int) -> Splits:
    wanted = config.data
    sizes = {"train": wanted.train, "validation": wanted.validation, "test": wanted.test}
    return datasets.split(dataset, **sizes, seed=seed, shuffle=wanted.shuffle)


def _data(splits: Splits, stats: preprocess.Stats) -> Data:
    validation = splits.validation
    return Data(Examples(*splits.train), None if validation is None else Examples(*validation), stats)


def device_data(experiment: Experiment) -> Data:
    """The data as the training takes it, stacked over the seeds where each draws its own."""
    parts = [_data(s, stats) for s, stats in zip(experiment.splits, experiment.stats, strict=True)]
    if len(parts) == 1:
        return jax.tree.map(jnp.asarray, parts[0])
    return jax.tree.map(lambda *a: jnp.stack([jnp.asarray(b) for b in a]), *parts)


def step(experiment: Experiment, grad: str = "hand") -> Step:
    """The step that the config asks for, by hand-derived backprop or by autodiff; what numbers can be are inputs."""
    names = free(experiment.config, experiment.data_of_seed(0), grad=grad)
    return step_of(experiment.config, names, grad)


def settings(experiment: Experiment, of: Step) -> dict[str, np.ndarray]:
    """The numbers that the step takes, for each seed."""
    own = settings_of(experiment.config, of.names)
    return {name: np.full(len(experiment.seeds), value) for name, value in own.items()}


def training_of(experiment: Experiment, grad: str) -> Training:
    """The training that the config asks for, by hand-derived backprop or by autodiff, with its own numbers."""
    of = step(experiment, grad)
    training, own = training_of_step(of), settings_of(experiment.config, of.names)

    def init(key, data):
        return training.init(key, data, {name: jnp.asarray(value) for name, value in own.items()})

    return training._replace(init=init)


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


def first_state(experiment: Experiment, grad: str) -> State:
    """Shapes and types of the state of all seeds: what a checkpoint of this experiment holds."""
    data = experiment.data_of_seed(0)
    data = jax.tree.map(
        lambda a: jax.ShapeDtypeStruct(np.shape(a), jax.dtypes.canonicalize_dtype(np.asarray(a).dtype)), data
    )
    one = jax.eval_shape(training_of(experiment, grad).init, jax.random.key(0), data)
    return jax.tree.map(lambda a: jax.ShapeDtypeStruct((len(experiment.seeds), *a.shape), a.dtype), one)


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
        return loss.probabilities(apply(model, params, prepare(stats, x)))

    return np.concatenate([some(x[i : i + 1000]) for i in range(0, len(x), 1000)])
