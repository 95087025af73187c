"""Negative controls: each law detects a mistake planted for it, and holds for the correct rule."""

import jax
import numpy as np
import pytest
from jax import lax
from jax import numpy as jnp
from jax.core import Tracer

from jaxnn.certify.case import Case, layer_args, make_case
from jaxnn.certify.cases import cached_case
from jaxnn.certify.laws import LAWS
from jaxnn.certify.laws.edge_cases import EDGE_CASES, measure_edge_case
from jaxnn.certify.vjp_rule import VjpRule, layer_rule
from jaxnn.layer import Layer
from jaxnn.layers import max_pool, relu, sigmoid, softplus
from jaxnn.loss import Loss
from jaxnn.losses import softmax_cross_entropy


def _after_backward(rule: VjpRule, mistake) -> VjpRule:
    """The rule with `mistake(dparams, dx, dy) -> (dparams, dx)` applied after its backward."""
    return rule._replace(backward=lambda residuals, dy: mistake(*rule.backward(residuals, dy), dy))


def _change_bias(change):
    return lambda rule: _after_backward(rule, lambda dp, dx, dy: (dp._replace(bias=change(dp.bias)), dx))


def _bias_off_by_a_thousandth(rule):
    return _change_bias(lambda db: 1.001 * db)(rule)


def _bias_rounded_to(dtype):
    return _change_bias(lambda db: db.astype(dtype).astype(db.dtype))


def _mean_over_rows(rule):
    return _after_backward(rule, lambda dp, dx, dy: (jax.tree.map(lambda g: g / len(dy), dp), dx))


def _wrong_for_batch_of_one(rule):
    """Correct except for a batch of one."""
    return _after_backward(rule, lambda dp, dx, dy: (dp, dx if len(dx) > 1 else dx[:, ::-1]))


def _quadratic_in_dy(rule):
    return _after_backward(rule, lambda dp, dx, dy: (dp, dx + 1e-6 * dx * dx))


def _nan_replaced_by_zero(rule):
    return rule._replace(f=lambda *args: jnp.nan_to_num(rule.f(*args)))


def _wrong_when_traced(rule):
    return _change_bias(lambda db: 1.001 * db if isinstance(db, Tracer) else db)(rule)


def _wrong_after_first_call(rule):
    calls = []

    def mistake(dp, dx, dy):
        calls.append(None)
        return (dp, dx) if len(calls) == 1 else (dp, 1.001 * dx)

    return _after_backward(rule, mistake)


def _constant_residuals(rule):
    """The gradient is correct, its derivative is not."""
    return rule._replace(forward=lambda *args: (rule.f(*args), lax.stop_gradient(rule.forward(*args)[1])))


def _dparams_as_tuple(rule):
    return _after_backward(rule, lambda dp, dx, dy: (tuple(dp), dx))


PLANTED = {
    "structure": _dparams_as_tuple,
    "autodiff": _bias_off_by_a_thousandth,
    "stopped": lambda rule: rule._replace(stopped=("x",)),
    "float32": _bias_rounded_to(jnp.bfloat16),
    "bfloat16": _change_bias(lambda db: db.astype(jnp.float8_e5m2).astype(db.dtype)),
    "finite differences": _bias_off_by_a_thousandth,
    "jacobian": _bias_off_by_a_thousandth,
    "batch of one": _wrong_for_batch_of_one,
    "nan": _nan_replaced_by_zero,
    "jit": _wrong_when_traced,
    "vmap": _wrong_after_first_call,
    "scan": _wrong_after_first_call,
    "shard_map": _mean_over_rows,
    "checkpoint": _wrong_after_first_call,
    "hessian": _constant_residuals,
    "forward mode": lambda rule: rule._replace(forward_mode=lambda *args: 1.001 * rule.f(*args)),
    "linearity": _quadratic_in_dy,
    "sum over examples": _mean_over_rows,
}


def test_every_law_has_a_negative_control():
    assert set(PLANTED) == set(LAWS)


@pytest.mark.parametrize("law", LAWS)
def test_law_detects_the_planted_mistake(law):
    correct = cached_case("dense: tiny")
    wrong = correct._replace(rule=PLANTED[law](correct.rule))
    assert LAWS[law].measure(correct).holds
    assert not LAWS[law].measure(wrong).holds


@pytest.mark.parametrize(
    ("name", "leaf"),
    [
        ("autodiff: integers", "x"),
        ("autodiff: integers and floats", "x.tokens"),
        ("serial: integers pass through", "x.lengths"),
    ],
)
def test_structure_law_detects_a_zero_array_for_an_integer_input(name, leaf):
    """An integer has no derivative: dx must hold None there, and no other law reads that part of dx."""
    correct = cached_case(name)

    def mistake(dp, dx, dy):
        zeros = jax.tree.map(jnp.zeros_like, correct.args[1])
        return dp, jax.tree.map(lambda zero, dleaf: zero if dleaf is None else dleaf, zeros, dx, is_leaf=_is_none)

    wrong = correct._replace(rule=_after_backward(correct.rule, mistake))
    measurement = LAWS["structure"].measure(wrong)
    assert LAWS["structure"].measure(correct).holds
    assert not measurement.holds and measurement.leaf == leaf
    assert str(measurement).startswith(f"{leaf}: expected None for int32, got int32[7]")
    assert LAWS["autodiff"].measure(wrong).holds


def _is_none(node) -> bool:
    return node is None


@pytest.mark.parametrize("dx", [None, {"tokens": None}, {"tokens": None, "values": {"a": 0.0}}])
def test_structure_law_detects_another_tree(dx):
    """None is the zero gradient of a whole argument; any other dx must have the structure of x."""
    correct = cached_case("autodiff: integers and floats")
    wrong = correct._replace(rule=_after_backward(correct.rule, lambda dp, _, dy: (dp, dx)))
    assert LAWS["structure"].measure(wrong).holds == (dx is None)


@pytest.mark.parametrize("name", ["autodiff: integers", "autodiff: integers and floats"])
def test_autodiff_law_detects_a_mistake_beside_integer_inputs(name):
    correct = cached_case(name)
    wrong = _after_backward(correct.rule, lambda dp, dx, dy: ((1.001 * dp[0],), dx))
    measurement = LAWS["autodiff"].measure(correct._replace(rule=wrong))
    assert not measurement.holds and measurement.leaf == "params.0"


def test_nan_law_detects_a_lost_nan_beside_integer_inputs():
    correct = cached_case("autodiff: integers and floats")
    assert not LAWS["nan"].measure(correct._replace(rule=_nan_replaced_by_zero(correct.rule))).holds


def test_autodiff_law_detects_a_wrong_derivative_of_a_loss():
    """The argument of a loss is called y, like the output of a layer."""
    correct = cached_case("softmax_cross_entropy: mean, labels")
    wrong = correct.rule._replace(backward=lambda dy, dvalue: (1.001 * dvalue * dy, None))
    assert not LAWS["autodiff"].measure(correct._replace(rule=wrong)).holds


@pytest.mark.parametrize("leaf", ["params.weight", "params.bias", "x"])
def test_measurement_names_leaf_and_index(leaf):
    correct = cached_case("dense: tiny")

    def mistake(dp, dx, dy):
        wrong = {"params.weight": dp.weight, "params.bias": dp.bias, "x": dx}
        wrong[leaf] = wrong[leaf].at[(1,) * wrong[leaf].ndim].multiply(1.001)
        return dp._replace(weight=wrong["params.weight"], bias=wrong["params.bias"]), wrong["x"]

    measurement = LAWS["autodiff"].measure(correct._replace(rule=_after_backward(correct.rule, mistake)))
    assert measurement.leaf == leaf
    assert set(measurement.entry) == {1}
    assert measurement.got == pytest.approx(1.001 * measurement.expected, rel=1e-9)


def test_autodiff_law_requires_exact_zeros():
    correct = cached_case("threshold")
    wrong = _after_backward(correct.rule, lambda dp, dx, dy: (dp, 1e-30 * dy))
    assert not LAWS["autodiff"].measure(correct._replace(rule=wrong)).holds


def test_laws_detect_another_shape_or_precision():
    correct = cached_case("dense: tiny")
    transposed = _after_backward(correct.rule, lambda dp, dx, dy: (dp, dx.T))
    wider = _after_backward(correct.rule, lambda dp, dx, dy: (dp, dx.astype(jnp.float32)))
    assert not LAWS["autodiff"].measure(correct._replace(rule=transposed)).holds
    assert not LAWS["bfloat16"].measure(correct._replace(rule=wider)).holds


def test_autodiff_law_detects_nan():
    correct = cached_case("dense: tiny")
    assert not LAWS["autodiff"].measure(correct._replace(rule=_change_bias(lambda db: db * np.nan)(correct.rule))).holds


def _measure_edge_cases(name: str, note: str, build) -> list:
    return [
        measure_edge_case(edge_case, lambda *args: build())
        for edge_case in EDGE_CASES
        if edge_case.public_name == name and note in edge_case.note
    ]


def _relu_with_slope_at_zero() -> Layer:
    correct = relu()
    return correct._replace(forward=lambda params, x, key: (correct.forward(params, x, key)[0], x >= 0))


def _max_pool_with_last_of_ties() -> Layer:
    """The first of equal entries in the mirrored image."""
    correct = max_pool(2)

    def forward(params, x, key):
        y, res = correct.forward(params, x[:, ::-1, ::-1], key)
        return y[:, ::-1, ::-1], res

    def backward(params, res, dy):
        return (), correct.backward(params, res, dy[:, ::-1, ::-1])[1][:, ::-1, ::-1]

    return Layer(correct.init, forward, backward)


def _with_formula(constructor, f):
    return lambda: constructor()._replace(forward=lambda params, x, key: (f(x), f(x)))


def _naive_cross_entropy() -> Loss:
    correct = softmax_cross_entropy("sum")

    def terms(y, target):
        exponential = jnp.exp(y)
        return -jnp.log((exponential / exponential.sum(-1, keepdims=True))[jnp.arange(len(y)), target])

    return correct._replace(terms=terms)


@pytest.mark.parametrize(
    ("name", "note", "planted"),
    [
        ("relu", "0 and −0", _relu_with_slope_at_zero),
        ("max_pool", "equal: the first", _max_pool_with_last_of_ties),
        ("softplus", "saturated", _with_formula(softplus, lambda x: jnp.log(1 + jnp.exp(x)))),
        ("sigmoid", "saturated", _with_formula(sigmoid, lambda x: jnp.exp(x) / (1 + jnp.exp(x)))),
        ("softmax_cross_entropy", "logits", _naive_cross_entropy),
    ],
)
def test_edge_case_detects_the_planted_mistake(name, note, planted):
    measurements = _measure_edge_cases(name, note, planted)
    assert measurements and not any(measurement.holds for measurement in measurements)


def test_autodiff_law_detects_what_check_grads_in_float32_misses():
    """The usual check does not detect a bias gradient that is wrong by 0.1 %; the law does."""
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

    planted: Case = make_case("dense", "dense", _change_bias(lambda db: 1.001 * db)(layer_rule(layer)), (params, x))
    assert not LAWS["autodiff"].measure(planted).holds
