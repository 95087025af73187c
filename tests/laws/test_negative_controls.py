"""Each law catches a mistake planted for it, and holds where there is none: a law that cannot fail proves nothing."""

import jax
import numpy as np
import pytest
from jax import lax
from jax import numpy as jnp
from jax.core import Tracer

from jaxnn.certify.case import Case, case
from jaxnn.certify.cases import build, layer_args
from jaxnn.certify.laws import LAWS
from jaxnn.certify.laws.edges import EDGES, edge
from jaxnn.certify.vjp_rule import Rule, of_layer
from jaxnn.layer import Layer
from jaxnn.layers import max_pool, relu, sigmoid, softplus
from jaxnn.losses import Loss, softmax_cross_entropy


def _backward(rule: Rule, mistake) -> Rule:
    """The rule with `mistake(dparams, dx, dy) -> (dparams, dx)` after its backward."""
    return rule._replace(backward=lambda residuals, dy: mistake(*rule.backward(residuals, dy), dy))


def _bias(change):
    return lambda rule: _backward(rule, lambda dp, dx, dy: (dp._replace(bias=change(dp.bias)), dx))


def _a_thousandth(rule):
    return _bias(lambda db: 1.001 * db)(rule)


def _in_half_precision(dtype):
    return _bias(lambda db: db.astype(dtype).astype(db.dtype))


def _rows_averaged(rule):
    return _backward(rule, lambda dp, dx, dy: (jax.tree.map(lambda g: g / len(dy), dp), dx))


def _squeezed(rule):
    """Right but for a batch of one, whose axis is taken for none."""
    return _backward(rule, lambda dp, dx, dy: (dp, dx if len(dx) > 1 else dx[:, ::-1]))


def _not_linear(rule):
    return _backward(rule, lambda dp, dx, dy: (dp, dx + 1e-6 * dx * dx))


def _nan_swept_away(rule):
    return rule._replace(f=lambda *args: jnp.nan_to_num(rule.f(*args)))


def _otherwise_when_traced(rule):
    return _bias(lambda db: 1.001 * db if isinstance(db, Tracer) else db)(rule)


def _remembers_its_first_call(rule):
    calls = []

    def mistake(dp, dx, dy):
        calls.append(None)
        return (dp, dx) if len(calls) == 1 else (dp, 1.001 * dx)

    return _backward(rule, mistake)


def _constant_residuals(rule):
    """The gradient is right, its derivative is not."""
    return rule._replace(forward=lambda *args: (rule.f(*args), lax.stop_gradient(rule.forward(*args)[1])))


PLANTED = {
    "autodiff": _a_thousandth,
    "float32": _in_half_precision(jnp.bfloat16),
    "bfloat16": _bias(lambda db: db.astype(jnp.float8_e5m2).astype(db.dtype)),
    "differences": _a_thousandth,
    "jacobian": _a_thousandth,
    "batch of one": _squeezed,
    "nan": _nan_swept_away,
    "jit": _otherwise_when_traced,
    "vmap": _remembers_its_first_call,
    "scan": _remembers_its_first_call,
    "shard_map": _rows_averaged,
    "checkpoint": _remembers_its_first_call,
    "hessian": _constant_residuals,
    "linear": _not_linear,
    "examples": _rows_averaged,
}


def test_every_law_has_a_negative_control():
    assert set(PLANTED) == set(LAWS)


@pytest.mark.parametrize("law", LAWS)
def test_the_law_catches_what_is_planted(law):
    right = build("dense: tiny")
    wrong = right._replace(rule=PLANTED[law](right.rule))
    assert LAWS[law].measure(right).holds
    finding = LAWS[law].measure(wrong)
    assert not finding.holds


def test_a_loss_whose_derivative_is_wrong_is_caught():
    """Its argument is called y, as the output of a layer is."""
    right = build("softmax_cross_entropy: mean, labels")
    wrong = right.rule._replace(backward=lambda dy, dvalue: (1.001 * dvalue * dy, None))
    assert not LAWS["autodiff"].measure(right._replace(rule=wrong)).holds


@pytest.mark.parametrize("leaf", ["params.weight", "params.bias", "x"])
def test_the_finding_names_leaf_and_entry(leaf):
    right = build("dense: tiny")

    def mistake(dp, dx, dy):
        wrong = {"params.weight": dp.weight, "params.bias": dp.bias, "x": dx}
        wrong[leaf] = wrong[leaf].at[(1,) * wrong[leaf].ndim].multiply(1.001)
        return dp._replace(weight=wrong["params.weight"], bias=wrong["params.bias"]), wrong["x"]

    finding = LAWS["autodiff"].measure(right._replace(rule=_backward(right.rule, mistake)))
    assert finding.leaf == leaf
    assert set(finding.index) == {1}
    assert finding.got == pytest.approx(1.001 * finding.expected, rel=1e-9)


def test_a_gradient_that_should_be_zero_is_exactly_zero():
    right = build("threshold")
    wrong = _backward(right.rule, lambda dp, dx, dy: (dp, 1e-30 * dy))
    assert not LAWS["autodiff"].measure(right._replace(rule=wrong)).holds


def test_a_gradient_of_another_shape_or_precision_is_caught():
    right = build("dense: tiny")
    transposed = _backward(right.rule, lambda dp, dx, dy: (dp, dx.T))
    doubled = _backward(right.rule, lambda dp, dx, dy: (dp, dx.astype(jnp.float64)))
    assert not LAWS["autodiff"].measure(right._replace(rule=transposed)).holds
    assert not LAWS["float32"].measure(right._replace(rule=doubled)).holds


def test_nan_in_a_gradient_is_caught():
    right = build("dense: tiny")
    assert not LAWS["autodiff"].measure(right._replace(rule=_bias(lambda db: db * np.nan)(right.rule))).holds


def _edges_of(name: str, note: str, build) -> list:
    return [edge(row, lambda *args: build()) for row in EDGES if row.of == name and note in row.note]


def _relu_open_at_zero() -> Layer:
    right = relu()
    return right._replace(forward=lambda params, x, key: (right.forward(params, x, key)[0], x >= 0))


def _last_of_the_ties() -> Layer:
    """The first of the ties of the mirrored image."""
    right = max_pool(2)

    def forward(params, x, key):
        y, res = right.forward(params, x[:, ::-1, ::-1], key)
        return y[:, ::-1, ::-1], res

    def backward(params, res, dy):
        return (), right.backward(params, res, dy[:, ::-1, ::-1])[1][:, ::-1, ::-1]

    return Layer(right.init, forward, backward)


def _naive(of, f):
    return lambda: of()._replace(forward=lambda params, x, key: (f(x), f(x)))


def _naive_cross_entropy() -> Loss:
    right = softmax_cross_entropy("sum")

    def terms(y, target):
        exponential = jnp.exp(y)
        return -jnp.log((exponential / exponential.sum(-1, keepdims=True))[jnp.arange(len(y)), target])

    return right._replace(terms=terms)


@pytest.mark.parametrize(
    ("name", "note", "planted"),
    [
        ("relu", "0 and −0", _relu_open_at_zero),
        ("max_pool", "alike: the first", _last_of_the_ties),
        ("softplus", "saturated", _naive(softplus, lambda x: jnp.log(1 + jnp.exp(x)))),
        ("sigmoid", "saturated", _naive(sigmoid, lambda x: jnp.exp(x) / (1 + jnp.exp(x)))),
        ("softmax_cross_entropy", "logits", _naive_cross_entropy),
    ],
)
def test_an_edge_catches_what_is_planted(name, note, planted):
    assert not any(finding.holds for finding in _edges_of(name, note, planted))


def test_float32_check_grads_lets_a_thousandth_through_where_the_law_does_not():
    """Why there are laws at all: the usual check is blind to a bias gradient that is wrong by 0.1 %."""
    from jax.test_util import check_grads

    from jaxnn.layers import dense

    layer = dense(11)
    params, x = jax.tree.map(lambda a: a.astype(jnp.float32), layer_args(layer, (7, 13)))

    @jax.custom_vjp
    def rule(params, x):
        return layer.forward(params, x, None)[0]

    def backward(saved, dy):
        dparams, dx = layer.backward(saved[0], saved[1], dy)
        return dparams._replace(bias=1.001 * dparams.bias), dx

    rule.defvjp(lambda params, x: (rule(params, x), (params, x)), backward)
    check_grads(jax.jit(rule), (params, x), order=1, modes=("rev",))

    planted: Case = case("dense", "dense", _bias(lambda db: 1.001 * db)(of_layer(layer)), (params, x))
    assert not LAWS["autodiff"].measure(planted).holds
