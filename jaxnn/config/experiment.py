"""From a config to what can be trained: its data, its model, its training."""

import os
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn import data as datasets
from jaxnn.config import Config, build_loss, build_model, build_optimizer
from jaxnn.config.bind import Step, free, preparer, settings_of, step_of, training_of_step
from jaxnn.data import Dataset, Splits, preprocess
from jaxnn.errors import UserError
from jaxnn.layer import Layer
from jaxnn.losses import Loss
from jaxnn.train.plan import Data, Examples, Plan, Prepare, check
from jaxnn.train.run import Training
from jaxnn.train.second_order import FullBatch, check_optimizer
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


def make_experiment(
    config: Config, *, data_dir: str | os.PathLike[str] | None = None, seeds: Sequence[int] = (0,)
) -> Experiment:
    """Loads and splits the data, fits the preprocessing on the training part, builds the model and checks it all.

    Raises `UserError` for data that are not there or not sound, and for a run that cannot be.
    """
    drawn = [config.data.seed + seed for seed in seeds] if config.data.per_seed else [config.data.seed]
    one = None if datasets.is_random(config.data.name) else load(config, data_dir, config.data.seed)
    sets = [one or load(config, data_dir, seed) for seed in drawn]
    splits = tuple(split(config, dataset, seed) for dataset, seed in zip(sets, drawn, strict=True))
    stats = tuple(
        preprocess.fit(config.data.preprocess, s.train.x, dataset.max_value)
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
    return datasets.load(config.data.name, config.data.options, data_dir=data_dir, seed=seed)


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


def first_state(experiment: Experiment, grad: str) -> State:
    """Shapes and types of the state of all seeds: what a checkpoint of this experiment holds."""
    data = experiment.data_of_seed(0)
    data = jax.tree.map(
        lambda a: jax.ShapeDtypeStruct(np.shape(a), jax.dtypes.canonicalize_dtype(np.asarray(a).dtype)), data
    )
    one = jax.eval_shape(training_of(experiment, grad).init, jax.random.key(0), data)
    return jax.tree.map(lambda a: jax.ShapeDtypeStruct((len(experiment.seeds), *a.shape), a.dtype), one)
