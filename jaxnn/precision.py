"""Mixed precision: a layer computed in a lower precision, with parameters and gradients in their own."""

from typing import Any

import jax
from jax import numpy as jnp

from jaxnn.errors import UserError
from jaxnn.layer import Layer, Part, check_layer

#: The types that a layer can be computed in.
COMPUTE_TYPES = ("bfloat16", "float16", "float32", "float64")


def compute_in(layer: Layer, dtype: str) -> Layer:
    """A layer that is computed in `dtype`, whatever the type of its parameters and of x.

    y = cast(f(cast(params), cast(x)));  dparams, dx = cast back(f.backward(cast(params), res, cast(dy)))

    Derivation: a cast is linear, and its derivative is the cast back.

    params, x, y, dparams and dx keep their types; only what lies in between has `dtype`, so the residuals take half of
    the memory in bfloat16. The sum of a loss stays outside, in the type of y. Integers are not cast.
    (Micikevicius et al. 2018.) Raises `UserError` for what is no layer, and a type that is none of floating numbers.
    """
    check_layer("compute_in", layer)
    if dtype not in COMPUTE_TYPES:
        raise UserError(f"compute_in: expected one of {', '.join(COMPUTE_TYPES)}, found {dtype!r}")
    low = jnp.dtype(dtype)

    def forward(params, x, key):
        y, res = layer.forward(_cast(params, low), _cast(x, low), key)
        return _cast_like(y, x, params), (res, _types(params), _types(x))

    def backward(params, res, dy):
        inner, params_types, x_types = res
        dparams, dx = layer.backward(_cast(params, low), inner, _cast(dy, low))
        return jax.tree.map(_cast_back, dparams, params_types), jax.tree.map(_cast_back, dx, x_types, is_leaf=_is_none)

    def start(params, batch, length):
        assert layer.time is not None and layer.time.start is not None
        return layer.time.start(_cast(params, low), batch, length)

    def extend(params, memory, x):
        assert layer.time is not None and layer.time.extend is not None
        y, memory = layer.time.extend(_cast(params, low), memory, _cast(x, low))
        return _cast_like(y, x, params), memory

    time = layer.time
    if time is not None and time.extend is not None:
        time = time._replace(start=start, extend=extend)
    return Layer(layer.init, forward, backward, "compute_in", (Part("0", layer, ""),), time)


def _is_floating(a: Any) -> bool:
    return jnp.issubdtype(a.dtype, jnp.floating)


def _cast(tree: Any, dtype: Any) -> Any:
    return jax.tree.map(lambda a: a.astype(dtype) if _is_floating(a) else a, tree)


def _types(tree: Any) -> Any:
    """An empty array of each leaf's type: what remembers a type among residuals."""
    return jax.tree.map(lambda a: jnp.zeros((0,), a.dtype), tree)


def _cast_like(y: Any, x: Any, params: Any) -> Any:
    """y in the type of the first floating leaf of x, else of the parameters."""
    floats = [a for a in (*jax.tree.leaves(x), *jax.tree.leaves(params)) if _is_floating(a)]
    return _cast(y, floats[0].dtype) if floats else y


def _is_none(node: Any) -> bool:
    return node is None


def _cast_back(a: Any, like: Any) -> Any:
    return None if a is None else a.astype(like.dtype)
