"""Where the batches of a config come from: examples on the device, or a stream."""

import jax

from jaxnn.config.loaded_data import LoadedData, most_bytes
from jaxnn.config.schema import Config
from jaxnn.data import Dataset, Part, preprocess
from jaxnn.data.rows import has_rows
from jaxnn.errors import UserError
from jaxnn.kernels.devices import memory_bytes
from jaxnn.train.batches import in_memory
from jaxnn.train.random_access import random_access, random_access_windows
from jaxnn.train.source import Prepare, Source
from jaxnn.train.windows import windows


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


def is_streamed(config: Config, data: LoadedData) -> bool:
    """Whether the training examples are read while the device computes. Raises `UserError` where they cannot be."""
    train = tuple(data.splits[0].train)
    where = config.data.where or "auto"
    limit = most_bytes(where, memory_bytes())
    is_large = limit is not None and sum(leaf.nbytes for leaf in jax.tree.leaves(train)) > limit
    fills_memory = where == "auto" and is_large and config.train.batch_size is not None
    if not (has_rows(train) or where == "stream" or fills_memory):
        return False
    if config.train.batch_size is None:
        raise UserError("data.where: expected mini-batches for a stream, found train.batch_size = 'full'; set a number")
    if len(data.splits) > 1:
        raise UserError("data.where: expected one data set for all seeds for a stream, found data.per_seed = true")
    return True
