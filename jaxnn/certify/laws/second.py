"""Law 6, further derivatives: the derivative of the backward, and the forward mode of a rule that has one."""

from typing import Any

import jax
import numpy as np

from jaxnn.certify.case import Case, cast_floating, normal_like, numbers
from jaxnn.certify.laws.rounding import agree
from jaxnn.certify.measurement import Measurement, NotMeasured, worst
from jaxnn.certify.pullback import Pullback, autodiff_pullback, compiled_pullback, jit_unoptimized, pullback
from jaxnn.certify.vjp_rule import NamedArrays, differentiated_leaves, replace_leaves

#: The name of the symmetry of the Hessian in a measurement: no argument can have it.
SYMMETRY = "u·Hv = v·Hu"
#: Random directions of the forward mode.
DIRECTIONS = 3


def inner(a: Any, b: Any) -> float:
    """The pairing of cotangents with tangents: for complex numbers the real part, without conjugation, as in JAX."""
    return float(sum(np.sum(np.real(x * y)) for x, y in zip(numbers(a), numbers(b), strict=True)))


def hessian(case: Case) -> Measurement:
    """The derivative of the backward along v is autodiff's Hessian times v; and u·Hv = v·Hu."""
    if case.once_differentiable:
        raise NotMeasured("the rule is meant to be differentiated once")
    if case.rule.meant is not None and case.rule.meant.f is None:
        raise NotMeasured("the gradient that is meant is not the derivative of a function")

    leaves = differentiated_leaves(case.rule, case.args)
    u, v = normal_like(1, leaves), normal_like(2, leaves)
    hand_written = _hessian_product(case, pullback(case.rule))
    expected = _hessian_product(case, autodiff_pullback(_as_meant(case).rule))(leaves, v)
    try:
        hu, hv = hand_written(leaves, u), hand_written(leaves, v)
    except Exception:
        if case.contract:
            raise
        # A backward that calls a rule without forward mode can still be differentiated backwards.
        hand_written = _transposed_hessian_product(case, pullback(case.rule))
        hu, hv = hand_written(leaves, u), hand_written(leaves, v)
    uhv, vhu = (inner({n: a[n] for n in leaves}, {n: b[n] for n in leaves}) for a, b in ((u, hv), (v, hu)))
    size = sum(float(np.linalg.norm(u[n]) * np.linalg.norm(hv[n])) for n in leaves)
    asymmetry = abs(uhv - vhu) / size if size else abs(vhu)
    bound = case.bounds.second
    symmetry = Measurement(asymmetry, bound, SYMMETRY, (), vhu, uhv)
    return worst([agree(case, cast_floating(hv, np.float64), expected, bound), symmetry])


def _as_meant(case: Case) -> Case:
    """The case with the function whose derivative is meant."""
    if case.rule.meant is None or case.rule.meant.f is None:
        return case
    return case._replace(rule=case.rule._replace(f=case.rule.meant.f, meant=None))


def _hessian_product(case: Case, gradient: Pullback) -> Any:
    """(leaves, v) -> the derivative of the gradient along v."""

    def product(leaves: NamedArrays, v: NamedArrays) -> NamedArrays:
        return jax.jvp(lambda leaves: gradient(replace_leaves(case.rule, case.args, leaves), case.dy), (leaves,), (v,))[
            1
        ]

    return jit_unoptimized(product) if case.rule.jit else product


def _transposed_hessian_product(case: Case, gradient: Pullback) -> Any:
    """(leaves, v) -> the derivative of ⟨gradient, v⟩, which is the same for a symmetric Hessian."""

    def product(leaves: NamedArrays, v: NamedArrays) -> NamedArrays:
        pull = jax.vjp(lambda leaves: gradient(replace_leaves(case.rule, case.args, leaves), case.dy), leaves)[1]
        return pull(v)[0]

    return jit_unoptimized(product) if case.rule.jit else product


def has_forward_mode(case: Case) -> bool:
    """Whether the derivative in forward mode is part of the rule."""
    return case.rule.forward_mode is not None


def forward_mode(case: Case) -> Measurement:
    """⟨dy, derivative in forward mode along v⟩ = ⟨gradient, v⟩ for random directions v of each leaf."""
    rule, f = case.rule, case.rule.forward_mode or case.rule.f
    gradient = compiled_pullback(rule)(case.args, case.dy)
    measurements = []
    for name, leaf in differentiated_leaves(rule, case.args).items():

        def derivative(a, v, name=name):
            return jax.jvp(lambda a: f(*replace_leaves(rule, case.args, {name: a})), (a,), (v,))[1]

        compiled = jit_unoptimized(derivative) if rule.jit else derivative
        for i in range(DIRECTIONS):
            v = normal_like(i, leaf)
            tangent = [dy for dy in jax.tree.leaves(compiled(leaf, v)) if dy.dtype != jax.dtypes.float0]
            got, expected = inner(case.dy, tangent), inner(gradient[name], v)
            size = float(np.linalg.norm(gradient[name]) * np.linalg.norm(v)) / np.sqrt(max(leaf.size, 1))
            error = abs(got - expected)
            measurements.append(
                Measurement(error / size if size else error, case.bounds.agreement, name, (), expected, got)
            )
    return worst(measurements)
