"""Batches of windows: pieces of one long sequence, such as a text, whose rows are its places."""

import functools
import math
from typing import Any

import jax
from jax import numpy as jnp
from jaxtyping import Array, Int, PRNGKeyArray

from jaxnn.data.rows import Rows
from jaxnn.errors import UserError
from jaxnn.layer import Batch
from jaxnn.train.batches import order
from jaxnn.train.shuffle import stream
from jaxnn.train.source import Batches, Prepare, Source, as_float_images, count_examples, example_of

#: Places that an evaluation takes at a time. Eight times as many take 1.1 to 1.2 times as long on a CPU, whose caches
#: they do not fit.
EVALUATED_PLACES = 1 << 13


def windows(
    x: Batch,
    target: Batch,
    length: int,
    *,
    batch_size: int,
    steps: int | None = None,
    prepare: Prepare = as_float_images,
    stats: Any = (),
) -> Source:
    """Windows of a long sequence: a batch is (x[i : i + length], target[i : i + length]) for several places i.

    x, target: arrays (n, ...) or pytrees of them; row t is the input at place t, and what is to be told there. For a
        language model x holds the tokens, and target the tokens after them
    length: places of a window
    steps: of an epoch; None: one pass, as many as the sequence has windows side by side
    prepare(stats, (x, target)): preprocessing of batches (batch, length, ...)

    An epoch cuts the sequence into windows side by side, from a place that is drawn, and takes them in a random order:
    a pass sees no place twice. More steps than those of a pass begin another one, from another place.
    Raises UserError for a sequence shorter than a batch of windows.
    """
    number = steps_of_windows(count_examples((x, target)), length, batch_size, steps)
    examples = (x, target)
    first = jax.tree.map(lambda a: jax.ShapeDtypeStruct((1, length, *a.shape[1:]), a.dtype), examples)
    return Source(
        example_of(first, batch_size, prepare, stats),
        number,
        lambda epoch, first, count, seeds: examples,
        window_batches(length, batch_size, number, prepare),
        prepare,
        stats,
        rows=max(1, EVALUATED_PLACES // length),
        examples=functools.partial(cut_windows, length=length),
    )


def steps_of_windows(places: int, length: int, batch_size: int, steps: int | None) -> int:
    """The steps of an epoch of windows. Raises UserError for a sequence shorter than a batch of windows."""
    # The first window may begin at up to length − 1 places, which are left out of the epoch.
    available = (places - length + 1) // length
    most = available // batch_size if batch_size > 0 else 0
    if length < 1 or most < 1:
        raise UserError(
            f"expected a sequence of at least {batch_size} windows of {length} places, found {places:,} places, "
            f"{max(available, 0)} windows; choose a smaller window or batch size, or a longer sequence"
        )
    if steps is not None and steps < 1:
        raise UserError(f"expected at least one step an epoch, found {steps}")
    return steps or most


@functools.lru_cache(256)
def window_batches(length: int, batch_size: int, steps: int, prepare: Prepare) -> Batches:
    """The batches of `windows`. The same function for the same arguments, so that programs are reused."""

    def batches(buffer, stats):
        places = jax.tree.leaves(buffer)[0].shape[0]

        def epoch_batches(key, epoch):
            starts = window_starts(key, epoch, places, length, batch_size, steps)

            def batch(i):
                index = starts[i][:, None] + jnp.arange(length, dtype=starts.dtype)[None]
                return prepare(stats, jax.tree.map(lambda a: a.at[index].get(mode="promise_in_bounds"), buffer))

            return batch

        return epoch_batches

    return batches


def window_starts(
    key: PRNGKeyArray, epoch: Any, places: int, length: int, batch_size: int, steps: int
) -> Int[Array, "steps batch"]:
    """Where the windows of each batch of an epoch begin."""
    available = (places - length + 1) // length
    steps_of_pass = available // batch_size
    passes = math.ceil(steps / steps_of_pass)

    def pass_starts(i):
        rows = order(key, i, available)[: steps_of_pass * batch_size].reshape(steps_of_pass, batch_size)
        offset = jax.random.randint(jax.random.fold_in(stream(key, "windows"), i), (), 0, length, rows.dtype)
        return offset + rows * length

    return jnp.concatenate([pass_starts(epoch * passes + i) for i in range(passes)])


def cut_windows(part: Batch, length: int) -> Batch:
    """The places of a part as windows side by side, (windows, length, ...), for evaluation; a rest is left out.

    Raises UserError for a part shorter than one window.
    """
    places = count_examples(part)
    if places < length:
        raise UserError(
            f"expected a part of at least one window of {length} places, found {places}; choose a smaller window, a "
            "larger part or a longer sequence"
        )
    whole = places // length * length

    def cut(a):
        return a.windows(length) if isinstance(a, Rows) else a[:whole].reshape(-1, length, *a.shape[1:])

    return jax.tree.map(cut, part)
