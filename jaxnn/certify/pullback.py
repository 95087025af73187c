"""The two pullbacks that are compared: the rule's own, and the one that JAX makes of its function."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.certify.vjp_rule import Leaves, Rule, leaves, named, replaced

#: (args, dy) -> cotangents by leaf
Pullback = Callable[[tuple, Any], Leaves]
#: (args, dy) -> (cotangents by leaf, floating outputs by leaf)
Answers = Callable[[tuple, Any], tuple[Leaves, Leaves]]

#: The name of what the function gives: no argument can have it.
OUTPUT = "f(·)"


def _tangent(dy: Any) -> Any:
    """`dy` with JAX's empty `float0` for outputs that are no floating numbers."""
    return jax.tree.map(
        lambda a: a if jnp.issubdtype(a.dtype, jnp.inexact) else np.zeros(a.shape, jax.dtypes.float0), dy
    )


def _outputs(y: Any) -> Leaves:
    flat = jax.tree_util.tree_leaves_with_path((y,))
    names = ((OUTPUT, jax.tree_util.keystr(path[1:], simple=True, separator="."), leaf) for path, leaf in flat)
    return {".".join(filter(None, name)): a for *name, a in names if jnp.issubdtype(a.dtype, jnp.inexact)}


def answers(rule: Rule) -> Answers:
    """What the rule's own forward and backward make."""

    def by_hand(args, dy):
        y, residuals = rule.forward(*args)
        given = []
        for arg, cotangent in zip(args, rule.backward(residuals, _tangent(dy)), strict=True):
            structure = jax.tree.structure(arg)
            given += [None] * structure.num_leaves if cotangent is None else structure.flatten_up_to(cotangent)
        cotangents = {
            name: jnp.zeros_like(leaf) if dleaf is None else dleaf
            for (name, leaf, differentiated), dleaf in zip(named(rule, args), given, strict=True)
            if differentiated
        }
        return cotangents, _outputs(y)

    return by_hand


def autodiff_answers(rule: Rule) -> Answers:
    """What JAX makes of the rule's function."""

    def by_autodiff(args, dy):
        y, pull = jax.vjp(lambda some: rule.f(*replaced(rule, args, some)), leaves(rule, args))
        return pull(_tangent(dy))[0], _outputs(y)

    return by_autodiff


def pullback(rule: Rule) -> Pullback:
    """The cotangents that the rule's own backward makes."""
    return lambda args, dy: answers(rule)(args, dy)[0]


def autodiff_pullback(rule: Rule) -> Pullback:
    """The cotangents that JAX makes of the rule's function."""
    return lambda args, dy: autodiff_answers(rule)(args, dy)[0]


def compiled(f: Callable) -> Callable:
    """`jax.jit`, sparing LLVM's optimizer: a law runs a program a few times, so nearly all of its time is compiling."""
    return jax.jit(f, compiler_options={"xla_backend_optimization_level": 0})


@functools.lru_cache(maxsize=64)
def compiled_answers(rule: Rule) -> Answers:
    """`answers`, compiled once for each rule, dtype and shape."""
    return compiled(answers(rule))


@functools.lru_cache(maxsize=64)
def _compiled_autodiff(f: Callable, arguments: tuple[str, ...], argnums: tuple[int, ...]) -> Answers:
    return compiled(autodiff_answers(Rule(f, f, f, arguments, argnums)))


def compiled_autodiff_answers(rule: Rule) -> Answers:
    """`autodiff_answers`, compiled once for each function, dtype and shape, whatever backward stands beside it."""
    return _compiled_autodiff(rule.f, rule.arguments, rule.argnums)


@functools.lru_cache(maxsize=64)
def compiled_f(f: Callable) -> Callable:
    """The function itself, compiled once for each dtype and shape."""
    return compiled(lambda *args: f(*args))


def compiled_pullback(rule: Rule) -> Pullback:
    """The cotangents among `compiled_answers`."""
    return lambda args, dy: compiled_answers(rule)(args, dy)[0]


def compiled_autodiff(rule: Rule) -> Pullback:
    """The cotangents among `compiled_autodiff_answers`."""
    return lambda args, dy: compiled_autodiff_answers(rule)(args, dy)[0]


def custom_vjp(rule: Rule) -> Callable[..., Any]:
    """The rule as a function whose derivative under JAX is its `backward`."""
    f = jax.custom_vjp(lambda *args: rule.f(*args))
    f.defvjp(lambda *args: rule.forward(*args), lambda residuals, dy: tuple(rule.backward(residuals, dy)))
    return f
