"""Sources of batches: arrays in memory, a stream, or a generator. A batch is any pytree."""

import functools
from collections.abc import Callable
from typing import Any

import jax
from jax import numpy as jnp
from jaxtyping import Array, Int, PRNGKeyArray

from jaxnn.errors import UserError
from jaxnn.layer import Batch
from jaxnn.train.shuffle import permutation, stream
from jaxnn.train.source import Batches, Prepare, Source, as_float_images, count_examples, example_of, shapes_of


def order(key: PRNGKeyArray, epoch: Int[Array, ""] | int, n: int) -> Int[Array, "n"]:
    """The order in which an epoch sees n training examples: a function of the run's key and the epoch alone."""
    return permutation(jax.random.fold_in(stream(key, "order"), epoch), n)


def in_memory(
    x: Batch,
    target: Batch,
    *,
    batch_size: int | None = None,
    prepare: Prepare = as_float_images,
    stats: Any = (),
) -> Source:
    """Batches of arrays that fit into the memory of the device, in a new random order every epoch.

    x, target: arrays or pytrees of them with a leading axis of examples; 8-bit images stay so until the step
    batch_size: None: every step sees all examples. Examples that do not fill the last batch are skipped; a different
        set each epoch
    prepare(stats, (x, target)): preprocessing, inside the compiled step

    Raises `UserError` for no examples, leaves of different lengths, or a batch size beyond them.
    """
    examples = (x, target)
    n = count_examples(examples)
    if batch_size is not None:
        check_batch_size(batch_size, n)

    def positions(key, epoch, i):
        rows = jnp.arange(n) if batch_size is None else order(key, epoch, n)
        return rows[i * size : (i + 1) * size]

    size = batch_size or n
    return Source(
        example_of(examples, size, prepare, stats),
        n // size,
        lambda epoch, first, count, seeds: examples,
        full_batches(prepare) if batch_size is None else shuffled_batches(batch_size, prepare),
        prepare,
        stats,
        constant=batch_size is None,
        positions=positions,
    )


def check_batch_size(batch_size: int, n: int) -> None:
    """Raises `UserError` for a batch size that n training examples cannot have."""
    if not 1 <= batch_size <= n:
        raise UserError(f"expected a batch size of 1 … {n}, the training examples, found {batch_size}")


@functools.lru_cache(256)
def full_batches(prepare: Prepare) -> Batches:
    """The batches of full-batch training: all examples, prepared once."""

    def batches(buffer, stats):
        batch = prepare(stats, buffer)
        return lambda key, epoch: lambda i: batch

    return batches


@functools.lru_cache(256)
def shuffled_batches(batch_size: int, prepare: Prepare) -> Batches:
    """Mini-batches in the order of `order`. The same function for the same arguments, so that programs are reused."""

    def batches(buffer, stats):
        n = jax.tree.leaves(buffer)[0].shape[0]
        steps = n // batch_size

        def epoch_batches(key, epoch):
            rows = order(key, epoch, n)[: steps * batch_size].reshape(steps, batch_size)

            def batch(i):
                picked = jax.tree.map(
                    lambda a: a.at[rows[i]].get(mode="promise_in_bounds", unique_indices=True), buffer
                )
                return prepare(stats, picked)

            return batch

        return epoch_batches

    return batches


def step_key(key: PRNGKeyArray, epoch: Any, i: Any) -> PRNGKeyArray:
    """The key of dropout in the i-th step of an epoch."""
    return jax.random.fold_in(epoch_key(key, epoch), i)


def epoch_key(key: PRNGKeyArray, epoch: Any) -> PRNGKeyArray:
    """The key of dropout in an epoch of a single step."""
    return jax.random.fold_in(stream(key, "dropout"), epoch)


def generated(draw: Callable[[PRNGKeyArray], Batch], steps: int, *, prepare: Prepare = as_float_images) -> Source:
    """Batches that `draw(key)` makes inside the compiled step, a new one in every step; an epoch is `steps` of them."""
    if steps < 1:
        raise UserError(f"generated: expected at least one step an epoch, found {steps}")
    example = jax.eval_shape(lambda key: prepare((), draw(key)), jax.random.key(0))

    def batches(buffer, stats):
        del buffer

        def epoch_batches(key, epoch):
            epoch_stream = jax.random.fold_in(stream(key, "generated"), epoch)
            return lambda i: prepare(stats, draw(jax.random.fold_in(epoch_stream, i)))

        return epoch_batches

    return Source(example, steps, lambda epoch, first, count, seeds: (), batches, prepare)


def streamed(
    load: Callable[[int, int, int], Batch],
    steps: int,
    block: int,
    *,
    prepare: Prepare = as_float_images,
    stats: Any = (),
) -> Source:
    """Batches that the host reads while the device computes, for data that do not fit into its memory.

    load(epoch, first, count) -> `count` batches, stacked along a new leading axis: those of the steps from `first` on.
        It must give the same batches whenever it is asked, so that a run can resume. It may fill the same arrays again
    steps: steps of an epoch; block: batches that are loaded at a time; the last block of an epoch may have fewer

    All seeds see the same batches. Raises `UserError` for a block that no epoch has.
    """
    if not 1 <= block <= steps:
        raise UserError(f"streamed: expected a block of 1 … {steps}, the steps of an epoch, found {block}")
    first = shapes_of(load(0, 0, block))
    example = jax.eval_shape(
        prepare, shapes_of(stats), jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape[1:], a.dtype), first)
    )

    def load_block(epoch, first, count, seeds):
        return load(epoch, first, count)

    return Source(example, steps, load_block, block_batches(prepare), prepare, stats, block=block)


@functools.lru_cache(256)
def block_batches(prepare: Prepare) -> Batches:
    """The batches of a buffer that holds some of an epoch, from a multiple of their number on."""

    def batches(buffer, stats):
        size = jax.tree.leaves(buffer)[0].shape[0]
        return lambda key, epoch: lambda i: prepare(stats, jax.tree.map(lambda a: a[i % size], buffer))

    return batches
