"""Law 2: in float32 and bfloat16 the hand-derived gradient is no further from the truth than autodiff's."""

import numpy as np
from jax import numpy as jnp

from jaxnn.certify.case import Case, cast
from jaxnn.certify.finding import Finding, place, relative, worst
from jaxnn.certify.pullback import compiled_autodiff, compiled_pullback


def _no_worse(case: Case, dtype) -> Finding:
    """Against the float64 gradient at the rounded arguments: at most twice autodiff's own error, and 4 eps."""
    low = cast((case.args, case.dy), dtype)
    truth = compiled_autodiff(case.rule)(*cast(low, np.float64))
    hand, auto = compiled_pullback(case.rule)(*low), compiled_autodiff(case.rule)(*low)
    findings = []
    for name, expected in truth.items():
        bound = 2 * relative(auto[name], expected) + 4 * float(jnp.finfo(dtype).eps)
        error = relative(hand[name], expected) if hand[name].dtype == dtype else np.inf
        findings.append(place(name, hand[name], expected, error, bound))
    return worst(findings)


def float32(case: Case) -> Finding:
    """‖hand − true‖ ≤ 2 ‖auto − true‖ + 4 eps, in float32; the gradient is float32 too."""
    return _no_worse(case, jnp.float32)


def bfloat16(case: Case) -> Finding:
    """‖hand − true‖ ≤ 2 ‖auto − true‖ + 4 eps, in bfloat16; the gradient is bfloat16 too."""
    return _no_worse(case, jnp.bfloat16)
