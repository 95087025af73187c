"""Law 5: edge cases (ties, saturation, ±1e38, infinity, NaN), whose values and derivatives are known exactly."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.certify.case import Case, Constructor
from jaxnn.certify.measurement import Measurement, compare, locate, worst
from jaxnn.certify.pullback import compiled_f, compiled_pullback, jit_unoptimized
from jaxnn.certify.vjp_rule import ReducedLoss, batched_leaves
from jaxnn.layer import Layer

BOUND = 4 * float(np.finfo(np.float32).eps)
BIG, LARGE = 1e38, 1e4
LN2 = math.log(2)


class EdgeCase(NamedTuple):
    """An input `x` with a layer's y and its dx for dy = 1; or, with a target, a loss's value and dy."""

    public_name: str
    note: str
    build: Callable[[Constructor], Layer | ReducedLoss]
    x: Any
    y: Any
    dx: Any
    target: Any = None

    @property
    def name(self) -> str:
        return f"{self.public_name}: {self.note}"


def _without_arguments(constructor: Constructor) -> Layer | ReducedLoss:
    return constructor()


def _saturated(public_name: str, y: list, slope: list) -> EdgeCase:
    return EdgeCase(public_name, "saturated", _without_arguments, [-BIG, -LARGE, 0.0, LARGE, BIG], y, slope)


def _image(rows: list) -> np.ndarray:
    return np.asarray(rows, np.float32)[None, :, :, None]


def _zero(public_name: str, y: float, slope: float) -> EdgeCase:
    return EdgeCase(public_name, "0 and −0", _without_arguments, [0.0, -0.0], [y, y], [slope, slope])


_CONSTANT = _image([[7, 7, 7, 7]] * 4)
_TIED = _image([[1, 5, 5, 2], [5, 1, 2, 5], [3, 3, 0, -0.0], [3, 3, -0.0, 0]])
_FIRST_OF_WINDOW = _image([[1, 0, 1, 0], [0, 0, 0, 0]] * 2)
_FIRST_OF_TIES = _image([[0, 1, 1, 0], [0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]])
_SATURATED_LOGITS = [[BIG, -BIG, 0.0], [LARGE, LARGE, -LARGE], [-BIG, -BIG, -BIG]]

EDGE_CASES: tuple[EdgeCase, ...] = (
    _zero("relu", 0, 0),
    _zero("leaky_relu", 0, 1),
    _zero("elu", 0, 1),
    _zero("threshold", 1, 0),
    _saturated("identity", [-BIG, -LARGE, 0, LARGE, BIG], [1, 1, 1, 1, 1]),
    _saturated("relu", [0, 0, 0, LARGE, BIG], [0, 0, 0, 1, 1]),
    _saturated("leaky_relu", [-0.01 * BIG, -0.01 * LARGE, 0, LARGE, BIG], [0.01, 0.01, 1, 1, 1]),
    _saturated("threshold", [0, 0, 1, 1, 1], [0, 0, 0, 0, 0]),
    _saturated("sigmoid", [0, 0, 0.5, 1, 1], [0, 0, 0.25, 0, 0]),
    _saturated("tanh", [-1, -1, 0, 1, 1], [0, 0, 1, 0, 0]),
    _saturated("softplus", [0, 0, LN2, LARGE, BIG], [0, 0, 0.5, 1, 1]),
    _saturated("elu", [-1, -1, 0, LARGE, BIG], [0, 0, 1, 1, 1]),
    _saturated("gelu", [0, 0, 0, LARGE, BIG], [0, 0, 0.5, 1, 1]),
    _saturated("silu", [0, 0, 0, LARGE, BIG], [0, 0, 0.5, 1, 1]),
    EdgeCase("relu", "infinite", _without_arguments, [-math.inf, math.inf], [0, math.inf], [0, 1]),
    EdgeCase(
        "softmax", "saturated", _without_arguments, _SATURATED_LOGITS, [[1, 0, 0], [0.5, 0.5, 0], [1 / 3] * 3],
        np.zeros((3, 3)),
    ),
    EdgeCase(
        "max_pool", "all equal: the first", lambda make: make(2), _CONSTANT, _image([[7, 7], [7, 7]]), _FIRST_OF_WINDOW,
    ),
    EdgeCase("max_pool", "two equal: the first", lambda make: make(2), _TIED, _image([[5, 5], [3, 0]]), _FIRST_OF_TIES),
    EdgeCase(
        "max_pool", "overlapping and equal", lambda make: make(2, 1), _CONSTANT, _image([[7] * 3] * 3),
        _image([[1, 1, 1, 0]] * 3 + [[0] * 4]),
    ),
    EdgeCase(
        "max_pool", "padding is never the maximum", lambda make: make(3, 2, "SAME"), -_CONSTANT, _image([[-7] * 2] * 2),
        _FIRST_OF_TIES * 0 + _image([[1, 0, 1, 0], [0] * 4, [1, 0, 1, 0], [0] * 4]),
    ),
    EdgeCase("max_pool", "NaN is the largest", lambda make: make(2), _image([[1, math.nan], [2, 3]]), [[[[math.nan]]]],
        _image([[0, 1], [0, 0]])),
    EdgeCase(
        "average_pool", "padding is not counted", lambda make: make(2, 3, "SAME"), _CONSTANT, _image([[7] * 2] * 2),
        _image([[0.25, 0.25, 0, 0.5], [0.25, 0.25, 0, 0.5], [0] * 4, [0.5, 0.5, 0, 1]]),
    ),
    EdgeCase("l2_pool", "all zero", lambda make: make(2), 0 * _CONSTANT, _image([[0, 0]] * 2), 0 * _CONSTANT),
    EdgeCase(
        "l2_pool", "one number in each window", lambda make: make(2), _image([[-3, 0], [0, -0.0]]), _image([[3]]),
        _image([[-1, 0], [0, 0]]),
    ),
    *(
        EdgeCase(
            "softmax_cross_entropy", f"logits ±{size:.0e}", lambda make: make("sum"),
            [[size, -size, 0.0]], 2 * size, [[1, -1, 0]], [1],
        )
        for size in (LARGE, BIG)
    ),
    *(
        EdgeCase(
            "softmax_cross_entropy", f"correct by {size:.0e}", _without_arguments,
            [[size, -size, 0.0]], 0, [[0, 0, 0]], [0],
        )
        for size in (LARGE, BIG)
    ),
    *(
        EdgeCase(
            "sigmoid_cross_entropy", f"logits ±{size:.0e}", lambda make: make("sum"),
            [[size, -size, 0.0]], 2 * size + LN2, [[1, -1, -0.5]], [[0.0, 1.0, 1.0]],
        )
        for size in (LARGE, BIG)
    ),
    *(
        EdgeCase(
            "sigmoid_cross_entropy", f"correct by {size:.0e}", _without_arguments, [[size], [-size]], 0,
            [[0], [0]], [1, 0],
        )
        for size in (LARGE, BIG)
    ),
    EdgeCase("sigmoid_cross_entropy", "correct by 30: no lost digits", lambda make: make("sum"), [[30.0]],
        math.log1p(math.exp(-30)), [[-math.exp(-30) / (1 + math.exp(-30))]], [[1.0]],
    ),
    EdgeCase("elu", "slope without lost digits", _without_arguments, [-20.0], [math.expm1(-20)], [math.exp(-20)]),
    EdgeCase("softmax_cross_entropy", "mean of two terms whose sum overflows", _without_arguments,
        [[BIG, -BIG], [BIG, -BIG]], 2 * BIG, [[0.5, -0.5], [0.5, -0.5]], [1, 1],
    ),
    EdgeCase("sigmoid_cross_entropy", "mean of four terms whose sum overflows", _without_arguments,
        [[BIG]] * 4, BIG, [[0.25]] * 4, [0, 0, 0, 0],
    ),
)  # fmt: skip


def measure_edge_case(edge_case: EdgeCase, constructor: Constructor, dtype: Any = np.float32) -> Measurement:
    """The largest relative error of any entry; the absolute error where zero is expected."""
    x, subject = jnp.asarray(edge_case.x, dtype), edge_case.build(constructor)
    if isinstance(subject, Layer):

        def output_and_dx(x):
            y, res = subject.forward((), x, None)
            return y, subject.backward((), res, jnp.ones_like(y))[1]

        got = jit_unoptimized(output_and_dx)(x)
    else:
        is_label = isinstance(np.ravel(edge_case.target)[0], np.integer)
        got = jit_unoptimized(subject.__call__)(x, jnp.asarray(edge_case.target, np.int32 if is_label else dtype))
    return worst(
        _largest_error(name, np.asarray(a, np.float64), np.asarray(e, np.float64))
        for name, a, e in zip(("y", "dx"), got, (edge_case.y, edge_case.dx), strict=True)
    )


def _largest_error(name: str, got: np.ndarray, expected: np.ndarray) -> Measurement:
    with np.errstate(invalid="ignore"):
        same = (got == expected) | (np.isnan(got) & np.isnan(expected))
        error = np.where(same, 0, np.abs(got - expected) / np.where(expected == 0, 1, np.abs(expected)))
    return locate(name, got, expected, float(np.max(error)), BOUND)


def has_floating_rows(case: Case) -> bool:
    """Whether the case has a batch axis, and numbers in it that can be NaN."""
    return any(_is_floating(leaf) for leaf in _batched_arguments(case))


def _batched_arguments(case: Case) -> list[Any]:
    if not case.rule.batched:
        return []
    return jax.tree.leaves([arg for arg, batched in zip(case.args, case.rule.batched, strict=True) if batched])


def _is_floating(a: Any) -> bool:
    return bool(jnp.issubdtype(a.dtype, jnp.floating))


def nan(case: Case) -> Measurement:
    """A NaN example has a NaN output (a loss of its batch is NaN); it changes no other example's output or gradient.

    Every output of the example must be NaN, but for those that depend on no x, as between the taps of a transposed
    convolution with gaps. Where x holds integers or booleans too (lengths, a mask), some outputs may depend on those
    alone: there one NaN is enough.
    """
    rule = case.rule
    poisoned = tuple(
        jax.tree.map(_with_nan_example, arg) if batched else arg
        for arg, batched in zip(case.args, rule.batched, strict=True)
    )
    y = list(map(np.asarray, filter(_is_floating, jax.tree.leaves(compiled_f(rule)(*poisoned)))))
    if rule.reduction != "rows":
        return worst(locate("y", a, np.nan, 0.0 if np.isnan(a) else np.inf, 0.0) for a in y)
    clean = list(map(np.asarray, filter(_is_floating, jax.tree.leaves(compiled_f(rule)(*case.args)))))
    constant = _constant_outputs(case, clean)
    numbers = [float(np.mean(~np.isnan(a[0]) & ~same)) for a, same in zip(y, constant, strict=True)]
    if not all(map(_is_floating, _batched_arguments(case))) and min(numbers, default=0.0) < 1:
        numbers = [0.0 for _ in numbers]
    measurements = [locate("y", a[0], np.nan * a[0], share, 0.0) for a, share in zip(y, numbers, strict=True)]
    measurements += [compare({"y": a[1:]}, {"y": b[1:]}, 0.0) for a, b in zip(y, clean, strict=True)]
    dx, clean_dx = compiled_pullback(rule)(poisoned, case.dy), compiled_pullback(rule)(case.args, case.dy)
    measurements += [
        compare({name: np.asarray(dx[name])[1:]}, {name: np.asarray(clean_dx[name])[1:]}, 0.0)
        for name in batched_leaves(rule, case.args)
    ]
    return worst(measurements)


def _constant_outputs(case: Case, clean: list[np.ndarray]) -> list[np.ndarray]:
    """Which outputs of the first example stay the same bits however x changes."""
    constant = [np.ones(a.shape[1:], bool) for a in clean]
    for factor, summand in ((1, 1), (-3, 0), (5, 2)):
        moved = tuple(
            jax.tree.map(lambda a, f=factor, s=summand: f * a + s if _is_floating(a) else a, arg) if batched else arg
            for arg, batched in zip(case.args, case.rule.batched, strict=True)
        )
        y = list(map(np.asarray, filter(_is_floating, jax.tree.leaves(compiled_f(case.rule)(*moved)))))
        constant = [same & (a[0] == b[0]) for same, a, b in zip(constant, clean, y, strict=True)]
    return constant


def _with_nan_example(a: Any) -> Any:
    if not _is_floating(a):
        return a
    rows = np.array(a)
    rows[0] = np.nan
    return jnp.asarray(rows)
