"""The form in which every derivative is certified: a function and its hand-written pullback.

A layer, a loss, a model and a `jax.custom_vjp` function each become a `VjpRule`.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import jax
from jax import numpy as jnp
from jaxtyping import Array

from jaxnn.backprop import ValueAndGrad, objective, value_and_grad
from jaxnn.layer import Key, Layer
from jaxnn.targets import Weighted

#: Arrays by the name of their leaf: `{"params.weight": …, "x": …}`.
NamedArrays = dict[str, Array]

#: How the outputs of the examples are combined: one output for each example, their sum or their mean.
Reduction = Literal["rows", "sum", "mean"]


@runtime_checkable
class ReducedLoss(Protocol):
    """`jaxnn.losses.Loss`, or that class as a mutant of its module defines it."""

    @property
    def reduction(self) -> Literal["mean", "sum"]: ...

    def __call__(self, y: Any, target: Any) -> tuple[Any, Any]: ...


class Meant(NamedTuple):
    """A gradient that is meant where it is not the function's derivative (straight-through, clipping, reversal).

    pullback(args, dy) -> a cotangent for each argument
    f: the function whose derivative it is, if there is one
    """

    pullback: Callable[[tuple[Any, ...], Any], tuple]
    f: Callable[..., Any] | None = None


class VjpRule(NamedTuple):
    """A function and its hand-written pullback, in the form that `jax.custom_vjp` takes.

    f(*args) -> y                      the reference, which JAX differentiates
    forward(*args) -> y, residuals
    backward(residuals, dy) -> a cotangent for each argument, or None for zero; None where an argument holds integers

    arguments: the names of the arguments in a report
    argnums: the arguments that are differentiated; their integer leaves and keys are not
    batched: which arguments hold a row for each example; empty where the rule has no batch axis
    reduction: whether y holds a row for each example ("rows"), or the "sum" or "mean" over the examples
    jit: whether the functions can be compiled; otherwise they run operation by operation
    stopped: arguments or leaves, by name, whose gradient is zero on purpose
    symmetric: leaves, by name, that are symmetric matrices: only symmetric changes of them have a meaning
    no_autodiff: why JAX's derivative of f is no reference, "" if it is one
    meant: the gradient that is meant, where it is not f's derivative
    forward_mode: the function whose derivative in forward mode is part of the rule
    """

    f: Callable[..., Any]
    forward: Callable[..., tuple[Any, Any]]
    backward: Callable[[Any, Any], tuple]
    arguments: tuple[str, ...]
    argnums: tuple[int, ...]
    batched: tuple[bool, ...] = ()
    reduction: Reduction = "rows"
    jit: bool = True
    stopped: tuple[str, ...] = ()
    symmetric: tuple[str, ...] = ()
    no_autodiff: str = ""
    meant: Meant | None = None
    forward_mode: Callable[..., Any] | None = None


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
        return layer.backward(params, res, without_float0(dy))

    return VjpRule(f, forward, backward, ("params", "x"), (0, 1), (False, True) if batched and key is None else ())


def without_float0(tree: Any) -> Any:
    """`tree` with None where JAX has `float0`, the cotangent of an integer: layers use None."""
    return jax.tree.map(lambda a: None if getattr(a, "dtype", None) == jax.dtypes.float0 else a, tree)


def loss_rule(loss: ReducedLoss) -> VjpRule:
    """A loss as a function of (y, target), differentiated with respect to y."""

    def f(y, target):
        return loss(y, target)[0]

    def backward(dy, dvalue):
        return jax.tree.map(lambda dy: dvalue * dy, dy), None

    return VjpRule(f, loss.__call__, backward, ("y", "target"), (0,), (True, True), loss.reduction)


def weighted_loss_rule(loss: ReducedLoss) -> VjpRule:
    """A loss as a function of (y, target, weight), differentiated with respect to y.

    A weighted mean is divided by the weights of its own batch, so the laws about batches apply to sums alone.
    """

    def f(y, target, weight):
        return loss(y, Weighted(target, weight))[0]

    def forward(y, target, weight):
        return loss(y, Weighted(target, weight))

    def backward(dy, dvalue):
        return jax.tree.map(lambda dy: dvalue * dy, dy), None, None

    batched = (True, True, True) if loss.reduction == "sum" else ()
    return VjpRule(f, forward, backward, ("y", "target", "weight"), (0,), batched, loss.reduction)


def model_rule(
    model: Layer, loss: ReducedLoss, value_and_grad: Callable[[Layer, ReducedLoss], ValueAndGrad] = value_and_grad
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


def named_leaves(rule: VjpRule, args: tuple[Any, ...]) -> list[tuple[str, Any, bool]]:
    """The leaves of `args` with their names, and whether each is differentiated."""
    leaves = []
    for i, (name, arg) in enumerate(zip(rule.arguments, args, strict=True)):
        for path, leaf in jax.tree_util.tree_leaves_with_path(arg):
            suffix = jax.tree_util.keystr(path, simple=True, separator=".")
            floating = jnp.issubdtype(leaf.dtype, jnp.inexact)
            leaf_name = f"{name}.{suffix}" if suffix else name
            leaves.append((leaf_name, leaf, floating and i in rule.argnums and not is_stopped(rule, leaf_name)))
    return leaves


def is_stopped(rule: VjpRule, leaf: str) -> bool:
    """Whether the gradient of this leaf is zero on purpose."""
    return any(leaf == name or leaf.startswith(f"{name}.") for name in rule.stopped)


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
