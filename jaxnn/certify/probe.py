"""What a rule that is not a layer can do, found before its laws are measured: the precision, `jit`, its domain."""

import functools
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn.certify.case import Case, cast_floating, make_case, numbers
from jaxnn.certify.custom_rules import PRECISIONS, custom_rules, lowest_precision, without_custom_rules
from jaxnn.certify.foreign import Foreign
from jaxnn.certify.intent import Intent
from jaxnn.certify.laws.agreement import structure
from jaxnn.certify.measurement import NotMeasured, as_numbers, error_line
from jaxnn.certify.pullback import (
    autodiff_pullback,
    compiled_cotangents_and_outputs,
    compiled_f,
    cotangents_and_outputs,
)
from jaxnn.certify.time_limit import run_with_limit
from jaxnn.certify.vjp_rule import VjpRule
from jaxnn.errors import UserError

#: Two calls at the same arguments may differ by this much: some devices add in another order each time.
NOISE = 1e-14
#: A program of more characters is not compared with a second trace.
MAX_PROGRAM = 200_000


class Subject(NamedTuple):
    """A case, the dtype of its laws, and what must be known about it."""

    case: Case
    dtype: str
    notes: tuple[str, ...]


def examine(name: str, foreign: Foreign, intent: Intent, time_limit: float | None) -> Subject:
    """The case of a rule at its arguments: in float64 if it runs there, else in float32; compiled if it can be.

    Raises `UserError` for a rule that cannot be certified at these arguments.
    """
    errors: list[Exception] = []
    for dtype in ("float64", "float32"):
        for jit in (True, False):
            with jax.enable_x64(dtype == "float64"):
                try:
                    return run_with_limit(
                        lambda dtype=dtype, jit=jit: _examine_in(name, foreign, intent, dtype, jit, errors), time_limit
                    )
                except UserError:
                    raise
                except NotMeasured as error:
                    raise UserError(f"{name}: the rule has {error} at these arguments") from error
                except Exception as error:  # a user's function can raise anything
                    errors.append(error)
    raise UserError(f"{name}: the function raises at these arguments: {error_line(errors[-2])}") from errors[-2]


def _examine_in(name: str, foreign: Foreign, intent: Intent, dtype: str, jit: bool, errors: list[Exception]) -> Subject:
    rule = foreign.rule._replace(jit=jit)
    notes: list[str] = []
    if not jit:
        notes.append(f"it runs operation by operation, since it cannot be compiled: {error_line(errors[-1])}")
    if dtype == "float32":
        notes.append(f"measured in float32, since it does not run in float64: {error_line(errors[0])}")
    args = cast_floating(foreign.arguments.arrays, np.dtype(dtype))
    rule, witness_notes = _with_witness(rule, foreign, intent, args)
    case = make_case(name, name, rule, args)._replace(
        args=args,
        contract=False,
        once_differentiable=intent.once_differentiable,
        tolerances=intent.tolerances,
        precision=dtype,
    )
    case = case._replace(dy=cast_floating(case.dy, np.dtype(dtype)))
    if structure(case).holds:
        case = case._replace(differences_alone=not _has_autodiff(case))
        _check_outputs(case)
        _check_repeated(case)
        if jit:
            notes += _check_trace(case)
            precision = max((lowest_precision(f, *xs) for f, xs in _programs(case)), key=PRECISIONS.index)
            if dtype == "float64" and precision != "float64":
                case = case._replace(precision=precision)
                notes.append(f"it computes in {precision} inside: the bounds are those of {precision}")
    return Subject(case, dtype, (*notes, *witness_notes))


def _programs(case: Case) -> list[tuple[Callable[..., Any], tuple[Any, ...]]]:
    return [(cotangents_and_outputs(case.rule), (case.args, case.dy)), (case.rule.f, case.args)]


def _with_witness(rule: VjpRule, foreign: Foreign, intent: Intent, args: tuple[Any, ...]) -> tuple[VjpRule, list[str]]:
    """The rule with a reference that calls no custom rule, and what must be said about it."""
    if not rule.jit:
        if foreign.whole and intent.reference is None and intent.meant is None:
            rule = rule._replace(no_autodiff="the function cannot be traced, so its custom rules cannot be taken out")
        return rule, []
    rules = custom_rules(rule.f, *args)
    others = [inner for inner in rules if not inner.is_jax]
    is_itself = foreign.whole and intent.reference is None
    if is_itself and not any(inner.kind == "custom_vjp" for inner in rules):
        rule = rule._replace(forward_mode=foreign.function)
    if is_itself and not rules:
        if intent.meant is None:
            rule = rule._replace(
                no_autodiff="JAX derives the gradient of the function itself: no custom rule is inside"
            )
        return rule, []
    if not others and not is_itself:
        return rule, []
    names = ", ".join(dict.fromkeys(inner.name for inner in others or rules))
    note = f"the function calls a custom rule inside ({names}): the reference is the function without it"
    return rule._replace(f=without_custom_rules(rule.f, keep_jax=bool(others))), [note]


def _has_autodiff(case: Case) -> bool:
    """Whether JAX can differentiate the reference."""
    gradient = autodiff_pullback(case.rule)
    try:
        if case.rule.jit:
            jax.eval_shape(gradient, case.args, case.dy)
        else:
            gradient(case.args, case.dy)
    except NotMeasured:
        return False
    return True


def _check_outputs(case: Case) -> None:
    """Raises `UserError` where an output is NaN: NaN equals NaN, so nothing would be compared."""
    y = numbers(compiled_f(case.rule)(*case.args))
    if not y:
        raise UserError(f"{case.name}: expected floating outputs, found none: there is no gradient")
    nans = sum(int(np.isnan(a).sum()) for a in y)
    size = sum(a.size for a in y)
    if nans:
        some = "every output is" if nans == size else f"some outputs are ({nans} of {size})"
        raise UserError(f"{case.name}: {some} NaN at these arguments: give arguments inside the domain")


def _check_repeated(case: Case) -> None:
    """Raises `UserError` where two calls at the same arguments differ."""
    first, second = (compiled_cotangents_and_outputs(case.rule)(case.args, case.dy) for _ in range(2))
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        a, b = as_numbers(a), as_numbers(b)
        distance = np.abs(np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0, a - b))
        if np.any(distance > NOISE * max(1.0, float(np.max(np.abs(a), initial=0.0)))):
            raise _differs(case)


def _differs(case: Case) -> UserError:
    return UserError(f"{case.name}: two calls at the same arguments differ: a rule must be a function of its arguments")


def _check_trace(case: Case) -> list[str]:
    """Raises `UserError` where tracing twice gives two programs, as with random numbers that Python draws."""
    texts = []
    for _ in range(2):
        program = jax.make_jaxpr(functools.partial(_call, cotangents_and_outputs(case.rule)))(case.args, case.dy)
        text = re.sub(r"0x[0-9a-f]+", "", str(program)) if len(program.eqns) < 2000 else ""
        texts.append((text if len(text) < MAX_PROGRAM else "", [np.asarray(a) for a in program.consts if _plain(a)]))
    (text, consts), (other_text, other_consts) = texts
    same = len(consts) == len(other_consts) and all(map(_equal, consts, other_consts))
    if text != other_text or not same:
        raise _differs(case)
    return []


def _call(f: Callable[..., Any], *args: Any) -> Any:
    return f(*args)


def _plain(a: Any) -> bool:
    return not jax.numpy.issubdtype(a.dtype, jax.dtypes.extended)


def _equal(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and bool(np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"))
