"""Law 2: in float32 and bfloat16 the hand-written gradient is as accurate as autodiff's.

JAX's 64-bit types are off, as in a training: a buffer of the default type is float32.
"""

from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.certify.bounds import epsilon
from jaxnn.certify.case import Case, cast_floating, is_complex, numbers, output_shapes
from jaxnn.certify.laws.rounding import cotangent_in, symmetric_part
from jaxnn.certify.measurement import Measurement, NotMeasured, as_numbers, error_line, locate, relative_error, worst
from jaxnn.certify.pullback import compiled_autodiff_pullback, compiled_f, compiled_pullback
from jaxnn.certify.vjp_rule import NamedArrays, differentiated_leaves

#: A gradient below this part of the natural size of its leaf is zero by cancellation, and has an absolute error.
ZERO = 1e-12
#: Rounding errors, in units of eps: of every rule, and of one that computes in float32 while its reference is float64.
ROUNDING, ROUNDING_INSIDE = 4, 64


def has_gradient(case: Case) -> bool:
    """Whether the case has floating arguments: they set the precision, and without them there is no gradient."""
    return bool(differentiated_leaves(case.rule, case.args))


def _accuracy(case: Case, dtype: Any) -> Measurement:
    """The error against the float64 gradient at the rounded arguments: at most twice autodiff's error, plus 4 eps."""
    with jax.enable_x64(False):
        args = cast_floating(case.args, dtype)
        dy = cotangent_in(case, args, dtype)
        auto = _as_numpy(compiled_autodiff_pullback(case.rule)(args, dy))
        hand = _as_numpy(compiled_pullback(case.rule)(args, dy))
        leaves = differentiated_leaves(case.rule, args)
    args64, dy64 = cast_floating((args, dy), np.float64)
    true = compiled_autodiff_pullback(case.rule)(args64, dy64)
    sizes = _natural_sizes(case, args64, dy64)
    eps = epsilon(jnp.dtype(dtype).name)
    measurements = []
    for name, expected in true.items():
        expected, got = symmetric_part(case, name, expected), symmetric_part(case, name, hand[name])
        rounding = ROUNDING if case.precision == "float64" else ROUNDING_INSIDE
        bound = 2 * relative_error(symmetric_part(case, name, auto[name]), expected) + rounding * eps
        bound = max(bound, case.tolerance(jnp.dtype(dtype).name))
        cancels = np.linalg.norm(as_numbers(expected)) <= ZERO * sizes[name]
        error = relative_error(got, expected, ROUNDING * eps * sizes[name] if cancels else 0.0)
        right_dtype = hand[name].dtype == leaves[name].dtype
        measurements.append(locate(name, got, expected, error if right_dtype else np.inf, bound))
        if not right_dtype:
            detail = f"expected {leaves[name].dtype}, got {hand[name].dtype}"
            measurements[-1] = measurements[-1]._replace(detail=detail)
    return worst(measurements)


def _as_numpy(leaves: NamedArrays) -> dict[str, np.ndarray]:
    return {name: np.asarray(a) for name, a in leaves.items()}


def _natural_sizes(case: Case, args: tuple[Any, ...], dy: Any) -> dict[str, float]:
    """For each leaf, the gradient that would change dy·y by its own size when the leaf changes by its own size."""
    y = numbers(compiled_f(case.rule)(*args))
    total = sum(float(np.sum(np.abs(np.where(np.isfinite(b), a * b, 0)))) for a, b in zip(numbers(dy), y, strict=True))
    return {
        name: total / (float(np.sqrt(np.mean(np.abs(leaf) ** 2))) or 1.0) if leaf.size else 0.0
        for name, leaf in differentiated_leaves(case.rule, args).items()
    }


def float32(case: Case) -> Measurement:
    """‖hand − true‖ ≤ 2 ‖auto − true‖ + 4 eps, in float32; the gradient is float32 too."""
    return _accuracy(case, jnp.float32)


def bfloat16(case: Case) -> Measurement:
    """‖hand − true‖ ≤ 2 ‖auto − true‖ + 4 eps, in bfloat16; the gradient is bfloat16 too.

    A rule that has no bfloat16 is not measured.
    """
    if any(map(is_complex, jax.tree.leaves((case.args, case.dy)))):
        raise NotMeasured("complex numbers have no bfloat16")
    try:
        with jax.enable_x64(False):
            output_shapes(case.rule, cast_floating(case.args, jnp.bfloat16))
    except Exception as error:
        raise NotMeasured(f"the function takes no bfloat16: {error_line(error)}") from error
    return _accuracy(case, jnp.bfloat16)
