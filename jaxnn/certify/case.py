"""A rule with the arguments to measure it at.

NumPy draws the random numbers: JAX would compile a program for each shape.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.certify.vjp_rule import VjpRule
from jaxnn.layer import Layer

#: Builds a layer or a loss.
Constructor = Callable[..., Any]


class Case(NamedTuple):
    """A rule, the arguments `args` and the cotangent `dy` of its output, all in float64.

    public_name: the public name that the case tests, such as "dense"
    """

    name: str
    public_name: str
    rule: VjpRule
    args: tuple[Any, ...]
    dy: Any


def make_case(name: str, public_name: str, rule: VjpRule, args: tuple[Any, ...], seed: int = 0) -> Case:
    """A case in float64 with a random dy."""
    args = cast_floating(args, np.float64)
    return Case(name, public_name, rule, args, random_cotangent(seed, rule, args))


def cast_floating(tree: Any, dtype: Any) -> Any:
    """`tree` with its floating leaves in `dtype`."""

    def cast(a):
        return jnp.asarray(np.asarray(a).astype(dtype)) if jnp.issubdtype(a.dtype, jnp.floating) else jnp.asarray(a)

    return jax.tree.map(cast, tree)


def normal_like(seed: int, tree: Any, scale: float = 1.0) -> Any:
    """`tree` with normal random numbers in its floating leaves (arrays or shapes); the other leaves do not change."""
    rng = np.random.default_rng(seed)

    def draw(a):
        if not jnp.issubdtype(a.dtype, jnp.floating):
            return a
        return jnp.asarray(scale * rng.normal(size=a.shape), a.dtype)

    return jax.tree.map(draw, tree)


def random_cotangent(seed: int, rule: VjpRule, args: tuple[Any, ...]) -> Any:
    """A random dy for the rule's output at `args`; zeros where the output is not floating."""
    dy = normal_like(seed, jax.eval_shape(rule.f, *args))
    return jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype) if isinstance(a, jax.ShapeDtypeStruct) else a, dy)


def with_batch_size(case: Case, n: int) -> Case:
    """The case with a batch of `n` examples: its own, repeated and each time a little larger, and a new dy."""

    def repeat(a):
        index = np.arange(n) % len(a)
        rows = np.asarray(a)[index]
        if not jnp.issubdtype(a.dtype, jnp.floating):
            return jnp.asarray(rows)
        return jnp.asarray(rows * (1 + 0.1 * (np.arange(n) // len(a))).reshape(n, *[1] * (a.ndim - 1)))

    args = tuple(
        jax.tree.map(repeat, arg) if batched else arg for arg, batched in zip(case.args, case.rule.batched, strict=True)
    )
    return case._replace(args=args, dy=random_cotangent(n, case.rule, args))


def layer_args(layer: Layer, x: Any, seed: int = 0) -> tuple[Any, ...]:
    """(params, x) for `layer`, drawn at random: initial parameters would hide a bias behind its zero.

    x: a shape (a tuple of integers), an array, a `jax.ShapeDtypeStruct`, or a pytree of these. Floating leaves and
        shapes become normal random numbers in float64. An array of integers or booleans is used as it is; a
        `ShapeDtypeStruct` of them becomes zeros and ones, since the range is unknown.
    """
    x = jax.tree.map(lambda leaf: _input_leaf(leaf, seed), x, is_leaf=_is_shape)
    params = jax.eval_shape(layer.init, jax.random.key(0), x)
    return normal_like(seed, params, 0.5), normal_like(seed + 1, x)


def _input_leaf(leaf: Any, seed: int) -> Any:
    if isinstance(leaf, tuple):
        return jax.ShapeDtypeStruct(leaf, jnp.float64)
    if jnp.issubdtype(leaf.dtype, jnp.floating):
        return jax.ShapeDtypeStruct(leaf.shape, jnp.float64)
    if isinstance(leaf, jax.ShapeDtypeStruct):
        return jnp.asarray(np.random.default_rng(seed).integers(2, size=leaf.shape), leaf.dtype)
    return jnp.asarray(leaf)


def _is_shape(node: Any) -> bool:
    return isinstance(node, tuple) and all(isinstance(n, int) for n in node)
