"""Law 1: the hand-written gradient has the structure of the arguments, and in float64 equals autodiff's to rounding."""

from typing import Any

import jax
import numpy as np

from jaxnn.certify.case import Case, is_complex, is_number, with_batch_size
from jaxnn.certify.laws.rounding import agree
from jaxnn.certify.measurement import Measurement, compare
from jaxnn.certify.pullback import (
    OUTPUT,
    compiled_autodiff_cotangents_and_outputs,
    compiled_cotangents_and_outputs,
    compiled_f,
    compiled_pullback,
    cotangent_leaves,
    named_outputs,
    output_cotangent,
)
from jaxnn.certify.vjp_rule import NamedArrays, is_stopped
from jaxnn.errors import UserError


def structure(case: Case) -> Measurement:
    """The number of leaves whose cotangent has another tree structure or shape, or an array where integers need None.

    Integers and booleans have no derivative: a layer's dx holds None there. Nothing is computed, unless the rule cannot
    be traced.
    Raises `UserError` where the backward does not return a tuple with a cotangent for each argument.
    """
    rule = case.rule
    containers = []

    def backward(args, dy):
        cotangents = rule.backward(rule.forward(*args)[1], output_cotangent(dy))
        containers.append(cotangents)
        return cotangents

    cotangents = jax.eval_shape(backward, case.args, case.dy) if rule.jit else backward(case.args, case.dy)
    if not isinstance(containers[0], tuple | list) or len(cotangents) != len(rule.arguments):
        found = f"{len(cotangents)} of them" if isinstance(containers[0], tuple | list) else type(cotangents).__name__
        found = "an array" if hasattr(cotangents, "dtype") else found
        raise UserError(
            f"{case.name}: bwd must return a tuple with one cotangent an argument ({', '.join(rule.arguments)}), "
            f"found {found}"
        )
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
        elif not is_number(leaf):
            errors.append((full_name, f"expected None for {leaf.dtype}, got {dleaf.dtype}{list(dleaf.shape)}"))
        elif dleaf.shape != leaf.shape:
            errors.append((full_name, f"expected shape {leaf.shape}, got {dleaf.shape}"))
        elif is_complex(dleaf) and not is_complex(leaf):
            errors.append((full_name, f"expected real numbers for {leaf.dtype}, got {dleaf.dtype}"))
    return errors


def autodiff(case: Case) -> Measurement:
    """‖hand − auto‖ / ‖auto‖ at every leaf, and at y; where autodiff's gradient is zero it must be exactly zero."""
    auto, expected_y = compiled_autodiff_cotangents_and_outputs(case.rule)(case.args, case.dy)
    hand, y = compiled_cotangents_and_outputs(case.rule)(case.args, case.dy)
    if y.keys() != expected_y.keys():
        return Measurement(1.0, 0.0, OUTPUT, detail=f"expected the outputs {_keys(expected_y)}, got {_keys(y)}")
    return agree(case, {**hand, **y}, {**auto, **expected_y}, case.bounds.agreement)


def _keys(outputs: NamedArrays) -> str:
    return ", ".join(outputs) or "none"


def value(case: Case) -> Measurement:
    """The forward pass has the outputs of the function."""
    y = compiled_cotangents_and_outputs(case.rule)(case.args, case.dy)[1]
    expected = compiled_f(case.rule)(*case.args)
    return agree(case, y, named_outputs(expected), case.bounds.agreement)


def has_stopped(case: Case) -> bool:
    """Whether the gradient of an argument is zero on purpose."""
    return bool(case.rule.stopped)


def stopped(case: Case) -> Measurement:
    """The gradient of an argument that is stopped on purpose is exactly zero."""
    whole = case.rule._replace(stopped=())
    gradient = compiled_pullback(whole)(case.args, case.dy)
    leaves = {name: a for name, a in gradient.items() if is_stopped(case.rule, name)}
    return compare(leaves, {name: np.zeros(a.shape) for name, a in leaves.items()}, 0.0)


def batch_of_one(case: Case) -> Measurement:
    """Law `autodiff` for one example, where a backward may confuse the batch axis of length 1 with no axis."""
    return autodiff(with_batch_size(case, 1))
