"""Mutations of any rule: a change before or after its backward, which turns a correct rule into a wrong one."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
from jax import numpy as jnp

from jaxnn.certify.vjp_rule import VjpRule

#: A function of a rule to the rule with a mistake in it.
Mutation = Callable[[VjpRule], VjpRule]


def _is_floating(a: Any) -> bool:
    return bool(jnp.issubdtype(getattr(a, "dtype", type(a)), jnp.inexact))


def _map_floating(change: Callable[[Any], Any], tree: Any) -> Any:
    return jax.tree.map(lambda a: change(jnp.asarray(a)) if _is_floating(a) else a, tree)


def _change_cotangents(change: Callable[[Any], Any]) -> Mutation:
    """`change(leaf)` for every floating cotangent."""
    return lambda rule: rule._replace(
        backward=lambda residuals, dy: _map_floating(change, rule.backward(residuals, dy)),
    )


def _change_dy(change: Callable[[Any], Any]) -> Mutation:
    """`change(leaf)` for every floating leaf of dy, before the backward."""
    return lambda rule: rule._replace(
        backward=lambda residuals, dy: rule.backward(residuals, _map_floating(change, dy)),
    )


def _change_residuals(change: Callable[[Any], Any]) -> Mutation:
    """`change(leaf)` for every floating residual, before the backward."""
    return lambda rule: rule._replace(
        backward=lambda residuals, dy: rule.backward(_map_floating(change, residuals), dy),
    )


def _change_argument_cotangent(i: int, change: Callable[[Any], Any]) -> Mutation:
    """`change(leaf)` for the cotangent of the i-th argument."""

    def mutation(rule: VjpRule) -> VjpRule:
        def backward(residuals, dy):
            cotangents = list(rule.backward(residuals, dy))
            cotangents[i] = jax.tree.map(change, cotangents[i])
            return tuple(cotangents)

        return rule._replace(backward=backward)

    return mutation


def _zero_first_entry(a: Any) -> Any:
    return a.at[(0,) * a.ndim].set(0) if a.size else a


def mutations(rule: VjpRule) -> Iterator[tuple[str, Mutation]]:
    """The mutations of `rule`, by name."""
    yield "factor 1.001", _change_cotangents(lambda g: 1.001 * g)
    yield "factor 1 + 1e-9", _change_cotangents(lambda g: (1 + 1e-9) * g)
    yield "wrong sign", _change_cotangents(lambda g: -g)
    yield "first entry zero", _change_cotangents(_zero_first_entry)
    yield "last row zero", _change_cotangents(lambda g: g.at[-1].set(0) if g.ndim else 0 * g)
    yield "rows shifted by one", _change_cotangents(lambda g: jnp.roll(g, 1, 0) if g.ndim and len(g) > 1 else 2 * g)
    yield "last axis reversed", _change_cotangents(lambda g: g[..., ::-1] if g.ndim and g.shape[-1] > 1 else 2 * g)
    yield "transposed", _change_cotangents(lambda g: g.T.reshape(g.shape) if g.ndim > 1 else 2 * g)
    yield "mean instead of sum", _change_cotangents(lambda g: g / 2)
    yield "half precision", _change_cotangents(lambda g: g.astype(jnp.bfloat16).astype(g.dtype))
    yield "small quadratic term", _change_cotangents(lambda g: g + 1e-6 * g * g)
    yield "clipped gradient", _change_cotangents(lambda g: jnp.clip(g, -1e-3, 1e-3))
    yield "wrong sign of dy", _change_dy(lambda a: -a)
    yield "first entry of dy zero", _change_dy(_zero_first_entry)
    yield "ones instead of dy", _change_dy(jnp.ones_like)
    yield "residuals 0.1 % too large", _change_residuals(lambda a: 1.001 * a)
    yield "stale residuals", _change_residuals(lambda a: jnp.roll(a, 1) if a.size > 1 else 2 * a)
    for i, name in enumerate(rule.arguments):
        if i in rule.argnums:
            yield f"cotangent of {name} zero", _change_argument_cotangent(i, jnp.zeros_like)
            yield f"cotangent of {name} 0.1 % too large", _change_argument_cotangent(i, lambda a: 1.001 * a)
