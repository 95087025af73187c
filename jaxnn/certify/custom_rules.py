"""What a traced function does inside: custom rules that it calls, and precisions lower than its arguments'.

A function that calls a custom rule is no independent reference: JAX's derivative of it is that rule. Without the rules,
JAX differentiates the functions that they replace.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
from jax import numpy as jnp
from jax.extend import core
from jax.extend.core import primitives

_RULES = {primitives.custom_vjp_call_p: "custom_vjp", primitives.custom_jvp_call_p: "custom_jvp"}


class CustomRule(NamedTuple):
    """A `jax.custom_vjp` or `jax.custom_jvp` function that a program calls.

    is_jax: whether it belongs to JAX, such as `jax.nn.relu`
    """

    name: str
    kind: str
    is_jax: bool


def _sub_programs(value: Any) -> Iterator[Any]:
    for item in value if isinstance(value, tuple | list) else (value,):
        if isinstance(item, core.ClosedJaxpr):
            yield item.jaxpr
        elif isinstance(item, core.Jaxpr):
            yield item


def _equations(jaxpr: Any) -> Iterator[Any]:
    """All equations of a program, and of the programs inside them."""
    for equation in jaxpr.eqns:
        yield equation
        for value in equation.params.values():
            for sub_program in _sub_programs(value):
                yield from _equations(sub_program)


def _rule_of(equation: Any) -> CustomRule | None:
    if equation.primitive not in _RULES:
        return None
    debug_info = equation.params["call_jaxpr"].jaxpr.debug_info
    source = (debug_info.func_src_info or "") if debug_info is not None else ""
    name, _, path = source.partition(" at ")
    is_jax = any(folder in path.replace("\\", "/") for folder in ("/jax/_src/", "/jax/experimental/"))
    return CustomRule(name or "a rule", _RULES[equation.primitive], is_jax)


def custom_rules(f: Callable[..., Any], *args: Any) -> tuple[CustomRule, ...]:
    """The custom rules that `f` calls at `args`."""
    equations = _equations(jax.make_jaxpr(f)(*args).jaxpr)
    return tuple(dict.fromkeys(rule for equation in equations if (rule := _rule_of(equation)) is not None))


def without_custom_rules(f: Callable[..., Any], *, keep_jax: bool) -> Callable[..., Any]:
    """`f` with each custom rule replaced by the function that it differentiates.

    keep_jax: whether JAX's own rules stay
    """

    def replaced(equation: Any) -> Any:
        rule = _rule_of(equation)
        params = {name: _replace_inside(value, replaced) for name, value in equation.params.items()}
        if rule is None:
            return equation.replace(params=params)
        if keep_jax and rule.is_jax:
            return equation
        return equation.replace(primitive=primitives.closed_call_p, params={"call_jaxpr": params["call_jaxpr"]})

    def plain(*args: Any) -> Any:
        program, shapes = jax.make_jaxpr(f, return_shape=True)(*args)
        outputs = core.jaxpr_as_fun(_replace_inside(program, replaced))(*jax.tree.leaves(args))
        return jax.tree.unflatten(jax.tree.structure(shapes), outputs)

    return plain


def _replace_inside(value: Any, replaced: Callable[[Any], Any]) -> Any:
    inner = value.jaxpr if isinstance(value, core.ClosedJaxpr) else None
    # In newer versions of JAX both are one class, whose `jaxpr` is itself.
    if inner is not None and inner is not value:
        return value.replace(jaxpr=_replace_inside(inner, replaced))
    if isinstance(value, core.Jaxpr):
        if not any(equation.primitive in _RULES for equation in _equations(value)):
            return value
        return value.replace(eqns=[replaced(equation) for equation in value.eqns])
    if type(value) is tuple:
        return tuple(_replace_inside(item, replaced) for item in value)
    return [_replace_inside(item, replaced) for item in value] if type(value) is list else value


#: From the highest precision to the lowest.
PRECISIONS: list[str] = ["float64", "float32", "float16", "bfloat16"]


def lowest_precision(f: Callable[..., Any], *args: Any) -> str:
    """The lowest precision to which `f` rounds a number of float64 inside; "float64" if it rounds none."""
    lowest = 0
    for equation in _equations(jax.make_jaxpr(f)(*args).jaxpr):
        if any(_precision(var) == 0 for var in equation.invars):
            lowest = max([lowest, *(precision for var in equation.outvars if (precision := _precision(var)))])
    return PRECISIONS[lowest]


def _precision(var: Any) -> int | None:
    """The place of a variable's dtype in `PRECISIONS`; None for a literal, or a variable without such numbers."""
    dtype = getattr(var.aval, "dtype", None)
    if isinstance(var, core.Literal) or dtype is None or not jnp.issubdtype(dtype, jnp.inexact):
        return None
    name = {"complex128": "float64", "complex64": "float32"}.get(dtype.name, dtype.name)
    return PRECISIONS.index(name) if name in PRECISIONS else len(PRECISIONS) - 1
