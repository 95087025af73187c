"""A rule with the arguments to try it on. Random numbers are NumPy's: JAX would compile a program for each shape."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.certify.vjp_rule import Rule

#: Builds a layer or a loss.
Constructor = Callable[..., Any]


class Case(NamedTuple):
    """`rule` at `args`, pulled back from `dy`, all in float64; `of` is the public name that it speaks for."""

    name: str
    of: str
    rule: Rule
    args: tuple
    dy: Any


def case(name: str, of: str, rule: Rule, args: tuple, seed: int = 0) -> Case:
    """A case in float64 with a random dy."""
    args = cast(args, np.float64)
    return Case(name, of, rule, args, cotangent(seed, rule, args))


def cast(tree: Any, dtype) -> Any:
    """The floating leaves in `dtype`."""

    def one(a):
        return jnp.asarray(np.asarray(a).astype(dtype)) if jnp.issubdtype(a.dtype, jnp.floating) else jnp.asarray(a)

    return jax.tree.map(one, tree)


def normal_like(seed: int, tree: Any, scale: float = 1.0) -> Any:
    """Normal numbers in place of the floating leaves (arrays or shapes); the others as they are."""
    rng = np.random.default_rng(seed)

    def one(a):
        if not jnp.issubdtype(a.dtype, jnp.floating):
            return a
        return jnp.asarray(scale * rng.normal(size=a.shape), a.dtype)

    return jax.tree.map(one, tree)


def cotangent(seed: int, rule: Rule, args: tuple) -> Any:
    """A random dy for the rule's output at `args`; zeros where that is no floating number."""
    drawn = normal_like(seed, jax.eval_shape(rule.f, *args))
    return jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype) if isinstance(a, jax.ShapeDtypeStruct) else a, drawn)


def with_rows(case: Case, n: int) -> Case:
    """The case with a batch of `n`: its own examples over again, each time a little larger, with a new dy."""

    def rows(a):
        index = np.arange(n) % len(a)
        again = np.asarray(a)[index]
        if not jnp.issubdtype(a.dtype, jnp.floating):
            return jnp.asarray(again)
        return jnp.asarray(again * (1 + 0.1 * (np.arange(n) // len(a))).reshape(n, *[1] * (a.ndim - 1)))

    args = tuple(
        jax.tree.map(rows, arg) if batched else arg for arg, batched in zip(case.args, case.rule.batched, strict=True)
    )
    return case._replace(args=args, dy=cotangent(n, case.rule, args))
