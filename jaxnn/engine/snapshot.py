"""A run held still on the host, and set going again: every bit of it, typed keys too."""

from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.train.state import History, State


class Snapshot(NamedTuple):
    """A run after its first `steps` steps, as numpy arrays (keys stay typed), with a leading axis of seeds.

    state: everything that the next step reads
    history: the rows of the records that are done
    faults: what went wrong so far and was passed over, in words
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


def on_host(tree: Any) -> Any:
    """A copy of a tree of arrays that no later step can change."""

    def copy(leaf):
        if is_key(leaf):
            return jax.random.wrap_key_data(jnp.array(jax.random.key_data(leaf)), impl=jax.random.key_impl(leaf))
        return np.array(leaf)

    return jax.tree.map(copy, tree)


def on_device(tree: Any, like: Any) -> Any:
    """`on_host`'s inverse, again a copy: `like` is a tree of arrays that lie where these are to lie."""
    return jax.tree.map(lambda a, b: jax.device_put(a, b.sharding), on_host(tree), like)


def join(*parts: History) -> History:
    """Histories one after the other."""
    return jax.tree.map(lambda *rows: np.concatenate(rows, axis=1), *parts)
