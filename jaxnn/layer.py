"""The contract: a layer is three pure functions over a parameter pytree, with a name and its sub-layers."""

import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jaxtyping import PRNGKeyArray

from jaxnn.errors import UserError, describe

#: A pytree of arrays: NamedTuples, tuples and dictionaries of arrays and nothing else.
Params = Any
#: What `forward` leaves for `backward`: a pytree of activations, as small as the derivative allows.
Residuals = Any
#: A batch (leading axis first, channels last), or a pytree of batches.
Batch = Any
Key = PRNGKeyArray | None
#: (x, apply) -> y, where apply(part, x) is the output of a part of a combinator.
Flow = Callable[[Batch, Callable[["Part", Batch], Batch]], Batch]


class Layer(NamedTuple):
    """Three pure functions; every combination of layers is again a layer.

    init(key, x) -> params              x: an example batch or a `jax.ShapeDtypeStruct` of one, or a pytree of them
    forward(params, x, key) -> y, res   key=None evaluates (no dropout)
    backward(params, res, dy) -> dparams, dx
    name: the name of the constructor, shown in summaries and error messages
    parts: the layers that this one is made of, in order
    time: how it continues a sequence; None for a layer that treats all places (and examples) alike
    flow(x, apply) -> y: how x goes through its parts, where `apply(part, x)` is the output of a part; None: it is made
        of no parts, or not by their outputs alone
    statistics(params, x) -> params: with the statistics of a batch x, which it evaluates with; None: it has none

    `dparams` has the structure of `params`, `dx` that of `x`; where x holds integers or booleans, dx holds None.
    `backward` sums over the batch.
    """

    init: Callable[[PRNGKeyArray, Batch], Params]
    forward: Callable[[Params, Batch, Key], tuple[Batch, Residuals]]
    backward: Callable[[Params, Residuals, Batch], tuple[Params, Batch]]
    name: str = ""
    parts: "tuple[Part, ...]" = ()
    time: "Time | None" = None
    flow: "Flow | None" = None
    statistics: Callable[[Params, Batch], Params] | None = None

    def apply(self, params: Params, x: Batch, key: Key = None) -> Batch:
        """The output y for a batch x. Without a key the layer is evaluated (no dropout)."""
        return self.forward(params, x, key)[0]


class Time(NamedTuple):
    """What a layer knows of the time axis of its input (batch, time, ...).

    start(params, batch, length) -> memory   before the first place, for at most `length` places
    extend(params, memory, x) -> y, memory   the output at further places x (batch, places, ...), evaluated, as if the
        whole sequence had been given at once
    Both are None where an output depends on later places.
    grows: whether the memory grows with the places, as that of attention does; then a context limits it
    lengths: whether the layer takes a `jaxnn.Sequence` itself; else it is applied to the values, and padding is cleared
    """

    start: Callable[[Params, int, int], Any] | None = None
    extend: Callable[[Params, Any, Batch], tuple[Batch, Any]] | None = None
    grows: bool = False
    lengths: bool = True


class Part(NamedTuple):
    """A layer inside another one.

    name: its name among the parts: "0", "1", … or the keyword that the combinator was given
    params: the name of the entry of the outer parameters that it uses, "" for all of them; parts with shared weights
        name the same entry
    """

    name: str
    layer: Layer
    params: str


class Shared(NamedTuple):
    """A part of `serial` that uses the parameters of another part; `jaxnn.share` makes it."""

    name: str
    layer: Layer | None


def check_layer(name: str, value: Any) -> None:
    """Raises `UserError` unless `value` is a layer; it says `name`, the function that was given it."""
    if not isinstance(value, Layer):
        raise UserError(f"{name}: expected a layer, found {describe(value)}")


def check_entries(name: str, parts: tuple[Part, ...], params: Params) -> None:
    """Raises `UserError` unless the parameters have an entry for each part: a tuple, or a dictionary by their names."""
    entries = tuple(dict.fromkeys(part.params for part in parts))
    if all(entry.isdecimal() for entry in entries):
        fits = isinstance(params, tuple | list) and len(params) == len(entries)
        wanted = f"a tuple with an entry for each of {len(entries)} layers"
    else:
        fits = isinstance(params, dict) and set(params) == set(entries)
        wanted = f"a dictionary of {', '.join(entries)}"
    if not fits:
        size = f" of {', '.join(map(str, params))}" if isinstance(params, dict) else ""
        size = f" of {len(params)}" if isinstance(params, tuple | list) else size
        raise UserError(
            f"{name}: expected params as {wanted}, found a {type(params).__name__}{size}; "
            "the parameters are those that init makes of the same model"
        )


def params_of(part: Part, params: Params) -> Params:
    """The entry of the outer layer's parameters that `part` uses."""
    if not part.params:
        return params
    return params[part.params] if isinstance(params, dict) else params[int(part.params)]


def part_key(key: Key, name: str) -> Any:
    """The key of the part `name`: folded by its name, or by its position where the name is one."""
    if key is None:
        return None
    return jax.random.fold_in(key, int(name) if name.isdecimal() else zlib.crc32(name.encode()))


def add_derivatives(dx: Any, *others: Any) -> Any:
    """The sum of derivatives with respect to the same x, which are None where x holds integers."""
    return jax.tree.map(
        lambda d, *rest: None if d is None else sum(rest, d), dx, *others, is_leaf=lambda node: node is None
    )


def empty_init(key: Key, x: Batch) -> tuple[()]:
    """The `init` of a layer without parameters."""
    del key, x
    return ()
