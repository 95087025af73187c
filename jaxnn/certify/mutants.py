"""Law 8: named mistakes, injected into the backward code; a law that lets one pass would let yours pass.

A mutant of this library is its own source with one thing changed. A mutant of a rule, anyone's, is the rule with a
mistake before or after its backward.
"""

import importlib
import inspect
import itertools
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
from jax import numpy as jnp

from jaxnn.certify.case import Case
from jaxnn.certify.cases import ROWS, Constructor, case_of, constructor
from jaxnn.certify.finding import Finding
from jaxnn.certify.laws import LAWS, Law
from jaxnn.certify.laws.edges import EDGES, edge
from jaxnn.certify.rule import Rule


class Mutant(NamedTuple):
    """A mistake in what builds `of`: in its module (or the one named by `module`), `old` is written `new`."""

    name: str
    of: str
    old: str
    new: str
    module: str = ""


class Killed(NamedTuple):
    """A mutant, the law that noticed it (or "nobody") and what the law found."""

    name: str
    of: str
    law: str
    finding: str

    @property
    def survives(self) -> bool:
        return self.law == NOBODY


NOBODY = "nobody"
_A, _P, _W = "jaxnn.layers.affine", "jaxnn.layers.product", "jaxnn.layers.window"

MUTANTS: tuple[Mutant, ...] = (
    # Functions of one number.
    Mutant("sigmoid: a factor dropped", "sigmoid", "lambda y: y * (1 - y)", "lambda y: 1 - y"),
    Mutant("sigmoid: wrong sign", "sigmoid", "lambda y: y * (1 - y)", "lambda y: y * (1 + y)"),
    Mutant("sigmoid: from x, not from y", "sigmoid", "jax.nn.sigmoid, keep_y", "jax.nn.sigmoid, keep_x"),
    Mutant("tanh: factor 1.001", "tanh", "(1 - y) * (1 + y)", "1.001 * (1 - y) * (1 + y)"),
    Mutant("tanh: a factor dropped", "tanh", "(1 - y) * (1 + y)", "1 - y"),
    Mutant("tanh: of x, not of y", "tanh", "jnp.tanh, keep_y", "jnp.tanh, keep_x"),
    Mutant("relu: open at 0", "relu", "lambda x, y: y > 0", "lambda x, y: y >= 0"),
    Mutant("relu: lets everything through", "relu", "lambda x, y: y > 0", "lambda x, y: y > -1"),
    Mutant("softplus: wrong sign", "softplus", "-jnp.expm1(-y)", "jnp.expm1(-y)"),
    Mutant("softplus: of x, not of y", "softplus", "jax.nn.softplus, keep_y", "jax.nn.softplus, keep_x"),
    Mutant("leaky_relu: slope of the other side", "leaky_relu", "jnp.where(positive, 1.0, slope)",
           "jnp.where(positive, slope, 1.0)"),
    Mutant("leaky_relu: closed at 0", "leaky_relu", "lambda x, y: x >= 0", "lambda x, y: x > 0"),
    Mutant("elu: alpha dropped", "elu", "alpha * jnp.exp(jnp.minimum", "jnp.exp(jnp.minimum"),
    Mutant("elu: of y, not of x", "elu", "jax.nn.elu(x, alpha), keep_x", "jax.nn.elu(x, alpha), keep_y"),
    Mutant("gelu: the density's term dropped", "gelu",
           "cumulative + x * jnp.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)", "cumulative"),
    Mutant("gelu: the cumulative term dropped", "gelu",
           "return cumulative + x * jnp.exp", "return x * jnp.exp"),
    Mutant("gelu: π left out of the density", "gelu", "math.sqrt(2 * math.pi)", "math.sqrt(2 * 3.14)"),
    Mutant("silu: the second term dropped", "silu", "s * (1 + x * (1 - s))", "s"),
    Mutant("silu: the first term dropped", "silu", "s * (1 + x * (1 - s))", "s * x * (1 - s)"),
    Mutant("silu: wrong sign", "silu", "s * (1 + x * (1 - s))", "s * (1 - x * (1 - s))"),
    Mutant("elementwise: a product with 0, not a select", "relu",
           "jnp.where(slope, dy, 0) if slope.dtype == bool else slope * dy", "slope * dy * dy"),
    Mutant("identity: factor 1.001", "identity", "return (), dy", "return (), 1.001 * dy"),
    Mutant("threshold: passes dy on", "threshold", "jnp.zeros_like(dy)", "dy"),
    # Softmax.
    Mutant("softmax: the sum dropped", "softmax", "y * (dy - (dy * y).sum(-1, keepdims=True))", "y * dy"),
    Mutant("softmax: mean for sum", "softmax", "(dy * y).sum(-1", "(dy * y).mean(-1"),
    Mutant("softmax: over the wrong axis", "softmax", "(dy * y).sum(-1", "(dy * y).sum(0"),
    Mutant("softmax: y left out of the sum", "softmax", "(dy * y).sum(-1", "dy.sum(-1"),
    # Dense.
    Mutant("dense: dW 0.1 % too large", "dense", "outer(x, dy)", "1.001 * outer(x, dy)"),
    Mutant("dense: dW of the wrong sign", "dense", "outer(x, dy)", "-outer(x, dy)"),
    Mutant("dense: dW without its transpose", "dense", "outer(x, dy)", "outer(dy, x).reshape(params.weight.shape)"),
    Mutant("dense: dW of a stale activation", "dense", "outer(x, dy)", "outer(jax.numpy.roll(x, 1, 0), dy)"),
    Mutant("dense: a row of the batch lost in dW", "dense", "outer(x, dy)", "outer(x.at[-1].set(0), dy)"),
    Mutant("dense: dW a mean over the batch", "dense", "outer(x, dy)", "outer(x, dy) / len(x)"),
    Mutant("dense: dW of a long batch without its last examples", "dense", "jnp.pad(z, [(0, 0)] * (z.ndim - 1) + ["
           "(0, -z.shape[-1] % LANES)])", "z[..., : len(z.T) // LANES * LANES]", _P),
    Mutant("dense: dx without the transpose", "dense", "product(dy, params.weight.T)",
           "product(dy, params.weight.reshape(params.weight.shape[::-1]))"),
    Mutant("dense: dx dropped", "dense", "product(dy, params.weight.T)", "0 * product(dy, params.weight.T)"),
    Mutant("dense: dx in half precision", "dense", "product(dy, params.weight.T)",
           "product(dy, params.weight.T).astype('bfloat16').astype(dy.dtype)"),
    Mutant("dense: db a mean over the batch", "dense", "total(dy))", "total(dy) / len(dy))", _A),
    Mutant("dense: db dropped", "dense", "Affine(dweight, total(dy))", "Affine(dweight, jnp.zeros_like(params.bias))",
           _A),
    Mutant("dense: db over the first axis alone", "dense", "total(dy))", "dy.sum(0).reshape(-1, dy.shape[-1])[0])", _A),
    # Convolution.
    Mutant("conv: kernel not turned in dx", "conv", "zip(self.positions(), parts, strict=True)",
           "zip(list(self.positions())[::-1], parts, strict=True)", _W),
    Mutant("conv: stride ignored in dx", "conv",
           "config.append((low, x.shape[1 + axis] - reach, self.stride[axis] - 1))",
           "config.append((low, x.shape[1 + axis] - low - n, 0))", _W),
    Mutant("conv: padding off by one in dx", "conv", "low = offset - self.pads[axis][0]",
           "low = offset - self.pads[axis][1]", _W),
    Mutant("conv: dilation ignored", "conv", "yield i * self.dilation[0], j * self.dilation[1]", "yield i, j", _W),
    Mutant("conv: stride ignored in what a tap reads", "conv", "(1, sh, sw, 1),", "(1, sw, sh, 1),", _W),
    Mutant("conv: rows and columns of dW changed over", "conv",
           ".T @ dy_rows for row in rows]", ".T @ dy_rows for row in rows][::-1]"),
    Mutant("conv: dW of one channel without its transpose", "conv",
           "(dy_rows.T @ patches.reshape(dy_rows.shape[0], -1)).T",
           "dy_rows.T @ patches.reshape(dy_rows.shape[0], -1)"),
    Mutant("conv: dx dropped", "conv", "return affine_gradient(params, dweight, dy), dx",
           "return affine_gradient(params, dweight, dy), 0 * dx"),
    Mutant("conv: the last row of dy lost in dW", "conv", "dy_rows = dy.reshape(-1, dy.shape[-1])",
           "dy_rows = dy.at[:, -1].set(0).reshape(-1, dy.shape[-1])"),
    Mutant("conv_max_pool: the last of the places, not the first", "conv_max_pool", "index == q, dy, 0",
           "index == count - 1 - q, dy, 0"),
    Mutant("conv_max_pool: a place forgotten in dW", "conv_max_pool", "return functools.reduce(jnp.add, moved)",
           "return functools.reduce(jnp.add, moved[1:])"),
    Mutant("conv_max_pool: dW a mean over the places", "conv_max_pool", "return functools.reduce(jnp.add, moved)",
           "return functools.reduce(jnp.add, moved) / count"),
    Mutant("conv_max_pool: db of what was not chosen too", "conv_max_pool", "dy.sum((0, 1, 2))",
           "count * dy.sum((0, 1, 2))"),
    Mutant("conv_max_pool: dx without the transpose of V", "conv_max_pool", "dpatches = dz @ spread(params.weight).T",
           "dpatches = dz @ spread(params.weight).reshape(count * channels, -1)"),
    # Pooling.
    Mutant("max_pool: ties go to the last", "max_pool", "larger = (other > y)", "larger = (other >= y)"),
    Mutant("max_pool: dy to every entry of the window", "max_pool",
           "jnp.where(index == k, dy, 0), (index, dy), like)", "dy, (index, dy), like)"),
    Mutant("max_pool: off by one tap", "max_pool", "jnp.where(index == k, dy, 0), (index, dy), like)",
           "jnp.where(index == k + 1, dy, 0), (index, dy), like)"),
    Mutant("max_pool: padding can win", "max_pool", "first_maximum(over(x).taps(x, -np.inf))",
           "first_maximum(over(x).taps(x, 0.0))"),
    Mutant("average_pool: sum for mean", "average_pool",
           "share = dy / jnp.broadcast_to(_counts(w, res), dy.shape)", "share = dy"),
    Mutant("average_pool: padding counted", "average_pool",
           "share = dy / jnp.broadcast_to(_counts(w, res), dy.shape)", "share = dy / (w.size[0] * w.size[1])"),
    Mutant("l2_pool: the norm left out", "l2_pool", "jnp.where(y == 0, 0, dy / jnp.where(y == 0, 1, y))", "dy"),
    Mutant("l2_pool: x left out", "l2_pool", "return (), x * over(x).spread(", "return (), over(x).spread("),
    Mutant("l2_pool: 0 divided by 0", "l2_pool", "jnp.where(y == 0, 0, dy / jnp.where(y == 0, 1, y))", "dy / y"),
    Mutant("pools: windows that overlap do not add", "average_pool",
           "total = placed if total is None else total + placed",
           "total = placed if total is None else jnp.where(placed != 0, placed, total)", _W),
    # Dropout, shapes.
    Mutant("dropout: the scale forgotten on the way back", "dropout", "dy if res is None else scaled(res, dy)",
           "dy if res is None else jnp.where(res, dy, 0)"),
    Mutant("dropout: the mask forgotten on the way back", "dropout", "dy if res is None else scaled(res, dy)",
           "dy if res is None else dy / (1 - rate)"),
    Mutant("dropout: the mask turned round", "dropout", "dy if res is None else scaled(res, dy)",
           "dy if res is None else scaled(~res, dy)"),
    Mutant("flatten: rows and columns changed over", "flatten", "x.reshape(x.shape[0], math.prod(x.shape[1:])), x[:0]",
           "x.swapaxes(1, 2).reshape(x.shape[0], math.prod(x.shape[1:])), x[:0]"),
    Mutant("reshape: the batch turned round", "reshape", "return (), dy.reshape(dy.shape[0], *res.shape[1:])",
           "return (), dy[::-1].reshape(dy.shape[0], *res.shape[1:])"),
    # Combinators.
    Mutant("serial: the gradients in the order of the walk", "serial", "return tuple(reversed(gradients)), dy",
           "return tuple(gradients), dy"),
    Mutant("serial: each layer sees the first dy", "serial", "dparams, dy = layer.backward(p, r, dy)",
           "dparams, _ = layer.backward(p, r, dy)"),
    Mutant("parallel: dx of the first branch alone", "parallel", "lambda *dx: sum(dx[1:], dx[0])", "lambda *dx: dx[0]"),
    Mutant("parallel: dx a mean over the branches", "parallel", "lambda *dx: sum(dx[1:], dx[0])",
           "lambda *dx: sum(dx[1:], dx[0]) / len(dx)"),
    Mutant("parallel: the columns cut off by one", "parallel", "ends = [sum(s.shape[-1] for s in shapes[: i + 1])",
           "ends = [1 + sum(s.shape[-1] for s in shapes[: i + 1])"),
    Mutant("residual: the way around forgotten", "residual", "return dparams, dy + dx", "return dparams, dx"),
    Mutant("residual: the way through forgotten", "residual", "return dparams, dy + dx", "return dparams, dy"),
    # Losses.
    Mutant("quadratic: factor 2", "quadratic", "lambda y, t: y - _dense(t, y),\n        lambda y: y,",
           "lambda y, t: 2 * (y - _dense(t, y)),\n        lambda y: y,"),
    Mutant("mean_squared_error: sum for mean over the outputs", "mean_squared_error",
           "lambda y, t: (2 / y.shape[-1]) * (y - _dense(t, y))", "lambda y, t: 2 * (y - _dense(t, y))"),
    Mutant("sigmoid_cross_entropy: σ′ of the quadratic cost left in", "sigmoid_cross_entropy",
           "return (1 - t) * jax.nn.sigmoid(y) - t * jax.nn.sigmoid(-y)",
           "return (jax.nn.sigmoid(y) - t) * jax.nn.sigmoid(y) * jax.nn.sigmoid(-y)"),
    Mutant("sigmoid_cross_entropy: the target dropped", "sigmoid_cross_entropy",
           "return (1 - t) * jax.nn.sigmoid(y) - t * jax.nn.sigmoid(-y)", "return jax.nn.sigmoid(y)"),
    Mutant("sigmoid_cross_entropy: a difference in which nothing is left", "sigmoid_cross_entropy",
           "return (1 - t) * jax.nn.sigmoid(y) - t * jax.nn.sigmoid(-y)", "return jax.nn.sigmoid(y) - t"),
    Mutant("softmax_cross_entropy: the target dropped", "softmax_cross_entropy", "* jax.nn.softmax(y) - t\n",
           "* jax.nn.softmax(y)\n"),
    Mutant("softmax_cross_entropy: targets taken to add up to 1", "softmax_cross_entropy",
           "t.sum(-1, keepdims=True) * jax.nn.softmax(y) - t", "jax.nn.softmax(y) - t"),
    Mutant("perceptron: wrong sign", "perceptron", "        derivative,\n",
           "        lambda z, t: -derivative(z, t),\n"),
    Mutant("losses: sum for mean", "softmax_cross_entropy", "dy / len(y)) if", "dy) if"),
    Mutant("losses: a mean's value, a sum divided late", "sigmoid_cross_entropy",
           "(terms / len(y)).sum(), dy / len(y)", "terms.sum() / len(y), dy / len(y)"),
    # What trains.
    Mutant("value_and_grad: dy of the loss dropped", "value_and_grad", "model.backward(params, res, dy)",
           "model.backward(params, res, jnp.ones_like(dy))"),
    Mutant("value_and_grad: the gradient twice", "value_and_grad", "return (value, y), dparams",
           "return (value, y), jax.tree.map(lambda g: 2 * g, dparams)"),
    Mutant("value_and_grad: an update before the gradient", "value_and_grad", "model.backward(params, res, dy)",
           "model.backward(jax.tree.map(lambda p: 0.999 * p, params), res, dy)"),
    Mutant("optimizer: a penalty on biases", "optimizer", "optax.add_decayed_weights(l2, mask=is_weight)",
           "optax.add_decayed_weights(l2)"),
)  # fmt: skip


def mutated(mutant: Mutant) -> Constructor:
    """What builds the mutant: the source of its module, changed in one place, and run.

    Raises `LookupError` where that place is not found exactly once.
    """
    original = constructor(mutant.of)
    home = original.__module__
    changed = _changed(mutant.module or home, mutant)
    if not mutant.module:
        return getattr(changed, mutant.of)
    module = _run(home, inspect.getsource(importlib.import_module(home)))
    for name in vars(changed).keys() & vars(module).keys():
        if not name.startswith("__"):
            setattr(module, name, getattr(changed, name))
    if "windows" in vars(module):  # a module that is imported whole
        module.windows = changed  # type: ignore[attr-defined]
    return getattr(module, mutant.of)


def _changed(name: str, mutant: Mutant) -> types.ModuleType:
    source = inspect.getsource(importlib.import_module(name))
    # From the constructor's code on, where that stands there: a text may stand in several layers, and in a docstring.
    start = max(source.find(f"def {mutant.of}("), 0)
    for _ in range(2 if start else 0):
        start = source.index('"""', start) + 3
    if mutant.old not in source[start:]:
        start = 0
    head, tail = source[:start], source[start:]
    if mutant.old not in tail:
        raise LookupError(f"mutant {mutant.name!r}: expected in {name} the text {mutant.old!r}, found it nowhere")
    return _run(name, head + tail.replace(mutant.old, mutant.new, 1))


def _run(name: str, source: str) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__dict__["jnp"] = jnp
    module.__dict__["jax"] = jax
    exec(compile(source, f"<a mutant of {name}>", "exec"), module.__dict__)
    return module


def kill(mutant: Mutant) -> Killed:
    """The first law that notices the mutant, in all the cases of the table that its name has."""
    make = mutated(mutant)
    rows = [row for row in ROWS if row.of == mutant.of]

    def by_laws(thorough: bool) -> Iterator[tuple[str, str] | None]:
        for law in (law for law in LAWS.values() if law.thorough == thorough):
            for row in rows:
                if row.thorough or not thorough:
                    yield _noticed(law, lambda row=row: case_of(row, make))

    def by_edges() -> Iterator[tuple[str, str] | None]:
        for place in EDGES:
            if place.of == mutant.of:
                finding = edge(place, make)
                yield None if finding.holds else ("edges", f"{place.name}: {finding}")

    # What is quick to measure comes first.
    found = next(filter(None, itertools.chain(by_laws(False), by_edges(), by_laws(True))), (NOBODY, ""))
    return Killed(mutant.name, mutant.of, *found)


def _noticed(law: Law, build: Callable[[], Case]) -> tuple[str, str] | None:
    try:
        case = build()
        if not law.applies(case):
            return None
        finding: Finding = law.measure(case)
    except (TypeError, ValueError, IndexError) as error:  # shapes that do not fit are noticed by JAX itself
        return law.name, f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return None if finding.holds else (law.name, str(finding))


#: A mistake in a rule, anyone's: a function of the rule to the rule with it.
Mistake = Callable[[Rule], Rule]


def _after(change: Callable[[Any, Any], Any]) -> Mistake:
    """`change(cotangent leaf, dy)` for every floating cotangent."""

    def mistake(rule: Rule) -> Rule:
        def backward(residuals, dy):
            return jax.tree.map(
                lambda g: change(g, dy) if jnp.issubdtype(g.dtype, jnp.inexact) else g, rule.backward(residuals, dy)
            )

        return rule._replace(backward=backward)

    return mistake


def _before(change: Callable[[Any], Any]) -> Mistake:
    """`change(dy leaf)` before the backward."""
    return lambda rule: rule._replace(
        backward=lambda residuals, dy: rule.backward(
            residuals, jax.tree.map(lambda a: change(jnp.asarray(a)) if jnp.issubdtype(a.dtype, jnp.inexact) else a, dy)
        )
    )


def _stale(change: Callable[[Any], Any]) -> Mistake:
    """`change(leaf)` for every floating residual."""

    def one(a):
        return change(jnp.asarray(a)) if jnp.issubdtype(jnp.asarray(a).dtype, jnp.inexact) else a

    return lambda rule: rule._replace(backward=lambda residuals, dy: rule.backward(jax.tree.map(one, residuals), dy))


def _of_argument(i: int, change: Callable[[Any], Any]) -> Mistake:
    """`change(leaf)` for the cotangent of the i-th argument."""

    def mistake(rule: Rule) -> Rule:
        def backward(residuals, dy):
            found = list(rule.backward(residuals, dy))
            found[i] = jax.tree.map(change, found[i])
            return tuple(found)

        return rule._replace(backward=backward)

    return mistake


def _first_zero(a):
    return a.at[(0,) * a.ndim].set(0) if a.size else a


def mistakes(rule: Rule) -> Iterator[tuple[str, Mistake]]:
    """Mistakes that any rule can be tried with, by name."""
    yield "factor 1.001", _after(lambda g, dy: 1.001 * g)
    yield "factor 1 + 1e-9", _after(lambda g, dy: (1 + 1e-9) * g)
    yield "wrong sign", _after(lambda g, dy: -g)
    yield "one entry lost", _after(lambda g, dy: _first_zero(g))
    yield "the last row lost", _after(lambda g, dy: g.at[-1].set(0) if g.ndim else 0 * g)
    yield "rows moved by one", _after(lambda g, dy: jnp.roll(g, 1, 0) if g.ndim and len(g) > 1 else 2 * g)
    yield "the last axis turned round", _after(lambda g, dy: g[..., ::-1] if g.ndim and g.shape[-1] > 1 else 2 * g)
    yield "without its transpose", _after(lambda g, dy: g.T.reshape(g.shape) if g.ndim > 1 else 2 * g)
    yield "mean for sum", _after(lambda g, dy: g / 2)
    yield "in half precision", _after(lambda g, dy: g.astype(jnp.bfloat16).astype(g.dtype))
    yield "squared a little", _after(lambda g, dy: g + 1e-6 * g * g)
    yield "the gradient clipped", _after(lambda g, dy: jnp.clip(g, -1e-3, 1e-3))
    yield "dy of the wrong sign", _before(lambda a: -a)
    yield "dy's first entry lost", _before(_first_zero)
    yield "dy taken for ones", _before(jnp.ones_like)
    yield "residuals 0.1 % too large", _stale(lambda a: 1.001 * a)
    yield "stale residuals", _stale(lambda a: jnp.roll(a, 1) if a.size > 1 else 2 * a)
    for i, name in enumerate(rule.arguments):
        if i in rule.argnums:
            yield f"the cotangent of {name} dropped", _of_argument(i, jnp.zeros_like)
            yield f"the cotangent of {name} 0.1 % too large", _of_argument(i, lambda a: 1.001 * a)


def kill_mistakes(case: Case, laws: Sequence[Law] = tuple(LAWS.values())) -> list[Killed]:
    """For each mistake that changes anything, the first law that notices it in the case."""
    right = _gradient(case)
    killed = []
    for name, mistake in mistakes(case.rule):
        wrong = case._replace(rule=mistake(case.rule))
        if _same(_gradient(wrong), right):  # nothing to notice: no residual to be stale, a zero to be lost
            continue
        found = next(filter(None, (_noticed(law, lambda wrong=wrong: wrong) for law in laws)), (NOBODY, ""))
        killed.append(Killed(name, case.of, *found))
    return killed


def _gradient(case: Case) -> Any:
    from jaxnn.certify.pullback import compiled_pullback

    try:
        return compiled_pullback(case.rule)(case.args, case.dy)
    except (TypeError, ValueError, IndexError):
        return None


def _same(a: Any, b: Any) -> bool:
    return a is not None and all(bool(jnp.array_equal(x, y)) for x, y in zip(a.values(), b.values(), strict=True))
