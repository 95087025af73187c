"""Law 3: the hand-written gradient agrees with finite differences of the function; no autodiff is involved."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.certify.bounds import ALONE, epsilon
from jaxnn.certify.case import Case, is_complex, is_number, numbers
from jaxnn.certify.laws.agreement import value
from jaxnn.certify.laws.rounding import symmetric_part
from jaxnn.certify.laws.second import inner
from jaxnn.certify.measurement import Measurement, NotMeasured, compare, worst
from jaxnn.certify.pullback import compiled_f, compiled_pullback
from jaxnn.certify.vjp_rule import VjpRule, differentiated_leaves, replace_leaves

DIRECTIONS = 8
#: Steps, in units of eps^(1/3) times the leaf's size. A kink (ReLU, a maximum) within the first step makes its
#: difference meaningless; in a net with 10,000 units there nearly always is one. A wrong gradient fails at every step.
STEPS = (1.0, 1 / 16, 1 / 256)
#: Steps for functions with large values, or that compute in lower precision, where the differences above are rounding
#: errors: in units of the leaf's size. Richardson's extrapolation makes up for their length.
LARGE_STEPS = (1 / 256, 1 / 64, 1 / 16, 1 / 4)
#: Numbers of one sign move in proportion to their size, or to this part of the leaf's size, if large steps are likely.
SMALLEST = 1e-3
#: Rounding errors of one value of dy·f, in units of eps.
ROUNDING = 2
#: The Jacobian is measured up to this many inputs and outputs: it takes a call of f for each input, and a pullback for
#: each output.
MAX_JACOBIAN_ENTRIES = 300

#: The outputs of the function with a leaf moved by this much.
Values = Callable[[float], list[Any]]


def differenced_rule(case: Case) -> VjpRule:
    """The rule whose function has the gradient that is meant."""
    if case.rule.meant is None:
        return case.rule
    if case.rule.meant.f is None:
        raise NotMeasured("the gradient that is meant is not the derivative of a function")
    return case.rule._replace(f=case.rule.meant.f)


def _values_along(case: Case, name: str, direction: Any) -> Values:
    """The outputs of the function with the leaf `name` moved along `direction`."""
    rule = differenced_rule(case)
    leaf = np.asarray(differentiated_leaves(rule, case.args)[name])
    f = compiled_f(rule)

    def values(distance: float) -> list[Any]:
        return numbers(f(*replace_leaves(rule, case.args, {name: jnp.asarray(leaf + distance * direction)})))

    return values


def _minus(a: Any, b: Any) -> Any:
    """a − b; 0 where both are the same infinity."""
    with np.errstate(invalid="ignore"):
        return np.where(a == b, 0, a - b)


def _central_difference(values: Values, step: float) -> list[Any]:
    """(f(x + h v) − f(x − h v)) / 2h."""
    return [_minus(a, b) / (2 * step) for a, b in zip(values(step), values(-step), strict=True)]


def _differences(case: Case, values: Values, leaf: Any, v: Any) -> Iterator[tuple[list[Any], float]]:
    """Estimates of the derivative of f along `v`, each with its step; the cheapest comes first."""
    size = _leaf_size(leaf)
    for factor in STEPS if case.precision == "float64" else ():
        step = factor * epsilon("float64") ** (1 / 3) * size
        yield _central_difference(values, step), step
    # Where all numbers have one sign, another may lie outside the domain of f: there a logarithm is NaN, and an
    # iteration never ends.
    moved = np.abs(v) > 0
    longest = float(np.min(np.abs(leaf[moved] / v[moved]), initial=np.inf)) / 2 if _has_one_sign(leaf) else np.inf
    for factor in LARGE_STEPS:
        step = min(factor * size / float(np.max(np.abs(v), initial=1e-300)), longest)
        large, small = _central_difference(values, step), _central_difference(values, step / 2)
        yield [(4 * b - a) / 3 for a, b in zip(large, small, strict=True)], step / 4
        if step == longest:
            return


def _has_one_sign(leaf: Any) -> bool:
    return not np.iscomplexobj(leaf) and bool(np.all(leaf > 0) or np.all(leaf < 0))


def _leaf_size(leaf: Any) -> float:
    return float(np.sqrt(np.mean(np.abs(leaf) ** 2))) or 1.0


def finite_differences(case: Case) -> Measurement:
    """⟨gradient, v⟩ against ⟨dy, central difference of f along v⟩ for 8 random directions v of each leaf, and for the
    gradient's own direction, in which an error of its scale is largest. The outputs are f's, too.

    Each direction counts with the first step that agrees.
    """
    y = numbers(compiled_f(differenced_rule(case))(*case.args))
    rng = np.random.default_rng(8)
    gradient, dy = compiled_pullback(case.rule)(case.args, case.dy), numbers(case.dy)
    terms = sum(float(np.sum(np.abs(np.where(np.isfinite(b), a * b, 0)))) for a, b in zip(dy, y, strict=True))
    measurements = [value(case)]
    has_large_steps = case.differences_alone or case.precision != "float64"
    for name, leaf in differentiated_leaves(case.rule, case.args).items():
        leaf = np.asarray(leaf)
        if leaf.size == 0:
            continue
        g = np.asarray(gradient[name])
        if g.shape != leaf.shape:
            return Measurement(np.inf, 0.0, name, detail=f"expected shape {leaf.shape}, got {g.shape}")
        if not np.all(np.isfinite(g)):
            detail = f"the gradient is not finite: {int(np.sum(~np.isfinite(g)))} of {g.size} numbers"
            return Measurement(np.inf, case.bounds.differences, name, detail=detail)
        for i in range(DIRECTIONS + 1):
            v = rng.normal(size=leaf.shape)
            v = v + 1j * rng.normal(size=leaf.shape) if is_complex(leaf) else v
            if i == DIRECTIONS and np.any(g):
                v = np.conj(g) if is_complex(leaf) else g
            if has_large_steps and _has_one_sign(leaf):
                v = v * np.maximum(np.abs(leaf), SMALLEST * _leaf_size(leaf))
            v = symmetric_part(case, name, v)
            v = v / (np.linalg.norm(v) or 1.0)
            measurements.append(_measure_direction(case, name, leaf, g, v, terms))
    return worst(measurements)


def _measure_direction(case: Case, name: str, leaf: Any, g: Any, v: Any, terms: float) -> Measurement:
    """The estimate of the derivative along `v` that is nearest to the gradient's; the first within the bound.

    terms: the size of dy·f, whose rounding errors the estimate has
    """
    got, dy, leaf_size = inner([g], [v]), numbers(case.dy), _leaf_size(leaf)
    size = max(float(np.linalg.norm(g)), float(np.finfo(np.float64).tiny)) / math.sqrt(leaf.size)
    values, by_step, roundings = _values_along(case, name, v), [], []
    for difference, step in _differences(case, values, leaf, v):
        expected = inner(dy, difference)
        error = abs(got - expected)
        # A derivative that is zero by definition (of a step function) has a difference of exactly zero.
        by_step.append(Measurement(error / size if error else 0.0, case.bounds.differences, name, (), expected, got))
        if by_step[-1].holds:
            return by_step[-1]
        roundings.append(ROUNDING * epsilon(case.precision) * terms / step)
    # A derivative that is zero by cancellation has a difference that is a rounding error, smallest at the last step.
    rounding = min(roundings)
    is_zero = abs(got) <= rounding and abs(by_step[-1].expected) <= rounding
    if is_zero or _is_at_kink(case, values, leaf_size, lambda difference: inner(dy, difference), np.asarray(got)):
        return by_step[0]._replace(measured=0.0, expected=got)
    # A gradient that is small beside the function is known to the rounding errors of the function, and no better.
    known = [
        measurement._replace(bound=max(measurement.bound, min(rounding / size, ALONE)))
        for measurement, rounding in zip(by_step, roundings, strict=True)
    ]
    return min(known, key=lambda measurement: measurement.severity)


def _is_at_kink(case: Case, values: Values, size: float, project: Callable[[list[Any]], Any], got: Any) -> Any:
    """Where the function has a kink at the argument itself, and `got` lies between the slopes of its two sides."""

    def slopes(step: float) -> tuple[Any, Any]:
        here = values(0.0)
        right, left = (
            project([_minus(a, b) / (sign * step) for a, b in zip(values(sign * step), here, strict=True)])
            for sign in (1, -1)
        )
        return np.asarray(right), np.asarray(left)

    step = epsilon(case.precision) ** (1 / 3) * size
    (right, left), (nearer_right, nearer_left) = slopes(step), slopes(step / 16)
    kink, change = np.abs(right - left), np.abs(right - nearer_right) + np.abs(left - nearer_left)
    between = (np.minimum(right, left) - change <= got) & (got <= np.maximum(right, left) + change)
    return (change < 0.01 * kink) & between


def is_tiny(case: Case) -> bool:
    """Whether the case is small enough for `jacobian`, and real."""
    leaves = [*differentiated_leaves(case.rule, case.args).values(), *filter(is_number, jax.tree.leaves(case.dy))]
    return sum(leaf.size for leaf in leaves) <= MAX_JACOBIAN_ENTRIES and not any(map(is_complex, leaves))


def jacobian(case: Case) -> Measurement:
    """The whole Jacobian, row by row from the pullback and column by column from central differences.

    Each column counts with the step that agrees best.
    """
    differenced_rule(case)
    flat, structure = jax.tree.flatten(case.dy)
    leaves = differentiated_leaves(case.rule, case.args)
    rows: dict[str, list] = {name: [] for name in leaves}
    for i, leaf in enumerate(flat):
        if not is_number(leaf):
            continue
        for unit in np.eye(leaf.size).reshape(leaf.size, *leaf.shape):
            dy = [jnp.asarray(unit) if j == i else jnp.zeros_like(other) for j, other in enumerate(flat)]
            for name, row in compiled_pullback(case.rule)(case.args, structure.unflatten(dy)).items():
                rows[name].append(np.ravel(symmetric_part(case, name, row)))
    by_rows = {name: np.stack(r) for name, r in rows.items()}
    columns = {}
    for name, leaf in leaves.items():
        units = np.eye(leaf.size).reshape(leaf.size, *leaf.shape)
        scale = float(np.linalg.norm(by_rows[name])) / max(math.sqrt(leaf.size), 1.0)
        columns[name] = np.stack(
            [
                _nearest_column(
                    case, name, np.asarray(leaf), symmetric_part(case, name, unit), by_rows[name][:, j], scale
                )
                for j, unit in enumerate(units)
            ],
            axis=-1,
        )
    return compare(by_rows, columns, case.bounds.differences, _zero_columns(case, by_rows))


def _zero_columns(case: Case, by_rows: dict[str, Any]) -> dict[str, float]:
    """The rounding errors of the differences of leaves whose Jacobian is zero by cancellation."""
    rule = differenced_rule(case)
    y = math.sqrt(sum(float(np.sum(np.abs(a[np.isfinite(a)]) ** 2)) for a in numbers(compiled_f(rule)(*case.args))))
    floors = {}
    for name, leaf in differentiated_leaves(rule, case.args).items():
        rounding = ROUNDING * y * math.sqrt(leaf.size) / _leaf_size(np.asarray(leaf))
        if np.linalg.norm(by_rows[name]) <= rounding * epsilon(case.precision):
            floors[name] = rounding * epsilon(case.precision) ** (2 / 3)
    return floors


def _nearest_column(case: Case, name: str, leaf: Any, unit: Any, row: Any, scale: float) -> Any:
    """The estimate of a column of the Jacobian that is nearest to `row`; the first that is near enough."""
    values, best, smallest = _values_along(case, name, unit), row, np.inf
    for difference, _ in _differences(case, values, leaf, unit):
        column = _column(difference)
        distance = float(np.nan_to_num(np.linalg.norm(column - row), nan=np.inf))
        if distance < smallest or smallest == np.inf:
            best, smallest = column, distance
        if distance <= case.bounds.differences * scale / 2:
            return best
    return np.where(_is_at_kink(case, values, _leaf_size(leaf), _column, row), row, best)


def _column(difference: list[Any]) -> Any:
    return np.concatenate([np.ravel(d) for d in difference])
