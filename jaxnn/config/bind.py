"""One program for all configs that differ in numbers alone: which numbers those are, and what is bound to them.

A learning rate, a decay, a dropout rate or an initial scale is an input of the compiled training (`State.settings`):
another value compiles nothing, and many values are one program. What cannot be traced (a size, a name, a number that
Python looks at) is a part of the program.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

from jaxnn.backprop import GRADIENTS, ValueAndGrad
from jaxnn.config import (
    Config,
    build_loss,
    build_model,
    build_optimizer,
    numbers,
    step_text,
    value_at,
    with_numbers,
)
from jaxnn.data import preprocess
from jaxnn.layer import Layer
from jaxnn.losses import Loss
from jaxnn.train.augment import Augment, augmented
from jaxnn.train.plan import Data, Plan, Prepare
from jaxnn.train.run import Training, bound_training
from jaxnn.train.state import Settings
from jaxnn.train.supervised import Parts

#: Trainings that a process remembers.
KEPT = 256


class Step(NamedTuple):
    """What a config says of a training step, but for the numbers `names`, by `text` alone: equal where that is."""

    text: str
    names: tuple[str, ...]
    grad: str
    config: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Step) and self[:3] == other[:3]

    def __hash__(self) -> int:
        return hash(self[:3])


def step_of(config: Config, names: tuple[str, ...], grad: str = "hand") -> Step:
    """The step of a config whose numbers `names` are inputs."""
    return Step(step_text(config, names), names, grad, config)


@functools.lru_cache(KEPT)
def binding(step: Step) -> Callable[[Settings], Parts]:
    """settings -> the model, the loss, the optimizer and the gradient; the same function for equal steps."""

    def bind(settings: Settings) -> Parts:
        # Weakly typed, as the numbers of a config are: they leave the precision as it is.
        values = {name: lax.full_like(0.0, value) for name, value in settings.items()}
        config = with_numbers(step.config, values)
        model, loss = build_model(config), build_loss(config)
        return Parts(model, loss, build_optimizer(config), gradient_of(config, step.grad)(model, loss))

    return bind


def gradient_of(config: Config, grad: str) -> Callable[[Layer, Loss], ValueAndGrad]:
    """The way to differentiate, which sees each batch augmented where the config says so."""
    table = config.augment
    return GRADIENTS[grad] if table is None else augmented(GRADIENTS[grad], Augment(**dict(table)))


@functools.lru_cache(KEPT)
def training_of_step(step: Step) -> Training:
    """The training of a step; the same functions for equal steps, so that what was compiled is found again."""
    train = step.config.train
    plan = Plan(train.record_every, train.batch_size, train.best, train.patience, train.record_every)
    return bound_training(binding(step), plan, prepare=preparer(train.precision))


@functools.cache
def preparer(precision: str) -> Prepare:
    """What the model sees of a batch: preprocessed, in a precision."""
    return lambda stats, x: preprocess.apply(stats, x).astype(jnp.dtype(precision))


def settings_of(config: Config, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The numbers `names` of a config; in float32 at least, as optimizers compute with them."""
    dtype = np.float64 if config.train.precision == "float64" else np.float32
    return {name: np.asarray(value_at(config, name), dtype) for name in names}


def free(config: Config, data: Data, *, grad: str = "hand", also: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The names of a config's numbers, and of those `also`, that can be inputs of its program: it is tried.

    data: of one seed; its shapes suffice
    """
    wanted = tuple(sorted({*numbers(config), *(name for name in also if isinstance(value_at(config, name), float))}))
    step = step_of(config, wanted, grad)
    shapes = jax.tree.map(lambda a: jax.ShapeDtypeStruct(np.shape(a), jax.dtypes.canonicalize_dtype(a.dtype)), data)
    leaves, treedef = jax.tree.flatten(shapes)
    return _free(step, treedef, tuple(leaves), bool(jax.config.read("jax_enable_x64")))


@functools.lru_cache(KEPT)
def _free(step: Step, treedef: Any, leaves: tuple[Any, ...], x64: bool) -> tuple[str, ...]:
    del x64  # a key alone
    data = jax.tree.unflatten(treedef, leaves)

    def can(names: tuple[str, ...]) -> bool:
        return _can_be_traced(step_of(step.config, names, step.grad), data)

    if not step.names or can(step.names):
        return step.names
    found = tuple(name for name in step.names if can((name,)))
    return found if can(found) else ()


def _can_be_traced(step: Step, data: Data) -> bool:
    training = training_of_step(step)
    settings = jax.tree.map(jnp.asarray, settings_of(step.config, step.names))

    def some(key, data, settings):
        state = training.init(key, data, settings)
        return training.part(state, data, 0, 1, 1)

    try:
        jax.eval_shape(some, jax.random.key(0), data, settings)
    except (TypeError, ValueError, AttributeError):  # whatever a library makes of a tracer where it wants a number
        return False
    return True
