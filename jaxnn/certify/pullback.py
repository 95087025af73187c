"""The two pullbacks that the laws compare: the rule's hand-written one, and the one that JAX derives from its f."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.certify.measurement import NotMeasured, error_line
from jaxnn.certify.vjp_rule import NamedArrays, VjpRule, differentiated_leaves, named_leaves, replace_leaves

#: (args, dy) -> cotangents by leaf
Pullback = Callable[[tuple[Any, ...], Any], NamedArrays]
#: (args, dy) -> (cotangents by leaf, floating outputs by leaf)
CotangentsAndOutputs = Callable[[tuple[Any, ...], Any], tuple[NamedArrays, NamedArrays]]

#: The name of the function's output in a measurement: no argument can have it.
OUTPUT = "f(·)"


def output_cotangent(dy: Any) -> Any:
    """`dy` as JAX passes it to a backward: with the empty `float0` for outputs that are not floating."""
    return jax.tree.map(
        lambda a: a if jnp.issubdtype(a.dtype, jnp.inexact) else np.zeros(a.shape, jax.dtypes.float0), dy
    )


def named_outputs(y: Any) -> NamedArrays:
    """The floating leaves of the output by name."""
    flat = jax.tree_util.tree_leaves_with_path((y,))
    names = ((OUTPUT, jax.tree_util.keystr(path[1:], simple=True, separator="."), leaf) for path, leaf in flat)
    return {".".join(filter(None, name)): a for *name, a in names if jnp.issubdtype(a.dtype, jnp.inexact)}


def cotangent_leaves(arg: Any, cotangent: Any) -> list[Any]:
    """The cotangent of each leaf of `arg`; None for all of them where `cotangent` is None.

    Raises `ValueError` where the cotangent has another tree structure.
    """
    structure = jax.tree.structure(arg)
    return [None] * structure.num_leaves if cotangent is None else structure.flatten_up_to(cotangent)


def cotangents_and_outputs(rule: VjpRule) -> CotangentsAndOutputs:
    """The cotangents and outputs that the rule's forward and backward compute.

    Their order is part of the program that law 9 measures: XLA's temporary memory can depend on it.
    """

    def hand_written(args, dy):
        y, residuals = rule.forward(*args)
        flat = []
        for arg, cotangent in zip(args, rule.backward(residuals, output_cotangent(dy)), strict=True):
            flat += cotangent_leaves(arg, cotangent)
        cotangents = {
            name: jnp.zeros_like(leaf) if dleaf is None else dleaf
            for (name, leaf, differentiated), dleaf in zip(named_leaves(rule, args), flat, strict=True)
            if differentiated
        }
        return cotangents, named_outputs(y)

    return hand_written


def autodiff_cotangents_and_outputs(rule: VjpRule) -> CotangentsAndOutputs:
    """The cotangents and outputs that JAX computes from the rule's function; or the cotangents that are meant.

    The result raises `NotMeasured` where JAX cannot differentiate the function.
    """

    def autodiff(args, dy):
        if rule.no_autodiff:
            raise NotMeasured(rule.no_autodiff)
        try:
            y, pull = jax.vjp(
                lambda leaves: rule.f(*replace_leaves(rule, args, leaves)), differentiated_leaves(rule, args)
            )
            return pull(output_cotangent(dy))[0], named_outputs(y)
        except Exception as error:
            raise NotMeasured(f"JAX cannot differentiate the function: {error_line(error)}") from error

    if rule.meant is None:
        return autodiff
    return cotangents_and_outputs(
        rule._replace(forward=lambda *args: (rule.f(*args), args), backward=rule.meant.pullback)
    )


def pullback(rule: VjpRule) -> Pullback:
    """The cotangents that the rule's hand-written backward computes."""
    return lambda args, dy: cotangents_and_outputs(rule)(args, dy)[0]


def autodiff_pullback(rule: VjpRule) -> Pullback:
    """The cotangents that JAX computes from the rule's function."""
    return lambda args, dy: autodiff_cotangents_and_outputs(rule)(args, dy)[0]


def jit_unoptimized(f: Callable[..., Any]) -> Callable[..., Any]:
    """`jax.jit` without LLVM's optimizer: a law runs a program a few times, so compiling takes most of its time."""
    return jax.jit(f, compiler_options={"xla_backend_optimization_level": 0})


def _compiled(rule: VjpRule, f: Callable[..., Any]) -> Callable[..., Any]:
    """`f` compiled, unless the rule cannot be."""
    return jit_unoptimized(f) if rule.jit else f


@functools.lru_cache(maxsize=64)
def compiled_cotangents_and_outputs(rule: VjpRule) -> CotangentsAndOutputs:
    """`cotangents_and_outputs`, compiled once for each rule, dtype and shape."""
    return _compiled(rule, cotangents_and_outputs(rule))


@functools.lru_cache(maxsize=64)
def _compiled_autodiff(rule: VjpRule) -> CotangentsAndOutputs:
    return _compiled(rule, autodiff_cotangents_and_outputs(rule))


def compiled_autodiff_cotangents_and_outputs(rule: VjpRule) -> CotangentsAndOutputs:
    """`autodiff_cotangents_and_outputs`, compiled once for each function, dtype and shape; all mutants share it."""
    return _compiled_autodiff(rule._replace(forward=rule.f, backward=rule.f))


@functools.lru_cache(maxsize=64)
def _compiled_f(f: Callable[..., Any], jit: bool) -> Callable[..., Any]:
    return jit_unoptimized(lambda *args: f(*args)) if jit else f


def compiled_f(rule: VjpRule) -> Callable[..., Any]:
    """The rule's function, compiled once for each dtype and shape."""
    return _compiled_f(rule.f, rule.jit)


def compiled_pullback(rule: VjpRule) -> Pullback:
    """The cotangents of `compiled_cotangents_and_outputs`."""
    return lambda args, dy: compiled_cotangents_and_outputs(rule)(args, dy)[0]


def compiled_autodiff_pullback(rule: VjpRule) -> Pullback:
    """The cotangents of `compiled_autodiff_cotangents_and_outputs`."""
    return lambda args, dy: compiled_autodiff_cotangents_and_outputs(rule)(args, dy)[0]


def whole_rule(function: Callable[..., Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The forward and backward that JAX finds for a function of arrays."""

    def forward(*arrays):
        leaves, structure = jax.tree.flatten(arrays)
        floating = [jnp.issubdtype(leaf.dtype, jnp.inexact) for leaf in leaves]

        def of_numbers(numbers):
            remaining = iter(numbers)
            merged = [next(remaining) if is_float else leaf for leaf, is_float in zip(leaves, floating, strict=True)]
            return function(*structure.unflatten(merged))

        y, pull = jax.vjp(of_numbers, [leaf for leaf, is_float in zip(leaves, floating, strict=True) if is_float])
        # A tree with zeros in the places of the numbers says where the cotangents belong.
        places = structure.unflatten([0 if is_float else None for is_float in floating])
        return y, (pull, places)

    def backward(residuals, dy):
        pull, places = residuals
        return jax.tree.unflatten(jax.tree.structure(places), pull(dy)[0])

    return forward, backward


def custom_vjp(rule: VjpRule) -> Callable[..., Any]:
    """The rule as a function whose derivative under JAX is its `backward`."""
    f = jax.custom_vjp(lambda *args: rule.f(*args))
    f.defvjp(lambda *args: rule.forward(*args), lambda residuals, dy: tuple(rule.backward(residuals, dy)))
    return f
