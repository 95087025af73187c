"""Law 2: in float32 and bfloat16 the hand-written gradient is as accurate as autodiff's."""

import numpy as np
from jax import numpy as jnp

from jaxnn.certify.case import Case, cast_floating
from jaxnn.certify.measurement import Measurement, locate, relative_error, worst
from jaxnn.certify.pullback import compiled_autodiff_pullback, compiled_pullback
from jaxnn.certify.vjp_rule import differentiated_leaves


def has_gradient(case: Case) -> bool:
    """Whether the case has floating arguments: they set the precision, and without them there is no gradient."""
    return bool(differentiated_leaves(case.rule, case.args))


def _accuracy(case: Case, dtype) -> Measurement:
    """The error against the float64 gradient at the rounded arguments: at most twice autodiff's error, plus 4 eps."""
    args, dy = cast_floating((case.args, case.dy), dtype)
    true = compiled_autodiff_pullback(case.rule)(*cast_floating((args, dy), np.float64))
    hand, auto = compiled_pullback(case.rule)(args, dy), compiled_autodiff_pullback(case.rule)(args, dy)
    measurements = []
    for name, expected in true.items():
        bound = 2 * relative_error(auto[name], expected) + 4 * float(jnp.finfo(dtype).eps)
        error = relative_error(hand[name], expected) if hand[name].dtype == dtype else np.inf
        measurements.append(locate(name, hand[name], expected, error, bound))
    return worst(measurements)


def float32(case: Case) -> Measurement:
    """‖hand − true‖ ≤ 2 ‖auto − true‖ + 4 eps, in float32; the gradient is float32 too."""
    return _accuracy(case, jnp.float32)


def bfloat16(case: Case) -> Measurement:
    """‖hand − true‖ ≤ 2 ‖auto − true‖ + 4 eps, in bfloat16; the gradient is bfloat16 too."""
    return _accuracy(case, jnp.bfloat16)
