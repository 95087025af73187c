"""Which numbers of a config are inputs of the compiled program, and the update that they are bound to.

A learning rate, a decay, a dropout rate or an initial scale is an input of the program: another value compiles
nothing, and many values are one program. What cannot be traced (a size, a name, a number that Python compares) is a
part of the program.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from jaxnn.config.build import build_update
from jaxnn.config.hyperparameters import numbers, step_text, value_at, with_numbers
from jaxnn.config.schema import Config
from jaxnn.layer import Batch
from jaxnn.train.source import shapes_of
from jaxnn.train.step import Bind, Hyperparameters, Update
from jaxnn.train.update_shapes import MAX_UPDATES, update_shapes


class TrainingKey(NamedTuple):
    """Cache key of a training step: the config's text with the traced numbers blanked out. The config itself is not
    part of the key: configs that differ in those numbers alone are equal."""

    text: str
    names: tuple[str, ...]
    grad: str
    config: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TrainingKey) and self[:3] == other[:3]

    def __hash__(self) -> int:
        return hash(self[:3])


def training_key(config: Config, names: tuple[str, ...], grad: str = "hand") -> TrainingKey:
    """The key of a config whose numbers `names` are traced."""
    return TrainingKey(step_text(config, names), names, grad, config)


@functools.lru_cache(MAX_UPDATES)
def bind_hyperparameters(key: TrainingKey) -> Bind:
    """hyper-parameters -> update; the same function for equal keys, so that what was compiled is found again."""

    def bind(hyperparameters: Hyperparameters) -> Update:
        return build_update(with_numbers(key.config, hyperparameters), key.grad)

    return bind


def hyperparameters(config: Config, names: tuple[str, ...]) -> dict[str, float]:
    """The numbers `names` of a config."""
    return {name: float(value_at(config, name)) for name in names}


def traceable_hyperparameters(
    config: Config, example: Batch, *, grad: str = "hand", also: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """The names of a config's numbers, and of those `also`, that can be inputs of its program: each is tried.

    example: the shapes of a batch, as the model sees it
    """
    floats = {name for name in also if isinstance(value_at(config, name), float)}
    names = tuple(sorted({*numbers(config), *floats}))
    leaves, treedef = jax.tree.flatten(shapes_of(example))
    return _traceable(
        training_key(config, names, grad), treedef, tuple(leaves), bool(jax.config.read("jax_enable_x64"))
    )


@functools.lru_cache(MAX_UPDATES)
def _traceable(key: TrainingKey, treedef: Any, leaves: tuple[Any, ...], x64: bool) -> tuple[str, ...]:
    del x64  # a key alone
    example = jax.tree.unflatten(treedef, leaves)

    def bind_of(names: tuple[str, ...]) -> Bind:
        return bind_hyperparameters(training_key(key.config, names, key.grad))

    def can(names: tuple[str, ...]) -> bool:
        return _can_be_traced(lambda: update_shapes(bind_of(names), dict.fromkeys(names, 0.0), example))

    def can_be_built(name: str) -> bool:
        def build(value: Any) -> None:
            bind_of((name,))({name: value})

        return _can_be_traced(lambda: jax.eval_shape(build, 0.0))

    if not key.names or can(key.names):
        return key.names
    # Most of what cannot be traced is refused where the update is built, in a hundredth of the time of a step.
    names = tuple(name for name in key.names if can_be_built(name))
    if not names or (names != key.names and can(names)):
        return names
    traceable = tuple(name for name in names if can((name,)))
    return traceable if can(traceable) else ()


def _can_be_traced(trace: Callable[[], Any]) -> bool:
    try:
        trace()
    except (TypeError, ValueError, AttributeError):  # whatever a library raises for a tracer where it wants a number
        return False
    return True
