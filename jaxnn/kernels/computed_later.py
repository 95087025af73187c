"""A computation that a compiled program does late, although it could do it before."""

from collections.abc import Callable
from typing import Any

import jax
from jax import lax
from jax import numpy as jnp

from jaxnn.kernels import backend


def computed_after(event: Any, function: Callable[..., Any], *args: Any) -> Any:
    """function(*args), computed once `event` is there, even where the program has computed the same before.

    XLA takes two equal computations for one, and keeps the results of the first in memory until they are read for the
    last time. A barrier is to prevent that, as in `jax.checkpoint`. On a CPU, XLA removes barriers before it looks for
    equal computations, so `jax.checkpoint` saves no memory there. What XLA finds here is a branch. Its condition, made
    of a number of `event`, is always true.

    event: a pytree of arrays, which `function` may see among its arguments; None is no array
    """
    numbers = [leaf.reshape(-1)[0] for leaf in jax.tree.leaves(event) if leaf.size]
    if not numbers:
        return function(*args)
    if backend.platform() != "cpu":
        args, _ = lax.optimization_barrier((args, event))
        return function(*args)
    compute = jax.jit(function)  # its shapes and its branch are traced once
    shapes = jax.eval_shape(compute, *args)
    number = numbers[0].astype(jnp.int32)

    def nothing(*args: Any) -> Any:
        del args
        # A zero that is made of the event: under `shard_map` it varies over the devices, as the other branch does.
        return jax.tree.map(lambda a: jnp.broadcast_to((number & 0).astype(a.dtype), a.shape), shapes)

    return lax.cond(number | 1 != 0, compute, nothing, *args)
