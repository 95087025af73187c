"""The slips that docs/slips.md lists: in each case the deck's formula fails where the right one holds."""

import re
from pathlib import Path

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from jaxnn import (
    dense,
    mean_squared_error,
    mlp,
    perceptron,
    quadratic,
    serial,
    sigmoid,
    sigmoid_cross_entropy,
    softmax_cross_entropy,
    summary,
)
from jaxnn.backprop import objective, value_and_grad
from jaxnn.data import preprocess

DRAW = np.random.default_rng(0)
X, Z = jnp.asarray(DRAW.normal(size=(7, 5))), jnp.asarray(DRAW.normal(size=(7, 3)))
LABELS = DRAW.integers(3, size=7).astype(np.int32)
V = np.eye(3)[LABELS]


@pytest.fixture(autouse=True)
def promotion():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def slope(cost, at):
    return jax.grad(lambda z: cost(z).sum())(jnp.asarray(at))


def test_every_slip_of_the_page_names_a_test_of_this_file():
    page = (Path(__file__).parents[2] / "docs" / "slips.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", page))
    assert named and named == {name for name in globals() if name.startswith("test_")} - {
        "test_every_slip_of_the_page_names_a_test_of_this_file"
    }


def test_the_error_of_2017_is_that_of_the_cross_entropy():
    a = jax.nn.sigmoid(Z)
    np.testing.assert_allclose(sigmoid_cross_entropy("sum")(Z, LABELS)[1], a - V, atol=1e-12)
    true = slope(lambda z: 0.5 * (jax.nn.sigmoid(z) - V) ** 2, Z)
    np.testing.assert_allclose(true, (a - V) * a * (1 - a), atol=1e-12)
    assert np.abs(true - (a - V)).max() > 0.1


def test_the_net_has_23_860_parameters():
    found = summary(mlp([30, 10], sigmoid()), jax.ShapeDtypeStruct((1, 784), "float32")).parameters
    assert found == (784 + 1) * 30 + (30 + 1) * 10 == 23_860 != (784 + 1) * 30 + (10 + 1) * 2


def test_a_weight_gradient_has_a_transpose_and_sums_over_examples():
    layer = dense(3)
    params = layer.init(jax.random.key(0), X)
    (dweight, dbias), _ = layer.backward(params, X, Z)
    auto = jax.grad(lambda p: (layer.forward(p, X, None)[0] * Z).sum())(params)
    np.testing.assert_allclose(dweight, X.T @ Z, atol=1e-12)
    np.testing.assert_allclose(dbias, Z.sum(axis=0), atol=1e-12)
    np.testing.assert_allclose(dweight, auto.weight, atol=1e-12)
    with pytest.raises(TypeError, match="incompatible shapes"):
        _ = X * Z


def test_adding_the_gradient_climbs():
    model, loss = serial(dense(3), sigmoid()), quadratic()
    params = model.init(jax.random.key(0), X)
    (value, _), dparams = value_and_grad(model, loss)(params, X, LABELS)
    cost = [
        float(objective(model, loss)(jax.tree.map(lambda p, d, s=s: p + s * 0.1 * d, params, dparams), X, LABELS)[0])
        for s in (1, -1)
    ]
    assert cost[0] > float(value) > cost[1]


def test_sigma_minus_y_is_the_logits_derivative():
    def cost(o):
        return -(V * jnp.log(o) + (1 - V) * jnp.log(1 - o))

    o = jax.nn.sigmoid(Z)
    np.testing.assert_allclose(slope(lambda z: cost(jax.nn.sigmoid(z)), Z), o - V, atol=1e-12)
    np.testing.assert_allclose(slope(cost, o), (o - V) / (o * (1 - o)), atol=1e-9)
    assert np.abs(slope(cost, o) - (jax.nn.sigmoid(o) - V)).max() > 0.1


def test_division_alone_does_not_whiten():
    x = (DRAW.normal(size=(300, 2)) @ [[3.0, 1.2], [0.0, 0.6]] + [6.0, -3.0]).astype(np.float32)
    right = np.asarray(preprocess.apply(preprocess.fit("whiten", x, 1.0), x))
    np.testing.assert_allclose(np.cov(right.T, bias=True), np.eye(2), atol=1e-5)
    values = np.linalg.svd(np.cov(x.T, bias=True))[1]
    divided = (x - x.mean(axis=0)) / (np.sqrt(values) + 1e-8)
    assert np.abs(np.cov(divided.T, bias=True) - np.eye(2)).max() > 0.1


def test_one_step_size_means_different_steps():
    a = jax.nn.sigmoid(Z)
    summed, mean = quadratic("sum")(a, LABELS)[1], mean_squared_error()(a, LABELS)[1]
    np.testing.assert_allclose(summed, a.size / 2 * mean, atol=1e-12)


def test_softmax_goes_with_the_categorical_form():
    a = jax.nn.softmax(Z)
    np.testing.assert_allclose(softmax_cross_entropy("sum")(Z, LABELS)[1], a - V, atol=1e-12)

    def binary(z):
        a = jax.nn.softmax(z)
        return -(V * jnp.log(a) + (1 - V) * jnp.log(1 - a))

    assert np.abs(slope(binary, Z) - (a - V)).max() > 0.05


def test_the_perceptron_rule_is_the_descent_of_its_own_criterion():
    z, target = jnp.asarray(DRAW.normal(size=(7, 1))), DRAW.integers(2, size=7).astype(np.int32)
    y = (z >= 0).astype(float)
    np.testing.assert_array_equal(perceptron("sum")(z, target)[1], y - target[:, None])
    step = slope(lambda z: 0.5 * ((z >= 0).astype(float) - target[:, None]) ** 2, z)
    assert (step == 0).all()
    np.testing.assert_array_equal(slope(lambda z: perceptron().terms(z, target), z), y - target[:, None])
