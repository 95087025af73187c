"""Law 1: the hand-written gradient has the structure of the arguments, and in float64 equals autodiff's to rounding."""

from typing import Any

import jax
from jax import numpy as jnp

from jaxnn.certify.case import Case, with_batch_size
from jaxnn.certify.measurement import Measurement, compare
from jaxnn.certify.pullback import (
    compiled_autodiff_cotangents_and_outputs,
    compiled_cotangents_and_outputs,
    cotangent_leaves,
    output_cotangent,
)

#: True agreement is 3e-16; an error of 0.1 % in one bias is 1e-3.
FLOAT64_BOUND = 1e-12


def structure(case: Case) -> Measurement:
    """The number of arguments whose cotangent has another tree structure, or an array where integers need None.

    Integers and booleans have no derivative: a layer's dx holds None there. Nothing is computed.
    """
    rule = case.rule

    def backward(args, dy):
        return tuple(rule.backward(rule.forward(*args)[1], output_cotangent(dy)))

    cotangents = jax.eval_shape(backward, case.args, case.dy)
    errors = [
        error
        for i, (name, arg, cotangent) in enumerate(zip(rule.arguments, case.args, cotangents, strict=True))
        if i in rule.argnums
        for error in _structure_errors(name, arg, cotangent)
    ]
    if not errors:
        return Measurement(0.0, 0.0)
    leaf, detail = errors[0]
    return Measurement(float(len(errors)), 0.0, leaf, detail=detail)


def _structure_errors(name: str, arg: Any, cotangent: Any) -> list[tuple[str, str]]:
    """The leaves of an argument whose cotangent has the wrong form, each with what was expected and found."""
    try:
        leaves = cotangent_leaves(arg, cotangent)
    except ValueError:
        return [(name, f"expected the structure {jax.tree.structure(arg)}, got {jax.tree.structure(cotangent)}")]
    errors = []
    for (path, leaf), dleaf in zip(jax.tree_util.tree_leaves_with_path(arg), leaves, strict=True):
        suffix = jax.tree_util.keystr(path, simple=True, separator=".")
        full_name = f"{name}.{suffix}" if suffix else name
        if dleaf is None:
            continue
        if not hasattr(dleaf, "dtype"):
            errors.append((full_name, f"expected an array, got the structure {jax.tree.structure(dleaf)}"))
        elif not jnp.issubdtype(leaf.dtype, jnp.inexact):
            errors.append((full_name, f"expected None for {leaf.dtype}, got {dleaf.dtype}{list(dleaf.shape)}"))
    return errors


def autodiff(case: Case) -> Measurement:
    """‖hand − auto‖ / ‖auto‖ at every leaf, and at y; where autodiff's gradient is zero it must be exactly zero."""
    hand, y = compiled_cotangents_and_outputs(case.rule)(case.args, case.dy)
    auto, expected_y = compiled_autodiff_cotangents_and_outputs(case.rule)(case.args, case.dy)
    return compare({**hand, **y}, {**auto, **expected_y}, FLOAT64_BOUND)


def batch_of_one(case: Case) -> Measurement:
    """Law `autodiff` for one example, where a backward may confuse the batch axis of length 1 with no axis."""
    return autodiff(with_batch_size(case, 1))
