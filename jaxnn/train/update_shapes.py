"""The shapes that an update makes. Tracing a step of a deep net takes a second, so each is traced once in a process."""

import functools
from typing import Any, NamedTuple

import jax

from jaxnn.layer import Batch, Params
from jaxnn.quantities import Sums
from jaxnn.train.source import shapes_of
from jaxnn.train.step import Bind, Hyperparameters, Update

#: Updates that a process remembers, and their shapes.
MAX_UPDATES = 256


class UpdateShapes(NamedTuple):
    """Shapes and types of an update's parameters, and of the sums that a step measures."""

    params: Params
    sums: Sums


def update_shapes(bind: Bind, hyperparameters: Hyperparameters, example: Batch) -> UpdateShapes:
    """The shapes of the update that `bind` makes of hyper-parameters of these names, which are traced.

    example: the shapes of a batch, as the model sees it
    Raises whatever the update raises for such a batch, and for a traced number where it needs a number of Python's.
    """
    leaves, treedef = jax.tree.flatten(shapes_of(example))
    x64 = bool(jax.config.read("jax_enable_x64"))
    return _update_shapes(bind, tuple(sorted(hyperparameters)), treedef, tuple(leaves), x64)


@functools.lru_cache(MAX_UPDATES)
def _update_shapes(
    bind: Bind, names: tuple[str, ...], treedef: Any, leaves: tuple[Any, ...], x64: bool
) -> UpdateShapes:
    del x64  # a key alone

    def one_step(key, values, example):
        update = bind(values)
        state = update.init(key, example)
        _, sums = update.step(state, example, key)
        return UpdateShapes(update.params(state), dict(sums))

    # Python's numbers are weakly typed, as the hyper-parameters of a run are.
    return jax.eval_shape(one_step, jax.random.key(0), dict.fromkeys(names, 0.0), jax.tree.unflatten(treedef, leaves))


@functools.lru_cache(MAX_UPDATES)
def constant(update: Update) -> Bind:
    """The function that makes this update of any hyper-parameters; the same object for the same update."""
    return lambda hyperparameters: update
