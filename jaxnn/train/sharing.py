"""A step that several devices share: each computes the gradient of some rows of the batch.

The parameters are on every device, and every device takes the same step. Only the gradient is shared out: one
collective operation a step puts it together, and what was measured with it.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaxnn.errors import UserError, plural
from jaxnn.kernels.batch_rows import batch_rows
from jaxnn.layer import Batch
from jaxnn.quantities import Quantity, merged
from jaxnn.train.step import Update

#: The axis of the devices that share a batch.
AXIS = "batch"
#: The parts of a batch whose gradients are added in their order: as many devices can share it, with the same bits.
ORDERED_PARTS = 8


class Sharing(NamedTuple):
    """How the devices share a step.

    devices: that each compute a part of the batch; 1: one computes it all
    parts: of the batch, of which each device computes one or several, and whose gradients are added in their order: any
        number of devices up to this gives the same bits. None: as many parts as devices, added in any order, which
        takes less time and memory; another number of devices differs in the last bits
    """

    devices: int = 1
    parts: int | None = None

    @property
    def is_shared(self) -> bool:
        """Whether a step is computed in parts."""
        return self.devices > 1 or self.parts is not None

    @property
    def pieces(self) -> int:
        """The parts of equal size that a batch is cut into."""
        return self.parts or self.devices

    @property
    def rounds(self) -> int:
        """The parts that a device computes, one after the other."""
        return -(-self.pieces // self.devices)


def check_sharing(sharing: Sharing, update: Update, example: Batch) -> None:
    """Raises `UserError` for a step that cannot be shared so."""
    if sharing.devices < 1 or (sharing.parts is not None and sharing.parts < 1):
        raise UserError(f"sharing: expected at least 1 device and 1 part, found {sharing.devices} and {sharing.parts}")
    if not sharing.is_shared:
        return
    wanted = f"--devices {sharing.devices}" if sharing.devices > 1 else "reduction = 'ordered'"
    if sharing.devices > sharing.pieces:
        raise UserError(
            f"{wanted}: expected at most {sharing.pieces} devices, one for each part of a batch whose gradients are "
            f"added in order, found {sharing.devices}; use fewer, or leave reduction out"
        )
    if update.settle is not None:
        raise UserError(
            f"{wanted}: expected a net whose examples do not depend on each other, found batch_norm; use group_norm or "
            "layer_norm"
        )
    if update.descent is None:
        raise UserError(
            f"{wanted}: expected one gradient of one loss, which devices can share, found a step of another kind (a "
            "second-order method, two players, or an Update without `descent`); train its seeds on several devices"
        )
    rows = {a.shape[0] if a.ndim else 0 for a in jax.tree.leaves(example)}
    if len(rows) != 1 or min(rows) < sharing.pieces:
        raise UserError(
            f"{wanted}: expected a batch of at least {sharing.pieces} examples, one for each part, found "
            f"{plural(min(rows), 'example')}; choose a larger batch"
        )


class Part(NamedTuple):
    """What a part of a batch gives: its gradient times its weight, the weight, and what is measured."""

    gradient: Any
    weight: Float[Array, ""]
    sums: dict[str, Quantity]


def shared_step(sharing: Sharing, update: Update, state: Any, batch: Batch, key: PRNGKeyArray) -> tuple[Any, Any]:
    """`update.step`, inside a `jax.shard_map` over `AXIS`: (state, sums), the same on each device.

    Where the examples do not divide into parts of equal size, every device computes those that remain.
    """
    descent = update.descent
    assert descent is not None
    total = jax.tree.leaves(batch)[0].shape[0]
    count, rest = divmod(total, sharing.pieces)
    is_sum = False

    def part(start: Any, count: int) -> Part:
        nonlocal is_sum
        rows = jax.tree.map(lambda a: lax.dynamic_slice_in_dim(a, start, count), batch)
        with batch_rows(start, count, total):
            gradient, sums, weight = descent.gradient(state, rows, key)
        is_sum = weight is None
        if weight is None:
            weight = jnp.ones((), jax.tree.leaves(gradient)[0].dtype)
        return Part(jax.tree.map(lambda a: a * weight.astype(a.dtype), gradient), weight, dict(sums))

    def learn(parts: Part) -> Any:
        if is_sum:
            return descent.apply(state, parts.gradient)
        # A product, since the compiler may or may not make one of a division by a number.
        share = 1 / jnp.where(parts.weight == 0, 1, parts.weight)
        return descent.apply(state, jax.tree.map(lambda a: a * share.astype(a.dtype), parts.gradient))

    if sharing.parts is None:
        parts = _fused(sharing, part, count, rest)
        return learn(parts), parts.sums
    # At least 0, which the compiler does not know.
    unknown = (jax.random.key_data(key).ravel()[0] >> 4).astype(jnp.int32)
    parts = _ordered(sharing, part, count, rest, unknown)
    return loop(1, unknown, lambda i, state: learn(parts), state), parts.sums


def loop(rounds: Any, unknown: Any, body: Callable[[Any, Any], Any], carry: Any) -> Any:
    """`lax.fori_loop` of so many rounds, which the compiler must not know.

    It would unroll a loop of one round and fuse it with what stands around it. A fused product and sum are rounded
    once, not twice: the same numbers would have other bits in another program. unknown: any number of at least 0
    """
    return lax.fori_loop(0, jnp.minimum(rounds, rounds + unknown), body, carry)


#: (start, count) -> the part of the batch with the rows from `start` on
MakePart = Callable[[Any, int], Part]


def _fused(sharing: Sharing, part: MakePart, count: int, rest: int) -> Part:
    """The gradients and the weights of all parts added up, and what is measured of all.

    One sum over the devices: each adds its gradient, and its measured sums in a row of their own.
    """
    index, devices = lax.axis_index(AXIS), sharing.devices
    rows: list[Any] = [index]
    parts = [part(index * count, count)]
    if rest:  # every device computes them, one counts
        last = part(devices * count, rest)
        parts.append(jax.tree.map(lambda a: jnp.where(index == 0, a, jnp.zeros_like(a)), last))
        rows.append(devices)

    def stack(*leaves: Any) -> Any:
        table = jnp.zeros((devices + len(leaves) - 1, *leaves[0].shape), leaves[0].dtype)
        for row, leaf in zip(rows, leaves, strict=True):
            table = table.at[row].set(leaf)
        return table

    gradient, weight = jax.tree.map(lambda *a: sum(a[1:], a[0]), *((p.gradient, p.weight) for p in parts))
    mine = Part(gradient, weight, jax.tree.map(stack, *(p.sums for p in parts)))
    layout = Layout(mine)
    all_parts = layout.tree(lax.psum(layout.vector(mine), AXIS))
    return all_parts._replace(sums=_merged(all_parts.sums))


def _merged(sums: dict[str, Quantity]) -> dict[str, Quantity]:
    return {name: merged(quantity) for name, quantity in sums.items()}


def _ordered(sharing: Sharing, part: MakePart, count: int, rest: int, unknown: Any) -> Part:
    """The same, added in the order of the parts: each device gets what all have computed.

    The bits must not depend on the number of devices. So each device has room for all parts, and only the bounds of
    its loop depend on how many there are; what follows the exchange is in loops, too. See `loop`.
    """
    pieces, rounds = sharing.pieces, sharing.rounds
    shapes = jax.eval_shape(lambda: part(jnp.int32(0), count))
    added, measured = Layout((shapes.gradient, shapes.weight)), Layout(shapes.sums)
    first = (lax.axis_index(AXIS) + (unknown >> 31)) * rounds  # + 0, which is not known either

    def compute(first: Any, count_of: Any, places: int, rows: int) -> Any:
        """The parts from `first` on, so many of them, as the rows of a table for all."""

        def one(i: Any, table: Any) -> Any:
            mine = part((first + i) * count, rows)
            vector = jnp.concatenate([added.vector((mine.gradient, mine.weight)), measured.vector(mine.sums)])
            return table.at[first + i if places > 1 else i].set(vector)

        return loop(count_of, unknown, one, jnp.zeros((places, added.size + measured.size), added.dtype))

    mine = compute(first, jnp.clip(pieces - first, 0, rounds), pieces, count)
    own = jnp.minimum(first + jnp.arange(rounds, dtype=jnp.int32), pieces - 1)
    vectors = lax.all_gather(mine.at[own].get(mode="promise_in_bounds"), AXIS, tiled=True)[:pieces]
    if rest:
        vectors = jnp.concatenate([vectors, compute(pieces + (unknown >> 31), 1, 1, rest)])

    def add(i: Any, carry: Any) -> Any:
        total, table = carry
        return total + vectors[i, : added.size], table.at[i].set(vectors[i, added.size :])

    blank = jnp.zeros(added.size, added.dtype), jnp.zeros((len(vectors), measured.size), added.dtype)
    total, table = loop(len(vectors), unknown, add, blank)
    stacked = jax.vmap(measured.tree)(table)
    blank_sums = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), jax.eval_shape(_merged, stacked))
    gradient, weight = added.tree(total)
    return Part(gradient, weight, loop(1, unknown, lambda i, blank: _merged(stacked), blank_sums))


class Layout:
    """A tree of floating arrays as one vector of the widest of their types, so that one operation moves it all."""

    def __init__(self, tree: Any):
        leaves, self._structure = jax.tree.flatten(tree)
        self._leaves: list[tuple[tuple[int, ...], Any]] = [(tuple(a.shape), a.dtype) for a in leaves]
        self.dtype: Any = max((dtype for _, dtype in self._leaves), key=lambda dtype: dtype.itemsize)
        self.size: int = sum(math.prod(shape) for shape, _ in self._leaves)

    def vector(self, tree: Any) -> Float[Array, "n"]:
        """The numbers of a tree of this structure."""
        return jnp.concatenate([a.astype(self.dtype).ravel() for a in jax.tree.leaves(tree)])

    def tree(self, vector: Float[Array, "n"]) -> Any:
        """The inverse of `vector`."""
        leaves, start = [], 0
        for shape, dtype in self._leaves:
            stop = start + math.prod(shape)
            leaves.append(vector[start:stop].reshape(shape).astype(dtype))
            start = stop
        return jax.tree.unflatten(self._structure, leaves)
