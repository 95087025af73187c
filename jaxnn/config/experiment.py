"""From a config to an experiment: its data, its update, its plan."""

import functools
import os
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn import data as datasets
from jaxnn.config.bind import bind_hyperparameters, hyperparameters, traceable_hyperparameters, training_key
from jaxnn.config.data_sizes import needs_data_sizes, with_sizes_of
from jaxnn.config.dump import config_hash, dump, to_builtins
from jaxnn.config.schema import Config
from jaxnn.data import Dataset, Part, Splits, preprocess
from jaxnn.data.missing import fill_missing
from jaxnn.data.novelty import one_normal_class
from jaxnn.data.rows import has_rows
from jaxnn.data.series import scale_series
from jaxnn.errors import UserError
from jaxnn.experiment.definition import DataInfo, Experiment, Record
from jaxnn.kernels.devices import memory_bytes
from jaxnn.layer import Batch
from jaxnn.targets import Weighted
from jaxnn.train.batches import Prepare, Source, in_memory
from jaxnn.train.flow import flow_noise
from jaxnn.train.plan import Plan
from jaxnn.train.random_access import random_access, random_access_windows
from jaxnn.train.sharing import ORDERED_PARTS, Sharing
from jaxnn.train.windows import cut_windows, windows

#: The share of the memory that examples may fill before they are streamed, where the config does not say.
MEMORY_SHARE = 0.25


class LoadedData(NamedTuple):
    """The data of a config. `splits` and `stats` have an entry for each seed that draws its own data, else one."""

    dataset: Dataset
    splits: tuple[Splits, ...]
    stats: tuple[preprocess.Stats, ...]


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


def load_data(
    config: Config, *, data_dir: str | os.PathLike[str] | None = None, seeds: Sequence[int] = (0,)
) -> LoadedData:
    """The data of a config, split and with the preprocessing fitted on the training part."""
    table = config.data
    data_seeds = [table.seed + seed for seed in seeds] if table.per_seed else [table.seed]
    shared = None if datasets.is_random(table.name) else load_dataset(config, data_dir, table.seed)
    sets = [shared or load_dataset(config, data_dir, seed) for seed in data_seeds]
    if sets[0].has_missing and len(sets) > 1:
        raise UserError(
            "data.per_seed: expected one split for all seeds with missing = 'mean', found one for each seed; set "
            "per_seed = false, or missing = 'drop'"
        )
    splits = tuple(split(config, dataset, seed) for dataset, seed in zip(sets, data_seeds, strict=True))
    if table.normal is not None:
        pairs = [one_normal_class(*pair, str(table.normal)) for pair in zip(sets, splits, strict=False)]
        sets, splits = [dataset for dataset, _ in pairs], tuple(parts for _, parts in pairs)
    splits = tuple(_in_memory_held_out(_cut_windows(parts, sets[0].window)) for parts in splits)
    if sets[0].has_missing:
        filled, parts = fill_missing(sets[0], splits[0])
        sets, splits = [filled], (parts,)
    if sets[0].horizon:
        scaled = [scale_series(dataset, parts) for dataset, parts in zip(sets, splits, strict=True)]
        sets, splits = [dataset for dataset, _ in scaled], tuple(parts for _, parts in scaled)
    stats = tuple(
        preprocess.fit(table.preprocess, s.train.x, dataset.max_value) for s, dataset in zip(splits, sets, strict=True)
    )
    return LoadedData(sets[0], splits, stats)


def _cut_windows(splits: Splits, window: int) -> Splits:
    """The parts with the held-out places of a long sequence as windows; the training draws its own."""
    if not window:
        return splits
    held_out = (None if part is None else Part(*cut_windows(tuple(part), window)) for part in splits[1:])
    return Splits(splits.train, *held_out)


def _in_memory_held_out(splits: Splits) -> Splits:
    """The parts with the held-out examples in memory: the compiled program evaluates all of them."""
    return Splits(splits.train, *(jax.tree.map(np.asarray, part) for part in splits[1:]))


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


def is_streamed(config: Config, data: LoadedData) -> bool:
    """Whether the training examples are read while the device computes. Raises `UserError` where they cannot be."""
    train = tuple(data.splits[0].train)
    where = config.data.where or "auto"
    limit = most_bytes(where)
    is_large = limit is not None and sum(leaf.nbytes for leaf in jax.tree.leaves(train)) > limit
    fills_memory = where == "auto" and is_large and config.train.batch_size is not None
    if not (has_rows(train) or where == "stream" or fills_memory):
        return False
    if config.train.batch_size is None:
        raise UserError("data.where: expected mini-batches for a stream, found train.batch_size = 'full'; set a number")
    if len(data.splits) > 1:
        raise UserError("data.where: expected one data set for all seeds for a stream, found data.per_seed = true")
    return True


def most_bytes(where: str) -> int | None:
    """The bytes of examples that are kept in the memory of the device; None: all that there are."""
    return {"device": None, "stream": 0}.get(where, int(MEMORY_SHARE * memory_bytes()))


def source_of(
    config: Config, dataset: Dataset, train: Part, prepare: Prepare, stats: preprocess.Stats, *, is_stream: bool
) -> Source:
    """Where the batches of a config come from."""
    table, corrupt = config.train, config.data.corrupt or "stop"
    if table.steps is not None and not dataset.window:
        raise UserError("train.steps: expected a text, found examples, of which an epoch takes each once; remove it")
    if not dataset.window:
        if not is_stream:
            return in_memory(*train, batch_size=table.batch_size, prepare=prepare, stats=stats)
        assert table.batch_size is not None
        return random_access(tuple(train), batch_size=table.batch_size, prepare=prepare, stats=stats, corrupt=corrupt)
    if table.batch_size is None:
        raise UserError("train.batch_size: expected the windows of a step, found full; set a number, such as 32")
    options = {"batch_size": table.batch_size, "steps": table.steps, "prepare": prepare, "stats": stats}
    if is_stream:
        return random_access_windows(*train, dataset.window, corrupt=corrupt, **options)
    return windows(*train, dataset.window, **options)


def parts_of(data: LoadedData) -> tuple[Batch | None, ...]:
    """The parts of the data as pairs (x, target), with a leading axis of seeds where each seed has its own data."""

    def part_of(parts: Sequence[Part | None]) -> Batch | None:
        pairs = [tuple(part) for part in parts if part is not None]
        if len(pairs) < 2:
            return pairs[0] if pairs else None
        return jax.tree.map(lambda *a: np.stack(a), *pairs)

    return tuple(part_of(parts) for parts in zip(*data.splits, strict=True))


def evaluated_parts(data: LoadedData) -> list[Batch | None]:
    """The parts of the first seed as an evaluation takes them: a long sequence is cut into windows."""
    train, *held_out = (None if part is None else tuple(part) for part in data.splits[0])
    assert train is not None
    return [cut_windows(train, data.dataset.window) if data.dataset.window else train, *held_out]


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


def load_dataset(config: Config, data_dir: str | os.PathLike[str] | None, seed: int) -> Dataset:
    """The data set that a config names, before any split."""
    table = config.data
    limit = most_bytes(table.where or "auto")
    return datasets.load(table.name, table.options, data_dir=data_dir, seed=seed, most_bytes=limit)


def with_data_sizes(config: Config, data_dir: str | os.PathLike[str] | None = None) -> Config:
    """The config with the sizes of its net that follow from the data, which are read where there are such sizes."""
    if not needs_data_sizes(config):
        return config
    return with_sizes_of(config, load_dataset(config, data_dir, config.data.seed))


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


def split(config: Config, dataset: Dataset, seed: int) -> Splits:
    """The parts of a data set, as a config asks for them."""
    table = config.data
    sizes = {"train": table.train, "validation": table.validation, "test": table.test}
    return datasets.split(dataset, **sizes, seed=seed, shuffle=table.shuffle, stratify=table.stratify)
