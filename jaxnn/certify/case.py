"""A rule with the arguments to measure it at.

NumPy draws the random numbers: JAX would compile a program for each shape.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.certify.bounds import ALONE, BOUNDS, Bounds, with_tolerance
from jaxnn.certify.vjp_rule import VjpRule
from jaxnn.layer import Layer

#: Builds a layer or a loss.
Constructor = Callable[..., Any]


class Case(NamedTuple):
    """What a law measures: a rule, the arguments `args` and the cotangent `dy` of its output, all in float64.

    public_name: the public name that the case tests, such as "dense"
    precision: the lowest precision that the rule computes in while its arguments are float64
    tolerances: by dtype, the relative error that is allowed to an approximation by design
    contract: whether the rule is bound by the contract of a layer: then no law may fail to be measured
    once_differentiable: whether second derivatives are wrong or missing on purpose
    differences_alone: whether JAX cannot differentiate the reference
    """

    name: str
    public_name: str
    rule: VjpRule
    args: tuple[Any, ...]
    dy: Any
    precision: str = "float64"
    tolerances: tuple[tuple[str, float], ...] = ()
    contract: bool = True
    once_differentiable: bool = False
    differences_alone: bool = False

    @property
    def bounds(self) -> Bounds:
        """The bounds of the laws in float64."""
        bounds = with_tolerance(BOUNDS[self.precision], self.tolerance("float64"))
        return bounds._replace(differences=max(bounds.differences, ALONE)) if self.differences_alone else bounds

    def tolerance(self, dtype: str) -> float:
        """The relative error that is allowed in `dtype`."""
        return dict(self.tolerances).get(dtype, 0.0)


def make_case(name: str, public_name: str, rule: VjpRule, args: tuple[Any, ...], seed: int = 0) -> Case:
    """A case in float64 with a random dy."""
    args = cast_floating(args, np.float64)
    return Case(name, public_name, rule, args, random_cotangent(seed, rule, args))


def is_number(a: Any) -> bool:
    """Whether an array or shape holds floating or complex numbers."""
    return bool(jnp.issubdtype(a.dtype, jnp.inexact))


def is_complex(a: Any) -> bool:
    """Whether an array or shape holds complex numbers."""
    return bool(jnp.issubdtype(a.dtype, jnp.complexfloating))


def numbers(tree: Any) -> list[np.ndarray]:
    """The floating and complex leaves of a tree, as NumPy arrays."""
    return [np.asarray(a) for a in jax.tree.leaves(tree) if is_number(a)]


def cast_floating(tree: Any, dtype: Any) -> Any:
    """`tree` with its floating leaves in `dtype`, and its complex leaves in the complex numbers of that precision."""

    def cast(a):
        if is_complex(a):
            return jnp.asarray(np.asarray(a).astype(np.complex128 if dtype == np.float64 else np.complex64))
        if is_number(a):
            return jnp.asarray(np.asarray(a).astype(dtype))
        return jnp.asarray(a) if jnp.issubdtype(a.dtype, jax.dtypes.extended) else jnp.asarray(np.asarray(a))

    return jax.tree.map(cast, tree)


def normal_like(seed: int, tree: Any, scale: float = 1.0) -> Any:
    """`tree` with normal random numbers in its floating leaves (arrays or shapes); the other leaves do not change."""
    rng = np.random.default_rng(seed)

    def draw(a):
        if not is_number(a):
            return a
        real = scale * rng.normal(size=a.shape)
        return jnp.asarray(real + 1j * scale * rng.normal(size=a.shape) if is_complex(a) else real, a.dtype)

    return jax.tree.map(draw, tree)


def random_cotangent(seed: int, rule: VjpRule, args: tuple[Any, ...]) -> Any:
    """A random dy for the rule's output at `args`; zeros where the output is not floating."""
    dy = normal_like(seed, output_shapes(rule, args))
    return jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype) if isinstance(a, jax.ShapeDtypeStruct) else a, dy)


def output_shapes(rule: VjpRule, args: tuple[Any, ...]) -> Any:
    """The shapes and dtypes of the rule's output; a rule that cannot be traced is run."""
    if rule.jit:
        return jax.eval_shape(rule.f, *args)
    return jax.tree.map(lambda a: jax.ShapeDtypeStruct(jnp.shape(a), jnp.result_type(a)), rule.f(*args))


def with_batch_size(case: Case, n: int) -> Case:
    """The case with a batch of `n` examples: its own, repeated and each time a little larger, and a new dy."""

    def repeat(a):
        index = np.arange(n) % len(a)
        rows = np.asarray(a)[index]
        if not is_number(a):
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
