"""Mistakes that any rule can be tried with: the rule with something changed before or after its backward."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
from jax import numpy as jnp

from jaxnn.certify.vjp_rule import Rule

#: A mistake in a rule, anyone's: a function of the rule to the rule with it.
Mistake = Callable[[Rule], Rule]


def _after(change: Callable[[Any, Any], Any]) -> Mistake:
    """`change(cotangent leaf, dy)` for every floating cotangent."""

    def mistake(rule: Rule) -> Rule:
        def backward(residuals, dy):
            return jax.tree.map(
                lambda g: change(g, dy) if jnp.issubdtype(g.dtype, jnp.inexact) else g, rule.backward(residuals, dy)
            )

        return rule._replace(backward=backward)

    return mistake


def _before(change: Callable[[Any], Any]) -> Mistake:
    """`change(dy leaf)` before the backward."""
    return lambda rule: rule._replace(
        backward=lambda residuals, dy: rule.backward(
            residuals, jax.tree.map(lambda a: change(jnp.asarray(a)) if jnp.issubdtype(a.dtype, jnp.inexact) else a, dy)
        )
    )


def _stale(change: Callable[[Any], Any]) -> Mistake:
    """`change(leaf)` for every floating residual."""

    def one(a):
        return change(jnp.asarray(a)) if jnp.issubdtype(jnp.asarray(a).dtype, jnp.inexact) else a

    return lambda rule: rule._replace(backward=lambda residuals, dy: rule.backward(jax.tree.map(one, residuals), dy))


def _of_argument(i: int, change: Callable[[Any], Any]) -> Mistake:
    """`change(leaf)` for the cotangent of the i-th argument."""

    def mistake(rule: Rule) -> Rule:
        def backward(residuals, dy):
            found = list(rule.backward(residuals, dy))
            found[i] = jax.tree.map(change, found[i])
            return tuple(found)

        return rule._replace(backward=backward)

    return mistake


def _first_zero(a):
    return a.at[(0,) * a.ndim].set(0) if a.size else a


def mistakes(rule: Rule) -> Iterator[tuple[str, Mistake]]:
    """Mistakes that any rule can be tried with, by name."""
    yield "factor 1.001", _after(lambda g, dy: 1.001 * g)
    yield "factor 1 + 1e-9", _after(lambda g, dy: (1 + 1e-9) * g)
    yield "wrong sign", _after(lambda g, dy: -g)
    yield "one entry lost", _after(lambda g, dy: _first_zero(g))
    yield "the last row lost", _after(lambda g, dy: g.at[-1].set(0) if g.ndim else 0 * g)
    yield "rows moved by one", _after(lambda g, dy: jnp.roll(g, 1, 0) if g.ndim and len(g) > 1 else 2 * g)
    yield "the last axis turned round", _after(lambda g, dy: g[..., ::-1] if g.ndim and g.shape[-1] > 1 else 2 * g)
    yield "without its transpose", _after(lambda g, dy: g.T.reshape(g.shape) if g.ndim > 1 else 2 * g)
    yield "mean for sum", _after(lambda g, dy: g / 2)
    yield "in half precision", _after(lambda g, dy: g.astype(jnp.bfloat16).astype(g.dtype))
    yield "squared a little", _after(lambda g, dy: g + 1e-6 * g * g)
    yield "the gradient clipped", _after(lambda g, dy: jnp.clip(g, -1e-3, 1e-3))
    yield "dy of the wrong sign", _before(lambda a: -a)
    yield "dy's first entry lost", _before(_first_zero)
    yield "dy taken for ones", _before(jnp.ones_like)
    yield "residuals 0.1 % too large", _stale(lambda a: 1.001 * a)
    yield "stale residuals", _stale(lambda a: jnp.roll(a, 1) if a.size > 1 else 2 * a)
    for i, name in enumerate(rule.arguments):
        if i in rule.argnums:
            yield f"the cotangent of {name} dropped", _of_argument(i, jnp.zeros_like)
            yield f"the cotangent of {name} 0.1 % too large", _of_argument(i, lambda a: 1.001 * a)
