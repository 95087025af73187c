"""What the combinations of layers share: their parts, and sums of pytrees."""

from typing import Any

import jax
from jax import numpy as jnp

from jaxnn.errors import UserError
from jaxnn.layer import Layer, Params, Part, Shared, check_layer
from jaxnn.sequence import per_place


def output_shapes(layer: Layer, params: Params, x: Any) -> Any:
    """The shapes of a layer's output."""
    return jax.eval_shape(layer.apply, params, x)


def add(first: Any, *others: Any) -> Any:
    """The sum of the floating leaves; the other leaves, such as the lengths of a sequence, are those of the first."""
    return jax.tree.map(lambda a, *rest: sum(rest, a) if is_floating(a) else a, first, *others)


def is_floating(a: Any) -> bool:
    """Whether a leaf has a derivative."""
    return jnp.issubdtype(a.dtype, jnp.floating)


def combined_parts(combinator: str, layers: tuple[Layer, ...], named: dict[str, Layer | Shared]) -> tuple[Part, ...]:
    """The parts of a combinator in their order. Raises `UserError` for what is no layer, and impossible names."""
    if layers and named:
        raise UserError(
            f"serial: expected all layers by position or all by name, found {len(layers)} by position and "
            f"{', '.join(named)} by name"
        )
    for i, layer in enumerate(layers):
        check_layer(f"{combinator}: argument {i}", layer)
    parts: dict[str, Part] = {str(i): Part(str(i), per_place(layer), str(i)) for i, layer in enumerate(layers)}
    for name, item in named.items():
        if not isinstance(item, Shared):
            check_layer(f"{combinator}: {name}", item)
        if isinstance(item, Layer):
            parts[name] = Part(name, per_place(item), name)
        elif item.name not in parts:
            raise UserError(f"serial: {name} shares the weights of {item.name!r}: expected a part before it")
        else:
            owner = parts[item.name]
            parts[name] = Part(name, per_place(item.layer or owner.layer), owner.params)
    return tuple(parts.values())
