"""From a config to an experiment: its data, its update, its plan."""

import functools
import os
from collections.abc import Sequence

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn import data as datasets
from jaxnn.config.bind import bind_hyperparameters, hyperparameters, traceable_hyperparameters, training_key
from jaxnn.config.data_sizes import with_sizes_of
from jaxnn.config.dump import config_hash, dump, to_builtins
from jaxnn.config.loaded_data import LoadedData, load_data, parts_of
from jaxnn.config.schema import Config
from jaxnn.config.sources import is_streamed, source_of
from jaxnn.data import preprocess
from jaxnn.errors import UserError
from jaxnn.experiment.definition import DataInfo, Experiment, Record
from jaxnn.layer import Batch
from jaxnn.targets import Weighted
from jaxnn.train.flow import flow_noise
from jaxnn.train.plan import Plan
from jaxnn.train.sharing import ORDERED_PARTS, Sharing
from jaxnn.train.source import Prepare


def make_experiment(
    config: Config,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    seeds: Sequence[int] = (0,),
    grad: str = "hand",
) -> Experiment:
    """The experiment that a config describes: loads and splits the data, fits the preprocessing, checks it all.

    grad: "hand" or "auto", the kind of gradient
    Raises `UserError` for data that are missing or invalid, and for a run that cannot be.
    """
    return experiment_of(config, load_data(config, data_dir=data_dir, seeds=seeds), seeds=seeds, grad=grad)


def experiment_of(
    config: Config,
    data: LoadedData,
    *,
    seeds: Sequence[int],
    grad: str = "hand",
    traced: tuple[str, ...] | None = None,
) -> Experiment:
    """The experiment of a config on data that are loaded, checked.

    traced: the names of the numbers that are inputs of the program; default: all that can be
    """
    config = with_sizes_of(config, data.dataset)
    prepare = preparer(config.train.precision, wanted_of(config))
    splits, stats = data.splits[0], data.stats[0]
    dataset, table = data.dataset, config.train
    source = source_of(config, dataset, splits.train, prepare, stats, is_stream=is_streamed(config, data))
    if config.augment is not None and (np.ndim(splits.train.x) != 4 or source.constant):
        raise UserError(
            f"[augment]: expected images and mini-batches, found examples of shape {splits.train.x.shape[1:]} and "
            f"batch_size = {config.train.batch_size or 'full'}"
        )
    train, validation, test = parts_of(data)
    stacked = len(data.splits) > 1
    if stacked:
        # Each seed has its own data: every array has a leading axis of seeds.
        stats = jax.tree.map(lambda *a: np.stack(a), *data.stats)
        source = source._replace(load=lambda epoch, first, count, seeds: train, stats=stats)
    names = traceable_hyperparameters(config, source.example, grad=grad) if traced is None else traced
    info = DataInfo(dataset.name, tuple(dataset.classes), dataset.max_value, dataset.reader, tuple(dataset.targets))
    return Experiment(
        bind_hyperparameters(training_key(config, names, grad)),
        source,
        plan_of(config),
        validation,
        test,
        hyperparameters(config, names),
        tuple(seeds),
        config.title,
        info,
        stacked,
        record_of(config, grad),
        Sharing(parts=ORDERED_PARTS if table.reduction == "ordered" else None),
    ).check()


def record_of(config: Config, grad: str) -> Record:
    """What a run's folder writes down of a config."""
    facts = {
        "config": to_builtins(config),
        "config_sha256": config_hash(config),
        "grad": grad,
        "precision": config.train.precision,
    }
    return Record({"config.toml": dump(config)}, facts)


def plan_of(config: Config) -> Plan:
    """How long to train, and what to keep."""
    train, checkpoint = config.train, config.checkpoint
    return Plan(
        train.epochs,
        train.best,
        train.patience,
        train.eval_every,
        train.on_nonfinite,
        checkpoint.epochs,
        checkpoint.minutes,
        checkpoint.keep,
    )


def wanted_of(config: Config) -> str:
    """What `preparer` makes of the targets of a config's data."""
    return "normal" if config.data.normal is not None else config.train.target


@functools.cache
def preparer(precision: str, wanted: str = "data") -> Prepare:
    """What the model sees of a batch (x, target): x preprocessed, in a precision.

    wanted: "data" leaves the target as it is; "input" puts the prepared x in its place, as an autoencoder needs it;
        "normal" does so, too, and gives examples that are new (label 1) the weight 0
    """

    def prepare(stats, batch):
        x, target = batch
        x = jax.tree.map(in_precision, preprocess.apply(stats, x))
        if wanted == "normal" and target is not None:
            return x, Weighted(x, 1 - target.astype(jnp.float32))
        return x, target if wanted == "data" else x

    def in_precision(a):
        return a.astype(jnp.dtype(precision)) if jnp.issubdtype(a.dtype, jnp.floating) else a

    return prepare


def example_input(config: Config, data_dir: str | os.PathLike[str] | None = None) -> Batch:
    """The shape and type of a batch of one input, as the model sees it; for some data sets without their files.

    A generator sees latent numbers, and a net of flow matching noise, the time and the class.
    """
    players = config.adversarial
    if players is not None:
        columns = players.latent + (players.classes if players.conditional else 0)
        return jax.ShapeDtypeStruct((1, columns), jnp.dtype(config.train.precision))
    table, prepare = config.data, preparer(config.train.precision)
    x = datasets.example_input(table.name, table.options, data_dir=data_dir, seed=table.seed)
    plain = preprocess.fit("none", x, 1.0)
    seen = jax.eval_shape(lambda x: prepare(plain, (x, None))[0], x)
    if config.noise is None or config.noise.name != "flow":
        return seen
    noise = flow_noise(**config.noise.options)
    labels = jax.ShapeDtypeStruct((1,), jnp.int32)
    return jax.eval_shape(lambda x, labels: noise.apply(jax.random.key(0), x, labels)[0], seen, labels)
