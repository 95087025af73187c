"""What is certified: a function and the pullback derived for it by hand, whatever it belongs to."""

import functools
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array

from jaxnn.backprop import objective, value_and_grad
from jaxnn.layer import Key, Layer
from jaxnn.losses import Loss

#: Arrays by the name of the leaf that they belong to: `{"params.weight": …, "x": …}`.
Leaves = dict[str, Array]


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
    reduction: Literal["rows", "sum", "mean"] = "rows"


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


def of_model(model: Layer, loss: Loss) -> Rule:
    """`value_and_grad(model, loss)` as a function of (params, x, target), differentiated with respect to params."""

    def f(params, x, target):
        return objective(model, loss)(params, x, target)[0]

    def forward(params, x, target):
        (value, _), dparams = value_and_grad(model, loss)(params, x, target)
        return value, dparams

    def backward(dparams, dvalue):
        return jax.tree.map(lambda g: dvalue * g, dparams), None, None

    return Rule(f, forward, backward, ("params", "x", "target"), (0,), (False, True, True), loss.reduction)


def _named(rule: Rule, args: tuple) -> list[tuple[str, Any, bool]]:
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
    return {name: leaf for name, leaf, differentiated in _named(rule, args) if differentiated}


def replaced(rule: Rule, args: tuple, new: Leaves) -> tuple:
    """`args` with the named leaves replaced."""
    flat = [new.get(name, leaf) for name, leaf, _ in _named(rule, args)]
    return jax.tree.unflatten(jax.tree.structure(args), flat)


def rows_of(rule: Rule, args: tuple) -> frozenset[str]:
    """The names of the leaves that hold a row for each example."""
    batched = [name for name, b in zip(rule.arguments, rule.batched, strict=True) if b] if rule.batched else []
    return frozenset(name for name in leaves(rule, args) if name.split(".")[0] in batched)


def _tangent(dy: Any) -> Any:
    """`dy` with JAX's empty `float0` for outputs that are no floating numbers."""
    return jax.tree.map(
        lambda a: a if jnp.issubdtype(a.dtype, jnp.inexact) else np.zeros(a.shape, jax.dtypes.float0), dy
    )


def pullback(rule: Rule) -> Callable[[tuple, Any], Leaves]:
    """(args, dy) -> the cotangents that the rule's own backward makes, by leaf."""

    def by_hand(args, dy):
        _, residuals = rule.forward(*args)
        given = []
        for arg, cotangent in zip(args, rule.backward(residuals, _tangent(dy)), strict=True):
            structure = jax.tree.structure(arg)
            given += [None] * structure.num_leaves if cotangent is None else structure.flatten_up_to(cotangent)
        return {
            name: jnp.zeros_like(leaf) if dleaf is None else dleaf
            for (name, leaf, differentiated), dleaf in zip(_named(rule, args), given, strict=True)
            if differentiated
        }

    return by_hand


def autodiff_pullback(rule: Rule, f: Callable | None = None) -> Callable[[tuple, Any], Leaves]:
    """(args, dy) -> the cotangents that JAX makes of `f` (unless given, the rule's), by leaf."""

    def by_autodiff(args, dy):
        function = rule.f if f is None else f
        _, pull = jax.vjp(lambda some: function(*replaced(rule, args, some)), leaves(rule, args))
        return pull(_tangent(dy))[0]

    return by_autodiff


def compiled(f: Callable) -> Callable:
    """`jax.jit`, sparing LLVM's optimizer: a law runs a program a few times, so nearly all of its time is compiling."""
    return jax.jit(f, compiler_options={"xla_backend_optimization_level": 0})


@functools.lru_cache(maxsize=64)
def compiled_pullback(rule: Rule) -> Callable[[tuple, Any], Leaves]:
    """`pullback`, compiled once for each rule, dtype and shape."""
    return compiled(pullback(rule))


@functools.lru_cache(maxsize=64)
def compiled_autodiff(rule: Rule) -> Callable[[tuple, Any], Leaves]:
    """`autodiff_pullback`, compiled once for each rule, dtype and shape."""
    return compiled(autodiff_pullback(rule))


@functools.lru_cache(maxsize=64)
def compiled_f(rule: Rule) -> Callable[..., Any]:
    """The function itself, compiled once for each rule, dtype and shape."""
    return compiled(lambda *args: rule.f(*args))


def custom_vjp(rule: Rule) -> Callable[..., Any]:
    """The rule as a function whose derivative under JAX is its `backward`."""
    f = jax.custom_vjp(lambda *args: rule.f(*args))
    f.defvjp(lambda *args: rule.forward(*args), lambda residuals, dy: tuple(rule.backward(residuals, dy)))
    return f
