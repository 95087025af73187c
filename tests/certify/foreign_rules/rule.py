"""A rule with what must be said of it, and functions that many rules share."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

X = np.linspace(0.3, 1.9, 5).astype(np.float32)


class Rule(NamedTuple):
    """A function with its arguments, and what must be said of it.

    says: "certified", "wrong: LEAF", or "refused: WORDS"
    options: of `certify_vjp`
    words: that the certificate must contain as well
    """

    f: Callable[..., Any]
    args: tuple[Any, ...]
    says: str = "certified"
    options: Mapping[str, Any] = MappingProxyType({})
    words: tuple[str, ...] = ()
    fwd: Any = None
    bwd: Any = None


def custom(f: Callable[..., Any], fwd: Any, bwd: Any, **options: Any) -> Any:
    """`f` with a custom rule."""
    nondiff = {name: options.pop(name) for name in ("nondiff_argnums", "nondiff_argnames") if name in options}
    rule = jax.custom_vjp(f, **nondiff)
    rule.defvjp(fwd, bwd, **options)
    return rule


def square(x):
    return x * x


SQUARE = custom(square, lambda x: (x * x, x), lambda x, dy: (2 * x * dy,))


def root(a):
    """√a by Newton's iteration, which JAX cannot differentiate backwards."""
    return jax.lax.while_loop(lambda s: jnp.any(jnp.abs(s * s - a) > 1e-5 * a), lambda s: 0.5 * (s + a / s), a)


def on_host(f):
    """A NumPy function of a vector."""
    return lambda x: jax.pure_callback(
        lambda a: f(np.asarray(a)).astype(a.dtype),
        jax.ShapeDtypeStruct(x.shape, x.dtype),
        x,
        vmap_method="sequential",
    )
