"""Many seeds as one program: vectorized, or in turn, and shared out over the devices."""

from collections.abc import Callable
from typing import Any, Literal

import jax
import numpy as np
from jax import lax
from jax.sharding import Mesh, PartitionSpec

How = Literal["vectorize", "in_turn", "one_device"]


def seed_devices(n: int) -> int:
    """How many of this machine's devices share `n` seeds evenly: the largest divisor of `n` that there are."""
    return max(d for d in range(1, min(n, jax.local_device_count()) + 1) if n % d == 0)


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
    mesh = Mesh(np.array(jax.local_devices()[: seed_devices(n)]), ("seed",))
    specs = tuple(PartitionSpec("seed") if s else PartitionSpec() for s in stacked)
    return jax.shard_map(of_some, mesh=mesh, in_specs=specs, out_specs=PartitionSpec("seed"), check_vma=False)
