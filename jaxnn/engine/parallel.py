"""Many seeds as one program: vectorized or one after the other, and divided among the devices."""

from collections.abc import Callable
from typing import Any, Literal, get_args

import jax
import numpy as np
from jax import lax
from jax.sharding import Mesh, PartitionSpec

from jaxnn.errors import UserError, describe
from jaxnn.kernels import backend
from jaxnn.kernels.devices import local_devices
from jaxnn.train.sharing import AXIS, Sharing
from jaxnn.train.step import Update

SeedStrategy = Literal["vectorized", "sequential", "one_device"]

#: The share of seeds that may be computed for nothing, so that every device has equally many.
MAX_IDLE_SHARE = 0.25


def jit_is_disabled() -> bool:
    """Whether JAX's flag `jax_disable_jit` is set: nothing is compiled, to look into a step with Python's tools."""
    return bool(getattr(jax.config, "jax_disable_jit", False))


def default_strategy(update: Update) -> SeedStrategy:
    """How an update's seeds are mapped on the platform that JAX computes on; see `map_seeds`."""
    # Without `jax.jit`, each operation in a `jax.shard_map` would be a program to compile.
    if update.one_device or jit_is_disabled():
        return "one_device"
    return "sequential" if backend.platform() == "cpu" else "vectorized"


def check_strategy(strategy: str | None, update: Update, sharing: Sharing) -> None:
    """Raises `UserError` for a strategy that there is not, and for one that the update or the sharing excludes."""
    if strategy not in (None, *get_args(SeedStrategy)):
        known = ", ".join(get_args(SeedStrategy))
        raise UserError(f"strategy: expected None or one of {known}, found {describe(strategy)}")
    if strategy == "one_device" and sharing.is_shared:
        raise UserError("strategy: expected vectorized or sequential where devices share a batch, found one_device")
    if strategy not in (None, "one_device") and update.one_device:
        raise UserError(f"strategy: expected one_device for a second-order optimizer, found {strategy}")


def seed_devices(n: int) -> int:
    """How many of this machine's devices share n seeds: the fewest of those for which a device has the fewest seeds."""
    turns = {d: -(-n // d) for d in range(1, min(n, len(local_devices())) + 1)}
    return min((d for d in turns if d * turns[d] <= (1 + MAX_IDLE_SHARE) * n), key=lambda d: (turns[d], d))


def on_this_machine(sharing: Sharing) -> Sharing:
    """The sharing as it is computed here: what one CPU adds in order, it adds as two devices.

    XLA compiles a program of one device by other passes, which round some numbers once where those for several round
    them twice.
    """
    if sharing.parts is None or sharing.parts < 2 or sharing.devices > 1 or backend.platform() != "cpu":
        return sharing
    return sharing._replace(devices=min(2, len(local_devices())))


def sharing_mesh(sharing: Sharing) -> Mesh:
    """The devices that share a step, of all processes. Raises `UserError` where there are fewer."""
    devices = local_devices() if jax.process_count() == 1 else jax.devices()
    if len(devices) < sharing.devices:
        raise UserError(
            f"--devices: expected {sharing.devices} devices to share a batch, found {len(devices)} of the platform "
            f"{backend.platform()}; ask for fewer"
        )
    return Mesh(np.array(devices[: sharing.devices]), (AXIS,))


def map_seeds(
    function: Callable[..., Any],
    n: int,
    stacked: tuple[bool, ...],
    strategy: SeedStrategy,
    sharing: Sharing = Sharing(),  # noqa: B008  a tuple, which nothing changes
) -> Callable[..., Any]:
    """`function` for each of n seeds. Arguments that are `stacked` have a leading axis of seeds, the rest are shared.

    vectorized: one seed is a row of every array (`jax.vmap`); for GPUs, and for tiny nets
    sequential: a device computes its seeds one after the other, each exactly as if alone; for CPUs, where batched
        matrix products and grouped convolutions are slow
    one_device: sequential, all on the first device; for what cannot be traced in a `jax.shard_map` (lineax's operators)
    sharing: where devices share a step, each of them computes all seeds, which are vectorized or in sequence
    """

    def on_one_device(*args):
        if strategy == "vectorized":
            return jax.vmap(function, in_axes=tuple(0 if s else None for s in stacked))(*args)

        def one_seed(seed_args):
            rest = iter(seed_args)
            return function(*(next(rest) if s else a for a, s in zip(args, stacked, strict=True)))

        return lax.map(one_seed, tuple(a for a, s in zip(args, stacked, strict=True) if s))

    if strategy == "one_device":
        return on_one_device
    if sharing.is_shared:
        mesh = sharing_mesh(sharing)
        same = tuple(PartitionSpec() for _ in stacked)
        return jax.shard_map(on_one_device, mesh=mesh, in_specs=same, out_specs=PartitionSpec(), check_vma=False)
    # One device is a mesh as well: what a seed computes must not depend on how many there are.
    count = seed_devices(n)
    mesh = Mesh(np.array(local_devices()[:count]), ("seed",))
    specs = tuple(PartitionSpec("seed") if s else PartitionSpec() for s in stacked)
    sharded = jax.shard_map(on_one_device, mesh=mesh, in_specs=specs, out_specs=PartitionSpec("seed"), check_vma=False)
    if n % count == 0:
        return sharded

    def padded(*args):
        # Devices have equal shares: the last seed is repeated.
        rows = np.minimum(np.arange(-(-n // count) * count), n - 1)
        whole = [jax.tree.map(lambda a: a[rows], arg) if s else arg for arg, s in zip(args, stacked, strict=True)]
        return jax.tree.map(lambda a: a[:n], sharded(*whole))

    return padded
