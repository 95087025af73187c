"""From a config to its data: loaded, split, and with the preprocessing fitted on the training part.

None of it starts JAX: the processes of a run compare their data before.
"""

import os
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from jaxnn import data as datasets
from jaxnn.config.data_sizes import needs_data_sizes, with_sizes_of
from jaxnn.config.schema import Config
from jaxnn.data import Dataset, Part, Splits, preprocess
from jaxnn.data.missing import fill_missing
from jaxnn.data.novelty import one_normal_class
from jaxnn.data.series import scale_series
from jaxnn.errors import UserError
from jaxnn.kernels.devices import host_memory_bytes
from jaxnn.layer import Batch
from jaxnn.train.windows import cut_windows

#: The share of a memory that examples may fill, where the config does not say where they are.
MEMORY_SHARE = 0.25


class LoadedData(NamedTuple):
    """The data of a config. `splits` and `stats` have an entry for each seed that draws its own data, else one."""

    dataset: Dataset
    splits: tuple[Splits, ...]
    stats: tuple[preprocess.Stats, ...]


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
    splits = tuple(_in_memory_validation(_cut_windows(parts, sets[0].window)) for parts in splits)
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


def _in_memory_validation(splits: Splits) -> Splits:
    """The parts with the validation examples in memory: the compiled program evaluates all of them."""
    return splits._replace(validation=jax.tree.map(np.asarray, splits.validation))


def load_dataset(config: Config, data_dir: str | os.PathLike[str] | None, seed: int) -> Dataset:
    """The data set that a config names, before any split."""
    table = config.data
    limit = most_bytes(table.where or "auto", host_memory_bytes())
    return datasets.load(table.name, table.options, data_dir=data_dir, seed=seed, most_bytes=limit)


def split(config: Config, dataset: Dataset, seed: int) -> Splits:
    """The parts of a data set, as a config asks for them."""
    table = config.data
    sizes = {"train": table.train, "validation": table.validation, "test": table.test}
    return datasets.split(dataset, **sizes, seed=seed, shuffle=table.shuffle, stratify=table.stratify)


def with_data_sizes(config: Config, data_dir: str | os.PathLike[str] | None = None) -> Config:
    """The config with the sizes of its net that follow from the data, which are read where there are such sizes."""
    if not needs_data_sizes(config):
        return config
    return with_sizes_of(config, load_dataset(config, data_dir, config.data.seed))


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


def most_bytes(where: str, memory: int) -> int | None:
    """The bytes of examples that are kept in a memory of so many bytes; None: all that there are."""
    return {"device": None, "stream": 0}.get(where, int(MEMORY_SHARE * memory))
