"""Law 5: at the edges of the numbers, values and derivatives that are known without computing them."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.certify.case import Case, Constructor
from jaxnn.certify.finding import Finding, compare, place, worst
from jaxnn.certify.pullback import compiled, compiled_f, compiled_pullback
from jaxnn.certify.vjp_rule import rows_of
from jaxnn.layer import Layer
from jaxnn.losses import Loss

BOUND = 4 * float(np.finfo(np.float32).eps)
BIG, LARGE = 1e38, 1e4
LN2 = math.log(2)


class Edge(NamedTuple):
    """At `x`, a layer's y and its dx for dy = 1; or, with a target, a loss's value and dy."""

    of: str
    note: str
    build: Callable[[Constructor], Layer | Loss]
    x: Any
    y: Any
    dx: Any
    target: Any = None

    @property
    def name(self) -> str:
        return f"{self.of}: {self.note}"


def _plain(of: Constructor) -> Layer | Loss:
    return of()


def _saturated(of: str, y: list, slope: list) -> Edge:
    return Edge(of, "saturated", _plain, [-BIG, -LARGE, 0.0, LARGE, BIG], y, slope)


def _image(rows: list) -> np.ndarray:
    return np.asarray(rows, np.float32)[None, :, :, None]


def _zero(of: str, y: float, slope: float) -> Edge:
    return Edge(of, "0 and −0", _plain, [0.0, -0.0], [y, y], [slope, slope])


_FLAT = _image([[7, 7, 7, 7]] * 4)
_PAIRS = _image([[1, 5, 5, 2], [5, 1, 2, 5], [3, 3, 0, -0.0], [3, 3, -0.0, 0]])
_EVERY_FIRST = _image([[1, 0, 1, 0], [0, 0, 0, 0]] * 2)
_CORNERS = _image([[0, 1, 1, 0], [0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]])
_FAR = [[BIG, -BIG, 0.0], [LARGE, LARGE, -LARGE], [-BIG, -BIG, -BIG]]

EDGES: tuple[Edge, ...] = (
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
    Edge("relu", "infinite", _plain, [-math.inf, math.inf], [0, math.inf], [0, 1]),
    Edge("softmax", "saturated", _plain, _FAR, [[1, 0, 0], [0.5, 0.5, 0], [1 / 3] * 3], np.zeros((3, 3))),
    Edge("max_pool", "all alike: the first", lambda of: of(2), _FLAT, _image([[7, 7], [7, 7]]), _EVERY_FIRST),
    Edge("max_pool", "two alike: the first", lambda of: of(2), _PAIRS, _image([[5, 5], [3, 0]]), _CORNERS),
    Edge(
        "max_pool", "overlapping and alike", lambda of: of(2, 1), _FLAT, _image([[7] * 3] * 3),
        _image([[1, 1, 1, 0]] * 3 + [[0] * 4]),
    ),
    Edge(
        "max_pool", "padding is never the maximum", lambda of: of(3, 2, "SAME"), -_FLAT, _image([[-7] * 2] * 2),
        _CORNERS * 0 + _image([[1, 0, 1, 0], [0] * 4, [1, 0, 1, 0], [0] * 4]),
    ),
    Edge("max_pool", "NaN is the largest", lambda of: of(2), _image([[1, math.nan], [2, 3]]), [[[[math.nan]]]],
        _image([[0, 1], [0, 0]])),
    Edge(
        "average_pool", "padding is not counted", lambda of: of(2, 3, "SAME"), _FLAT, _image([[7] * 2] * 2),
        _image([[0.25, 0.25, 0, 0.5], [0.25, 0.25, 0, 0.5], [0] * 4, [0.5, 0.5, 0, 1]]),
    ),
    Edge("l2_pool", "all zero", lambda of: of(2), 0 * _FLAT, _image([[0, 0]] * 2), 0 * _FLAT),
    Edge(
        "l2_pool", "one number each", lambda of: of(2), _image([[-3, 0], [0, -0.0]]), _image([[3]]),
        _image([[-1, 0], [0, 0]]),
    ),
    *(
        Edge(
            "softmax_cross_entropy", f"logits ±{size:.0e}", lambda of: of("sum"),
            [[size, -size, 0.0]], 2 * size, [[1, -1, 0]], [1],
        )
        for size in (LARGE, BIG)
    ),
    *(
        Edge(
            "softmax_cross_entropy", f"right by {size:.0e}", _plain,
            [[size, -size, 0.0]], 0, [[0, 0, 0]], [0],
        )
        for size in (LARGE, BIG)
    ),
    *(
        Edge(
            "sigmoid_cross_entropy", f"logits ±{size:.0e}", lambda of: of("sum"),
            [[size, -size, 0.0]], 2 * size + LN2, [[1, -1, -0.5]], [[0.0, 1.0, 1.0]],
        )
        for size in (LARGE, BIG)
    ),
    *(
        Edge(
            "sigmoid_cross_entropy", f"right by {size:.0e}", _plain, [[size], [-size]], 0,
            [[0], [0]], [1, 0],
        )
        for size in (LARGE, BIG)
    ),
    Edge("sigmoid_cross_entropy", "right by 30: its digits are kept", lambda of: of("sum"), [[30.0]],
        math.log1p(math.exp(-30)), [[-math.exp(-30) / (1 + math.exp(-30))]], [[1.0]],
    ),
    Edge("elu", "its slope keeps its digits", _plain, [-20.0], [math.expm1(-20)], [math.exp(-20)]),
    Edge("softmax_cross_entropy", "a mean of two that are too large to add", _plain,
        [[BIG, -BIG], [BIG, -BIG]], 2 * BIG, [[0.5, -0.5], [0.5, -0.5]], [1, 1],
    ),
    Edge("sigmoid_cross_entropy", "a mean of four that are too large to add", _plain,
        [[BIG]] * 4, BIG, [[0.25]] * 4, [0, 0, 0, 0],
    ),
)  # fmt: skip


def edge(row: Edge, constructor: Constructor, dtype: Any = np.float32) -> Finding:
    """The largest error of any entry, relative to it, and to 1 at the least where zero is expected."""
    x, made = jnp.asarray(row.x, dtype), row.build(constructor)
    if isinstance(made, Layer):

        def forth_and_back(x):
            y, res = made.forward((), x, None)
            return y, made.backward((), res, jnp.ones_like(y))[1]

        got = compiled(forth_and_back)(x)
    else:
        target = jnp.asarray(row.target, np.int32 if isinstance(np.ravel(row.target)[0], np.integer) else dtype)
        got = compiled(made.__call__)(x, target)
    return worst(
        _entrywise(name, np.asarray(a, np.float64), np.asarray(e, np.float64))
        for name, a, e in zip(("y", "dx"), got, (row.y, row.dx), strict=True)
    )


def _entrywise(name: str, got: np.ndarray, expected: np.ndarray) -> Finding:
    with np.errstate(invalid="ignore"):
        same = (got == expected) | (np.isnan(got) & np.isnan(expected))
        error = np.where(same, 0, np.abs(got - expected) / np.where(expected == 0, 1, np.abs(expected)))
    return place(name, got, expected, float(np.max(error)), BOUND)


def nan(case: Case) -> Finding:
    """A NaN example has a NaN output (a batch's loss is NaN), and the other examples' outputs and gradients stay."""
    rule = case.rule
    poisoned = tuple(
        jax.tree.map(_poisoned, arg) if batched else arg for arg, batched in zip(case.args, rule.batched, strict=True)
    )
    y = jax.tree.leaves(compiled_f(rule.f)(*poisoned))
    if rule.reduction != "rows":
        return worst(place("y", a, np.nan, 0.0 if np.isnan(a) else np.inf, 0.0) for a in y)
    findings = [place("y", a[0], np.nan * a[0], float(np.mean(~np.isnan(a[0]))), 0.0) for a in map(np.asarray, y)]
    clean = jax.tree.leaves(compiled_f(rule.f)(*case.args))
    findings += [
        compare({"y": np.asarray(a)[1:]}, {"y": np.asarray(b)[1:]}, 0.0) for a, b in zip(y, clean, strict=True)
    ]
    dx, clean = compiled_pullback(rule)(poisoned, case.dy), compiled_pullback(rule)(case.args, case.dy)
    rows = rows_of(rule, case.args)
    return worst([*findings, *(compare({n: np.asarray(dx[n])[1:]}, {n: np.asarray(clean[n])[1:]}, 0.0) for n in rows)])


def _poisoned(a):
    rows = np.array(a)
    if not jnp.issubdtype(a.dtype, jnp.floating):
        return a
    rows[0] = np.nan
    return jnp.asarray(rows)
