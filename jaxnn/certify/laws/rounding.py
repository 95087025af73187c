"""When two gradients count as equal: up to rounding, relative to the gradient or to the terms that cancel in it."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from jaxnn.certify.bounds import epsilon
from jaxnn.certify.case import Case, cast_floating, numbers, output_shapes
from jaxnn.certify.measurement import Measurement, NotMeasured, as_numbers, compare
from jaxnn.certify.pullback import compiled_autodiff_pullback, compiled_pullback
from jaxnn.certify.vjp_rule import NamedArrays, differentiated_leaves

#: Differences below this part of dy and of the whole gradient may be rounding errors of terms that cancel.
MAX_ROUNDING = 1e-8
#: Rounding errors in float64, in units of eps times the size of the terms.
ROUNDING_ERRORS = 64


def symmetric_part(case: Case, name: str, a: Any) -> Any:
    """The symmetric part of a leaf that is a symmetric matrix; another leaf as it is."""
    if name not in case.rule.symmetric:
        return a
    a = np.asarray(a)
    return (a + np.swapaxes(a, -1, -2)) / 2


def agree(case: Case, got: Mapping[str, Any], expected: Mapping[str, Any], bound: float) -> Measurement:
    """`compare`; a leaf may also differ by the rounding errors of terms that cancel in it.

    Those are measured, only where it matters, as the rounding errors of the same gradient in float32.
    """
    got, expected = ({name: symmetric_part(case, name, a) for name, a in tree.items()} for tree in (got, expected))
    measurement = compare(got, expected, bound)
    if measurement.holds:
        return measurement
    largest = max([_norm(a) for a in (*numbers(case.dy), *expected.values())], default=0.0)
    for name, a in expected.items():
        if np.shape(a) != np.shape(got[name]) or _norm(as_numbers(got[name]) - as_numbers(a)) > MAX_ROUNDING * largest:
            return measurement
    return compare(got, expected, bound, _rounding_errors(case))


def _norm(a: Any) -> float:
    with np.errstate(all="ignore"):
        return float(np.linalg.norm(np.nan_to_num(as_numbers(a), nan=np.inf)))


def _rounding_errors(case: Case) -> dict[str, float]:
    """The rounding errors of each leaf of the gradient in float64, estimated from those in float32."""
    with jax.enable_x64(False):
        args = cast_floating(case.args, np.float32)
        dy = cotangent_in(case, args, np.float32)
    args64, dy64 = cast_floating((args, dy), np.float64)
    scale = ROUNDING_ERRORS * epsilon("float64") / epsilon("float32")
    errors = dict.fromkeys(differentiated_leaves(case.rule, case.args), 0.0)
    for pullback in (compiled_pullback, compiled_autodiff_pullback):
        try:
            with jax.enable_x64(False):
                rounded = {name: np.asarray(a) for name, a in pullback(case.rule)(args, dy).items()}
            exact: NamedArrays = pullback(case.rule)(args64, dy64)
        except NotMeasured:
            continue
        for name, a in exact.items():
            if np.shape(a) == np.shape(rounded[name]):
                errors[name] = max(errors[name], scale * _norm(as_numbers(rounded[name]) - as_numbers(a)))
    return errors


def cotangent_in(case: Case, args: tuple[Any, ...], dtype: Any) -> Any:
    """The case's dy, rounded to `dtype`, in the dtypes of the output at `args`."""
    rounded = cast_floating(case.dy, dtype)
    return jax.tree.map(lambda a, y: a.astype(y.dtype), rounded, output_shapes(case.rule, args))
