"""The form in which every derivative is certified: a function and its hand-written pullback.

A layer, a loss, a model and a `jax.custom_vjp` function each become a `VjpRule`.
"""

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
from jaxnn.losses import Loss
from jaxnn.targets import Weighted

#: Arrays by the name of their leaf: `{"params.weight": …, "x": …}`.
NamedArrays = dict[str, Array]

#: How the outputs of the examples are combined: one output for each example, their sum or their mean.
Reduction = Literal["rows", "sum", "mean"]


class VjpRule(NamedTuple):
    """A function and its hand-written pullback, in the form that `jax.custom_vjp` takes.

    f(*args) -> y                      the reference, which JAX differentiates
    forward(*args) -> y, residuals
    backward(residuals, dy) -> a cotangent for each argument, or None for zero; None where an argument holds integers

    arguments: the names of the arguments in a report
    argnums: the arguments that are differentiated; their integer leaves and keys are not
    batched: which arguments hold a row for each example; empty where the rule has no batch axis
    reduction: whether y holds a row for each example ("rows"), or the "sum" or "mean" over the examples
    """

    f: Callable[..., Any]
    forward: Callable[..., tuple[Any, Any]]
    backward: Callable[[Any, Any], tuple]
    arguments: tuple[str, ...]
    argnums: tuple[int, ...]
    batched: tuple[bool, ...] = ()
    reduction: Reduction = "rows"


def layer_rule(layer: Layer, key: Key = None, batched: bool = True) -> VjpRule:
    """A layer as a function of (params, x).

    With a key (dropout) there is no batch axis to test: the output of an example depends on its position.
    batched: whether the leaves of x, and of y, hold a row for each example
    """

    def f(params, x):
        return layer.forward(params, x, key)[0]

    def forward(params, x):
        y, res = layer.forward(params, x, key)
        return y, (params, res)

    def backward(residuals, dy):
        params, res = residuals
        return layer.backward(params, res, _without_float0(dy))

    return VjpRule(f, forward, backward, ("params", "x"), (0, 1), (False, True) if batched and key is None else ())


def _without_float0(tree: Any) -> Any:
    """`tree` with None where JAX has `float0`, the cotangent of an integer: layers use None."""
    return jax.tree.map(lambda a: None if getattr(a, "dtype", None) == jax.dtypes.float0 else a, tree)


def loss_rule(loss: Loss) -> VjpRule:
    """A loss as a function of (y, target), differentiated with respect to y."""

    def f(y, target):
        return loss(y, target)[0]

    def backward(dy, dvalue):
        return dvalue * dy, None

    return VjpRule(f, loss.__call__, backward, ("y", "target"), (0,), (True, True), loss.reduction)


def weighted_loss_rule(loss: Loss) -> VjpRule:
    """A loss as a function of (y, target, weight), differentiated with respect to y.

    A weighted mean is divided by the weights of its own batch, so the laws about batches apply to sums alone.
    """

    def f(y, target, weight):
        return loss(y, Weighted(target, weight))[0]

    def forward(y, target, weight):
        return loss(y, Weighted(target, weight))

    def backward(dy, dvalue):
        return dvalue * dy, None, None

    batched = (True, True, True) if loss.reduction == "sum" else ()
    return VjpRule(f, forward, backward, ("y", "target", "weight"), (0,), batched, loss.reduction)


def model_rule(
    model: Layer, loss: Loss, value_and_grad: Callable[[Layer, Loss], ValueAndGrad] = value_and_grad
) -> VjpRule:
    """`value_and_grad(model, loss)` as a function of (params, x, target), differentiated with respect to params."""

    def f(params, x, target):
        return objective(model, loss)(params, x, target)[0]

    def forward(params, x, target):
        (value, _), dparams = value_and_grad(model, loss)(params, x, target)
        return value, dparams

    def backward(dparams, dvalue):
        return jax.tree.map(lambda g: dvalue * g, dparams), None, None

    return VjpRule(f, forward, backward, ("params", "x", "target"), (0,), (False, True, True), loss.reduction)


def custom_vjp_rule(
    f: Callable[..., Any],
    fwd: Callable[..., tuple[Any, Any]] | None,
    bwd: Callable[..., tuple[Any, ...]] | None,
    args: tuple[Any, ...],
    batched: tuple[bool, ...],
    reduction: Reduction,
) -> tuple[VjpRule, tuple[Any, ...]]:
    """The rule of a `jax.custom_vjp` function, or of its three functions, and its arguments as arrays.

    Raises `UserError` for what cannot be certified.
    """
    nondiff: tuple[int, ...] = ()
    reference = f
    if isinstance(f, jax.custom_vjp):
        reference, nondiff = f.fun, tuple(f.nondiff_argnums)
        fwd, bwd = fwd or f.fwd, bwd or f.bwd
    if fwd is None or bwd is None:
        raise UserError("certify_vjp: expected fwd and bwd (or a jax.custom_vjp function that has them), found None")
    names = _argument_names(reference, len(args))
    if nondiff:  # these arguments are not arrays: they become constants, and bwd takes them first
        all_args, constants = args, [args[i] for i in nondiff]
        array_argnums = [i for i in range(len(args)) if i not in nondiff]

        def with_constants(arrays):
            remaining = iter(arrays)
            return [all_args[i] if i in nondiff else next(remaining) for i in range(len(all_args))]

        reference, fwd, bwd = (
            lambda *arrays, f=reference: f(*with_constants(arrays)),
            lambda *arrays, f=fwd: f(*with_constants(arrays)),
            functools.partial(bwd, *constants),
        )
        names, args = tuple(names[i] for i in array_argnums), tuple(args[i] for i in array_argnums)
    args = jax.tree.map(_array, args)
    if batched and len(batched) != len(args):
        raise UserError(f"certify_vjp: expected batched for each of {len(args)} arguments, found {len(batched)}")
    if not any(jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in jax.tree.leaves(args)):
        raise UserError("certify_vjp: expected an argument with floating numbers, found none")

    def backward(residuals, dy, bwd=bwd):
        return tuple(_without_float0(cotangent) for cotangent in bwd(residuals, dy))

    return VjpRule(reference, fwd, backward, names, tuple(range(len(args))), batched, reduction), args


def _array(leaf: Any) -> Any:
    if isinstance(leaf, jax.Array):
        return leaf
    try:
        return jnp.asarray(leaf)
    except TypeError as error:
        raise UserError(f"certify_vjp: expected arrays as arguments, found {leaf!r}") from error


def _argument_names(f: Callable, n: int) -> tuple[str, ...]:
    try:
        names = list(inspect.signature(f).parameters)[:n]
    except (TypeError, ValueError):
        names = []
    return tuple(names[i] if i < len(names) else f"argument {i}" for i in range(n))


def named_leaves(rule: VjpRule, args: tuple[Any, ...]) -> list[tuple[str, Any, bool]]:
    """The leaves of `args` with their names, and whether each is differentiated."""
    leaves = []
    for i, (name, arg) in enumerate(zip(rule.arguments, args, strict=True)):
        for path, leaf in jax.tree_util.tree_leaves_with_path(arg):
            suffix = jax.tree_util.keystr(path, simple=True, separator=".")
            floating = jnp.issubdtype(leaf.dtype, jnp.inexact)
            leaves.append((f"{name}.{suffix}" if suffix else name, leaf, floating and i in rule.argnums))
    return leaves


def differentiated_leaves(rule: VjpRule, args: tuple[Any, ...]) -> NamedArrays:
    """The leaves of `args` that are differentiated, by name."""
    return {name: leaf for name, leaf, differentiated in named_leaves(rule, args) if differentiated}


def replace_leaves(rule: VjpRule, args: tuple[Any, ...], new: NamedArrays) -> tuple[Any, ...]:
    """`args` with the leaves of these names replaced."""
    flat = [new.get(name, leaf) for name, leaf, _ in named_leaves(rule, args)]
    return jax.tree.unflatten(jax.tree.structure(args), flat)


def batched_leaves(rule: VjpRule, args: tuple[Any, ...]) -> frozenset[str]:
    """The names of the differentiated leaves that hold a row for each example."""
    batched = [name for name, b in zip(rule.arguments, rule.batched, strict=True) if b] if rule.batched else []
    return frozenset(name for name in differentiated_leaves(rule, args) if name.split(".")[0] in batched)
