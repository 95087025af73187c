"""What the author of a rule means by it, where that is not the derivative of the whole function."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
from jax import numpy as jnp

from jaxnn.certify.arguments import Arguments
from jaxnn.certify.pullback import output_cotangent, whole_rule
from jaxnn.certify.vjp_rule import Meant, without_float0
from jaxnn.errors import UserError


class Intent(NamedTuple):
    """What the author of a rule means by it, where that is not the derivative of the whole function.

    reference: another function of the same arguments, instead of the one that is differentiated
    meant: the gradient that is meant: a function of the arguments whose derivative it is, or (*args, dy) -> cotangents
    stopped: arguments or leaves, by name, whose gradient is zero on purpose
    outputs: the outputs whose cotangents count; None for all of them
    once_differentiable: whether second derivatives are wrong or missing on purpose
    tolerances: by dtype, the relative error that is allowed to an approximation by design
    """

    reference: Callable[..., Any] | None = None
    meant: Callable[..., Any] | None = None
    stopped: tuple[str, ...] = ()
    outputs: tuple[Any, ...] | None = None
    once_differentiable: bool = False
    tolerances: tuple[tuple[str, float], ...] = ()


def option_names(option: str, names: Sequence[str]) -> tuple[str, ...]:
    """The names of an option as a tuple; raises `UserError` for a single text."""
    if isinstance(names, str):
        raise UserError(f"certify_vjp: {option}: expected a tuple of names, such as ({names!r},), found {names!r}")
    return tuple(names)


def option_tolerances(tolerances: Mapping[str, float] | None) -> tuple[tuple[str, float], ...]:
    """Tolerances by dtype as pairs; raises `UserError` for another dtype."""
    for dtype in tolerances or {}:
        if dtype not in ("float64", "float32", "bfloat16"):
            raise UserError(f"certify_vjp: tolerances: expected float64, float32 or bfloat16, found {dtype!r}")
    return tuple((tolerances or {}).items())


def selection(outputs: tuple[Any, ...] | None) -> Callable[[Any], Any]:
    """The outputs that count, as a tuple."""
    if outputs is None:
        return lambda y: y

    def select(y: Any) -> Any:
        try:
            return tuple(y[i] for i in outputs)
        except (TypeError, IndexError, KeyError) as error:
            raise UserError(f"certify_vjp: outputs: f has no output {error}: expected indices or keys") from error

    return select


def whole_cotangent(y: Any, outputs: tuple[Any, ...], dy: tuple[Any, ...]) -> Any:
    """The cotangent of all outputs: zero for those that do not count."""
    children, structure = jax.tree.flatten(y, is_leaf=lambda node: node is not y)
    keys = sorted(y) if isinstance(y, dict) else list(range(len(children)))
    selected = {
        keys[i] if isinstance(i, int) and not isinstance(y, dict) else i: a for i, a in zip(outputs, dy, strict=True)
    }
    zeros = [output_cotangent(jax.tree.map(jnp.zeros_like, child)) for child in children]
    return structure.unflatten([selected.get(key, zero) for key, zero in zip(keys, zeros, strict=True)])


def compose(outer: Callable[[Any], Any], inner: Callable[..., Any]) -> Callable[..., Any]:
    """`outer` of the result of `inner`."""
    return lambda *arrays: outer(inner(*arrays))


def meant_gradient(meant: Callable[..., Any], arguments: Arguments, select: Callable[[Any], Any]) -> Meant:
    """The gradient that is meant, from a function of the arguments, or of the arguments and dy."""
    n = len(arguments.items)
    if not _takes(meant, n + 1):
        f = compose(select, arguments.bound(meant))
        forward, backward = whole_rule(f)
        return Meant(lambda args, dy: backward(forward(*args)[1], dy), f)

    def pullback(args: tuple[Any, ...], dy: Any) -> tuple[Any, ...]:
        cotangents = meant(*arguments.values(args), dy)
        if not isinstance(cotangents, tuple | list):
            cotangents = (cotangents,)
        if len(cotangents) == n != len(args):
            pairs = zip(arguments.items, cotangents, strict=True)
            cotangents = [cotangent for item, cotangent in pairs if any(item.is_array)]
        if len(cotangents) != len(args):
            raise UserError(f"certify_vjp: meant: expected {len(args)} cotangents, found {len(cotangents)}")
        return tuple(
            item.cotangent(without_float0(c)) for item, c in zip(arguments.with_arrays, cotangents, strict=True)
        )

    return Meant(pullback)


def _takes(f: Callable[..., Any], n: int) -> bool:
    """Whether `f` can be called with n positional arguments."""
    try:
        inspect.signature(f).bind(*range(n))
    except (TypeError, ValueError):
        return False
    return True
