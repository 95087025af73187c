"""What a training needs to know of its data: the shapes of a batch, how many an epoch has, and how each is made."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import PRNGKeyArray

from jaxnn.data.rows import Corrupt
from jaxnn.errors import UserError
from jaxnn.layer import Batch

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
