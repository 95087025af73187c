"""The contract: a layer is three pure functions over a parameter pytree."""

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxtyping import PRNGKeyArray

#: A pytree: NamedTuples or tuples of arrays and nothing else.
Params = Any
#: What `forward` leaves for `backward`: a pytree of activations, as small as the derivative allows.
Residuals = Any
#: A batch (leading axis first, channels last), or a pytree of batches.
Batch = Any
Key = PRNGKeyArray | None


class Layer(NamedTuple):
    """Three pure functions; every combination of layers is again a layer.

    init(key, x) -> params              x: an example batch or a `jax.ShapeDtypeStruct` of one
    forward(params, x, key) -> y, res   key=None evaluates (no dropout)
    backward(params, res, dy) -> dparams, dx

    `dparams` has the structure of `params`, `dx` that of `x`; `backward` sums over the batch.
    """

    init: Callable[[PRNGKeyArray, Batch], Params]
    forward: Callable[[Params, Batch, Key], tuple[Batch, Residuals]]
    backward: Callable[[Params, Residuals, Batch], tuple[Params, Batch]]


class Combined(Layer):
    """A layer made of layers, which remembers its `parts` (for a summary, never for the mathematics)."""

    parts: tuple[Layer, ...] = ()


def combined(parts: tuple[Layer, ...], layer: Layer) -> Combined:
    """`layer`, remembering the `parts` that it was made of."""
    result = Combined(*layer)
    result.parts = parts
    return result


def layer_name(layer: Layer) -> str:
    """The name of the constructor that built `layer`: `layer_name(dense(3)) == "dense"`."""
    return layer.forward.__qualname__.split(".")[0]


def no_params(key: Key, x: Batch) -> tuple[()]:
    """The `init` of a layer that has nothing to train."""
    del key, x
    return ()
