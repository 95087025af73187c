"""What is certified: a function and the pullback derived for it by hand, whatever it belongs to."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
from jax import numpy as jnp
from jaxtyping import Array

from jaxnn.backprop import ValueAndGrad, objective, value_and_grad
from jaxnn.errors import UserError
from jaxnn.layer import Key, Layer
from jaxnn.losses import Loss, Weighted

#: Arrays by the name of the leaf that they belong to: `{"params.weight": …, "x": …}`.
Leaves = dict[str, Array]

#: What becomes of the examples' outputs: one for each, their sum or their mean.
Reduction = Literal["rows", "sum", "mean"]


class Rule(NamedTuple):
    """A function and its hand-derived pullback, in the form that `jax.custom_vjp` takes.

    f(*args) -> y                      what JAX differentiates: the witness
    forward(*args) -> y, residuals
    backward(residuals, dy) -> a cotangent for each argument, or None where it is zero or there is none

    `arguments` names the arguments in a report; `argnums` are those that are differentiated (their integers and keys
    are left out). `batched` says which arguments hold a row for each example (empty: the rule knows no batch), and
    `reduction` what becomes of the examples' outputs: "rows", one for each, or their "sum" or "mean".
    """

    f: Callable[..., Any]
    forward: Callable[..., tuple[Any, Any]]
    backward: Callable[[Any, Any], tuple]
    arguments: tuple[str, ...]
    argnums: tuple[int, ...]
    batched: tuple[bool, ...] = ()
    reduction: Reduction = "rows"


def of_layer(layer: Layer, key: Key = None) -> Rule:
    """A layer as a function of (params, x). With a key (dropout) an example's output depends on its place."""

    def f(params, x):
        return layer.forward(params, x, key)[0]

    def forward(params, x):
        y, res = layer.forward(params, x, key)
        return y, (params, res)

    def backward(residuals, dy):
        params, res = residuals
        return layer.backward(params, res, dy)

    return Rule(f, forward, backward, ("params", "x"), (0, 1), (False, True) if key is None else ())


def of_loss(loss: Loss) -> Rule:
    """A loss as a function of (y, target), differentiated with respect to y."""

    def f(y, target):
        return loss(y, target)[0]

    def backward(dy, dvalue):
        return dvalue * dy, None

    return Rule(f, loss.__call__, backward, ("y", "target"), (0,), (True, True), loss.reduction)


def of_weighted_loss(loss: Loss) -> Rule:
    """A loss as a function of (y, target, weight), differentiated with respect to y.

    A weighted mean is divided by the weights of its own batch, so the laws about batches hold for sums alone.
    """

    def f(y, target, weight):
        return loss(y, Weighted(target, weight))[0]

    def forward(y, target, weight):
        return loss(y, Weighted(target, weight))

    def backward(dy, dvalue):
        return dvalue * dy, None, None

    batched = (True, True, True) if loss.reduction == "sum" else ()
    return Rule(f, forward, backward, ("y", "target", "weight"), (0,), batched, loss.reduction)


def of_model(model: Layer, loss: Loss, value_and_grad: Callable[[Layer, Loss], ValueAndGrad] = value_and_grad) -> Rule:
    """`value_and_grad(model, loss)` as a function of (params, x, target), differentiated with respect to params."""

    def f(params, x, target):
        return objective(model, loss)(params, x, target)[0]

    def forward(params, x, target):
        (value, _), dparams = value_and_grad(model, loss)(params, x, target)
        return value, dparams

    def backward(dparams, dvalue):
        return jax.tree.map(lambda g: dvalue * g, dparams), None, None

    return Rule(f, forward, backward, ("params", "x", "target"), (0,), (False, True, True), loss.reduction)


def of_vjp(
    f: Callable[..., Any],
    fwd: Callable[..., tuple[Any, Any]] | None,
    bwd: Callable[..., tuple] | None,
    args: tuple,
    batched: tuple[bool, ...],
    reduction: Reduction,
) -> tuple[Rule, tuple]:
    """The rule of a `jax.custom_vjp`, whole or in its three functions, and its arguments as arrays.

    Raises `UserError` for what cannot be certified.
    """
    nondiff: tuple[int, ...] = ()
    witness = f
    if isinstance(f, jax.custom_vjp):
        witness, nondiff = f.fun, tuple(f.nondiff_argnums)
        fwd, bwd = fwd or f.fwd, bwd or f.bwd
    if fwd is None or bwd is None:
        raise UserError("certify_vjp: expected fwd and bwd (or a jax.custom_vjp function that has them), found None")
    names = _names(witness, len(args))
    if nondiff:  # these are no arrays: they are fixed, and bwd is given them first
        given, fixed = args, [args[i] for i in nondiff]
        kept = [i for i in range(len(args)) if i not in nondiff]

        def whole(some):
            rest = iter(some)
            return [given[i] if i in nondiff else next(rest) for i in range(len(given))]

        witness, fwd, bwd = (
            lambda *some, f=witness: f(*whole(some)),
            lambda *some, f=fwd: f(*whole(some)),
            functools.partial(bwd, *fixed),
        )
        names, args = tuple(names[i] for i in kept), tuple(args[i] for i in kept)
    args = jax.tree.map(_array, args)
    if batched and len(batched) != len(args):
        raise UserError(f"certify_vjp: expected batched for each of {len(args)} arguments, found {len(batched)}")
    if not any(jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in jax.tree.leaves(args)):
        raise UserError("certify_vjp: expected an argument with floating numbers, found none")
    return Rule(witness, fwd, bwd, names, tuple(range(len(args))), batched, reduction), args


def _array(leaf: Any) -> Any:
    if isinstance(leaf, jax.Array):
        return leaf
    try:
        return jnp.asarray(leaf)
    except TypeError as error:
        raise UserError(f"certify_vjp: expected arrays as arguments, found {leaf!r}") from error


def _names(f: Callable, n: int) -> tuple[str, ...]:
    try:
        names = list(inspect.signature(f).parameters)[:n]
    except (TypeError, ValueError):
        names = []
    return tuple(names[i] if i < len(names) else f"argument {i}" for i in range(n))


def named(rule: Rule, args: tuple) -> list[tuple[str, Any, bool]]:
    """The leaves of `args` with their names, and whether they are differentiated."""
    named = []
    for i, (name, arg) in enumerate(zip(rule.arguments, args, strict=True)):
        for path, leaf in jax.tree_util.tree_leaves_with_path(arg):
            rest = jax.tree_util.keystr(path, simple=True, separator=".")
            floating = jnp.issubdtype(leaf.dtype, jnp.inexact)
            named.append((f"{name}.{rest}" if rest else name, leaf, floating and i in rule.argnums))
    return named


def leaves(rule: Rule, args: tuple) -> Leaves:
    """The leaves of `args` that are differentiated, by name."""
    return {name: leaf for name, leaf, differentiated in named(rule, args) if differentiated}


def replaced(rule: Rule, args: tuple, new: Leaves) -> tuple:
    """`args` with the named leaves replaced."""
    flat = [new.get(name, leaf) for name, leaf, _ in named(rule, args)]
    return jax.tree.unflatten(jax.tree.structure(args), flat)


def rows_of(rule: Rule, args: tuple) -> frozenset[str]:
    """The names of the leaves that hold a row for each example."""
    batched = [name for name, b in zip(rule.arguments, rule.batched, strict=True) if b] if rule.batched else []
    return frozenset(name for name in leaves(rule, args) if name.split(".")[0] in batched)
