"""Many seeds as one program: vectorized, or in turn, and shared out over the devices."""

from collections.abc import Callable
from typing import Any, Literal

import jax
import numpy as np
import optax
from jax import lax
from jax.sharding import Mesh, PartitionSpec

from jaxnn.kernels import backend
from jaxnn.train.second_order import FullBatch

How = Literal["vectorize", "in_turn", "one_device"]

#: Seeds that are computed for nothing, so that every device has as many, may be a quarter of those that are wanted.
IDLE = 0.25


def how_here(optimizer: optax.GradientTransformation | FullBatch) -> How:
    """How many seeds are taken where JAX computes; see `over_seeds`."""
    if isinstance(optimizer, FullBatch):
        return "one_device"
    return "in_turn" if backend.platform() == "cpu" else "vectorize"


def seed_devices(n: int) -> int:
    """How many of this machine's devices share `n` seeds: the fewest of those that leave each the shortest turn."""
    turns = {d: -(-n // d) for d in range(1, min(n, jax.local_device_count()) + 1)}
    return min((d for d in turns if d * turns[d] <= (1 + IDLE) * n), key=lambda d: (turns[d], d))


def over_seeds(function: Callable[..., Any], n: int, stacked: tuple[bool, ...], how: How) -> Callable[..., Any]:
    """`function` for each of `n` seeds: arguments that are `stacked` have a leading axis of seeds, the rest are shared.

    vectorize: one seed is a row of every array (`jax.vmap`); a GPU's way, and the tiny nets'
    in_turn: a device takes its seeds one after the other, each computed exactly as if alone; a CPU's way, where
        batched matrix products and grouped convolutions are slow
    one_device: in turn, all on the first device; for what cannot be traced in a `jax.shard_map` (lineax's operators)
    """

    def of_some(*args):
        if how == "vectorize":
            return jax.vmap(function, in_axes=tuple(0 if s else None for s in stacked))(*args)

        def of_one(own):
            rest = iter(own)
            return function(*(next(rest) if s else a for a, s in zip(args, stacked, strict=True)))

        return lax.map(of_one, tuple(a for a, s in zip(args, stacked, strict=True) if s))

    if how == "one_device":
        return of_some
    # One device is a mesh as well: what a seed computes must not depend on how many there are.
    count = seed_devices(n)
    mesh = Mesh(np.array(jax.local_devices()[:count]), ("seed",))
    specs = tuple(PartitionSpec("seed") if s else PartitionSpec() for s in stacked)
    shared = jax.shard_map(of_some, mesh=mesh, in_specs=specs, out_specs=PartitionSpec("seed"), check_vma=False)
    if n % count == 0:
        return shared

    def filled(*args):
        # Devices have equal shares: the last seed stands in for those that are not there.
        rows = np.minimum(np.arange(-(-n // count) * count), n - 1)
        whole = [jax.tree.map(lambda a: a[rows], arg) if s else arg for arg, s in zip(args, stacked, strict=True)]
        return jax.tree.map(lambda a: a[:n], shared(*whole))

    return filled
