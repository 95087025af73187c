"""Batches of examples that stay on the host, or on its disk: the order and the batches are those of the same examples
in the memory of the device, so a run is bit-equal to one that has them there."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxnn.data.records import record_rows
from jaxnn.data.rows import Corrupt, Rows, array_rows, read_parallel
from jaxnn.layer import Batch
from jaxnn.train.batches import block_batches, check_batch_size, order
from jaxnn.train.source import Prepare, Source, as_float_images, count_examples, example_of
from jaxnn.train.windows import EVALUATED_PLACES, cut_windows, steps_of_windows, window_starts

#: Bytes of a window of batches, unless one batch has more. Up to `BLOCKS_AHEAD` + 1 of them are in memory.
WINDOW_BYTES = 16 << 20


def random_access(
    examples: Any,
    *,
    batch_size: int,
    prepare: Prepare = as_float_images,
    stats: Any = (),
    window_bytes: int = WINDOW_BYTES,
    corrupt: Corrupt = "stop",
) -> Source:
    """Batches of examples that are read by their numbers while the device computes, in a new random order every epoch.

    examples: (x, target), arrays or pytrees of them with a leading axis of examples, such as NumPy memory maps; or one
        object with `__len__` and `__getitem__(numbers)`, which returns (x, target) of the examples with these numbers,
        or with `__getitems__(numbers)`, which returns a list of examples
    prepare(stats, (x, target)): preprocessing, inside the compiled step
    window_bytes: of the batches that are read at a time; two such windows are read ahead by threads
    corrupt: what an example does that cannot be read: "stop" the run with its number, or "skip": the next one that can
        be read takes its place

    The run is bit-equal to one of `jaxnn.in_memory`, and resumes at any step. Each seed has its own order, so memory
    and reading grow with the seeds of a run.
    Raises `UserError` for no examples, arrays of different lengths, or a batch size beyond them.
    """
    stored = stored_examples(examples)
    n = count_examples(stored)
    check_batch_size(batch_size, n)
    steps = n // batch_size

    @functools.lru_cache(2)
    def rows_of(seed: int, epoch: int) -> np.ndarray:
        return np.asarray(_order(jax.random.key(seed), epoch, n))[: steps * batch_size].reshape(steps, batch_size)

    def positions(key, epoch, i):
        return order(key, epoch, n)[i * batch_size : (i + 1) * batch_size]

    return Source(
        example_of(stored, batch_size, prepare, stats),
        steps,
        _loader(stored, rows_of, corrupt),
        block_batches(prepare),
        prepare,
        stats,
        block=_block(stored, batch_size, steps, window_bytes),
        positions=positions,
        per_seed=True,
        stored=stored,
        corrupt=corrupt,
    )


def random_access_windows(
    x: Any,
    target: Any,
    length: int,
    *,
    batch_size: int,
    steps: int | None = None,
    prepare: Prepare = as_float_images,
    stats: Any = (),
    window_bytes: int = WINDOW_BYTES,
    corrupt: Corrupt = "stop",
) -> Source:
    """Windows of a long sequence that stays on the host: `jaxnn.windows`, read as `random_access` reads examples."""
    stored = stored_examples((x, target))
    places = count_examples(stored)
    steps = steps_of_windows(places, length, batch_size, steps)

    @functools.lru_cache(2)
    def rows_of(seed: int, epoch: int) -> np.ndarray:
        return np.asarray(_starts(jax.random.key(seed), epoch, places, length, batch_size, steps))

    def places_of(starts: np.ndarray) -> np.ndarray:
        return starts[..., None] + np.arange(length, dtype=starts.dtype)

    first = jax.tree.map(lambda a: jax.ShapeDtypeStruct((1, length, *a.shape[1:]), a.dtype), stored)
    return Source(
        example_of(first, batch_size, prepare, stats),
        steps,
        _loader(stored, rows_of, corrupt, places_of),
        block_batches(prepare),
        prepare,
        stats,
        block=_block(stored, batch_size * length, steps, window_bytes),
        rows=max(1, EVALUATED_PLACES // length),
        per_seed=True,
        stored=cut_windows(stored, length),
        corrupt=corrupt,
    )


def stored_examples(examples: Any) -> Batch:
    """Examples as a pytree of `Rows`. Raises UserError for what has none."""
    if isinstance(examples, tuple | list | dict):
        return jax.tree.map(lambda a: a if isinstance(a, Rows) else array_rows(a), examples)
    return record_rows(examples)


def _loader(
    stored: Batch,
    rows_of: Callable[[int, int], np.ndarray],
    corrupt: Corrupt,
    numbers_of: Callable[[np.ndarray], np.ndarray] = lambda rows: rows,
) -> Callable[[int, int, int, tuple[int, ...]], Batch]:
    """The function `load` of a source: the batches of each seed, (seeds, batches, batch, …).

    rows_of(seed, epoch) -> the rows of each batch; numbers_of(rows) -> the numbers of the records that are read
    """

    def load(epoch, first, count, seeds):
        numbers = numbers_of(np.stack([rows_of(seed, epoch)[first : first + count] for seed in seeds]))
        read = read_parallel(stored, numbers.ravel(), corrupt)
        return jax.tree.map(lambda a: a.reshape(*numbers.shape, *a.shape[1:]), read)

    return load


def _block(stored: Batch, batch_rows: int, steps: int, window_bytes: int) -> int:
    """The steps whose batches, each of so many rows, fit into a window; one at least."""
    batch_bytes = batch_rows * sum(leaf.nbytes // len(leaf) for leaf in jax.tree.leaves(stored))
    return min(steps, max(1, window_bytes // max(1, batch_bytes)))


@functools.partial(jax.jit, static_argnums=2)
def _order(key: Any, epoch: Any, n: int) -> jax.Array:
    return order(key, epoch, n)


@functools.partial(jax.jit, static_argnums=(2, 3, 4, 5))
def _starts(key: Any, epoch: Any, places: int, length: int, batch_size: int, steps: int) -> jax.Array:
    return window_starts(key, epoch, places, length, batch_size, steps)
