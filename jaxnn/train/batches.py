"""Where batches come from: arrays in memory, a stream, or a generator. A batch is any pytree."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Int, PRNGKeyArray

from jaxnn.data.rows import Corrupt
from jaxnn.errors import UserError
from jaxnn.layer import Batch
from jaxnn.train.shuffle import permutation, stream

#: Examples that an evaluation takes at a time.
EVALUATED_AT_ONCE = 1000

#: (stats, batch) -> the batch as the model sees it
Prepare = Callable[[Any, Batch], Batch]
#: (buffer, stats) -> (key, epoch) -> (step) -> batch
Batches = Callable[[Any, Any], Callable[[PRNGKeyArray, Any], Callable[[Any], Batch]]]


class Source(NamedTuple):
    """Where the batches of a training come from.

    example: the shapes of one batch, as the model sees it
    steps: steps of an epoch
    load(epoch, first, count, seeds) -> buffer      on the host: what the steps `first` … `first + count − 1` of an
        epoch need
    batches(buffer, stats)(key, epoch)(i) -> batch      traced; the i-th batch of an epoch. What depends on the buffer
        alone is computed once a call, what depends on the epoch once an epoch: the order of 60,000 examples takes
        1.1 ms, a step of a small net 0.1
    prepare(stats, batch) -> batch          traced: preprocessing; evaluation and prediction use it too
    stats: arrays that `prepare` needs, such as the mean of the training inputs
    constant: every step sees the same batch (full-batch training)
    block: steps for which `load` is called at a time; 0: it is called once, and gives what all epochs need
    per_seed: the buffer has a leading axis of seeds
    rows: examples that an evaluation takes at a time; None: all
    stored: the training examples of a stream that reads them by their numbers
    corrupt: what one of them does that cannot be read
    examples(buffer) -> the training examples, as an evaluation takes them; None: those that the buffer holds
    positions(key, epoch, i) -> where the examples of a batch stand in the data, for messages; None: not known
    """

    example: Batch
    steps: int
    load: Callable[[int, int, int, tuple[int, ...]], Any]
    batches: Batches
    prepare: Prepare
    stats: Any = ()
    constant: bool = False
    block: int = 0
    rows: int | None = EVALUATED_AT_ONCE
    positions: Callable[[PRNGKeyArray, Any, int], Any] | None = None
    examples: Callable[[Any], Batch] | None = None
    per_seed: bool = False
    stored: Batch | None = None
    corrupt: Corrupt = "stop"

    def training_examples(self) -> Batch | None:
        """All training examples before `prepare`; None for a stream or a generator, which has none at hand.

        Their arrays may be `jaxnn.data.rows.Rows`, which are read when they are asked for.
        """
        if self.stored is not None:
            return self.stored
        buffer = None if self.block else self.load(0, 0, self.steps, ())
        if not jax.tree.leaves(buffer):
            return None
        return buffer if self.examples is None else self.examples(buffer)


def as_float_images(stats: Any, batch: Batch) -> Batch:
    """A batch whose 8-bit images are float32 numbers 0 … 255; all else is as it is. The default of `prepare`."""
    del stats
    return jax.tree.map(lambda a: a.astype(jnp.float32) if a.dtype == jnp.uint8 else jnp.asarray(a), batch)


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


def count_examples(examples: Batch) -> int:
    """The length of the leading axis.

    Raises `UserError` for what is no array of numbers, for no examples, and for leaves of different lengths.
    """
    for path, leaf in jax.tree_util.tree_leaves_with_path(examples):
        dtype = getattr(leaf, "dtype", None)
        if dtype is None or getattr(dtype, "kind", "") in ("O", "S", "U", "M"):
            where, kind = jax.tree_util.keystr(path), type(leaf).__name__ if dtype is None else f"an array of {dtype}"
            raise UserError(
                f"examples (x, target): expected arrays of numbers, found {kind} at {where}; convert lists with "
                "numpy.asarray, names of classes to integer labels"
            )
    if isinstance(examples, tuple) and len(examples) == 2 and any(not jax.tree.leaves(part) for part in examples):
        raise UserError("examples (x, target): expected arrays for both, found none")
    lengths = {np.shape(leaf)[0] if np.ndim(leaf) else 0 for leaf in jax.tree.leaves(examples)}
    if len(lengths) != 1 or 0 in lengths:
        raise UserError(
            f"expected as many targets as training examples, at least one, "
            f"found arrays of {', '.join(map(str, sorted(lengths))) or 'no'} examples"
        )
    return lengths.pop()


def shapes_of(tree: Any) -> Any:
    """Shapes and types of a tree of arrays, as JAX will hold them."""
    return jax.tree.map(
        lambda a: jax.ShapeDtypeStruct(np.shape(a), jax.dtypes.canonicalize_dtype(getattr(a, "dtype", type(a)))), tree
    )


def example_of(examples: Batch, n: int, prepare: Prepare, stats: Any) -> Batch:
    """Shapes and types of a batch of n of the examples, as the model sees it."""
    rows = jax.tree.map(lambda a: jax.ShapeDtypeStruct((n, *a.shape[1:]), a.dtype), shapes_of(examples))
    return jax.eval_shape(prepare, shapes_of(stats), rows)


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
        It must give the same batches whenever it is asked, so that a run can resume
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
