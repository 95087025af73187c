"""A run copied to the host, and put back on the device: every bit of it, typed keys too."""

from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.train.state import History, State


class Snapshot(NamedTuple):
    """A run after its first `steps` steps, as NumPy arrays (keys stay typed), with a leading axis of seeds.

    state: everything that the next step reads
    history: the rows of the evaluations that are done
    faults: the steps with NaN or infinity that were skipped, in words
    seconds: of training
    """

    steps: int
    state: State
    history: History
    faults: tuple[dict[str, Any], ...] = ()
    seconds: float = 0.0


def is_key(leaf: Any) -> bool:
    """Whether an array is one of typed PRNG keys."""
    return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def addressable(tree: Any) -> Any:
    """A tree of arrays as this process has them: of an array on the devices of several processes, its own copy."""

    def own(leaf):
        return leaf if not isinstance(leaf, jax.Array) or leaf.is_fully_addressable else leaf.addressable_data(0)

    return jax.tree.map(own, tree)


def on_host(tree: Any) -> Any:
    """A copy of a tree of arrays that no later step can change."""

    def copy(leaf):
        if is_key(leaf):
            return jax.random.wrap_key_data(jnp.array(jax.random.key_data(leaf)), impl=jax.random.key_impl(leaf))
        return np.array(leaf)

    return jax.tree.map(copy, addressable(tree))


def on_device(tree: Any, like: Any) -> Any:
    """The inverse of `on_host`, again a copy. `like` is a tree of arrays with the wanted shardings."""
    return jax.tree.map(lambda a, b: place(a, b.sharding), on_host(tree), like)


def place(leaf: Any, sharding: Any) -> Any:
    """An array on the devices of a sharding, to which each of several processes brings the same array."""
    if sharding.is_fully_addressable:
        return jax.device_put(leaf, sharding)
    if is_key(leaf):
        data = place(np.asarray(jax.random.key_data(leaf)), sharding)
        return jax.random.wrap_key_data(data, impl=jax.random.key_impl(leaf))
    array = np.asarray(leaf)
    return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])


def concatenate_histories(*parts: History) -> History:
    """Histories one after the other."""
    return jax.tree.map(lambda *rows: np.concatenate(rows, axis=1), *parts)


def rows_of(history: History) -> int:
    """The number of evaluations in a history with a leading axis of seeds."""
    return jax.tree.leaves(history)[0].shape[1]
