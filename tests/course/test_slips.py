"""The slips that docs/slips.md lists: the deck's formula fails and the correct one holds."""

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

RNG = np.random.default_rng(0)
X, Z = jnp.asarray(RNG.normal(size=(7, 5))), jnp.asarray(RNG.normal(size=(7, 3)))
LABELS = RNG.integers(3, size=7).astype(np.int32)
V = np.eye(3)[LABELS]


@pytest.fixture(autouse=True)
def standard_promotion():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def derivative(cost, z):
    return jax.grad(lambda z: cost(z).sum())(jnp.asarray(z))


def test_slips_page_names_every_test_of_this_file():
    page = (Path(__file__).parents[2] / "docs" / "slips.md").read_text()
    cited = set(re.findall(r"`(test_\w+)`", page))
    assert cited and cited == {name for name in globals() if name.startswith("test_")} - {
        "test_slips_page_names_every_test_of_this_file"
    }


def test_output_error_of_2017_is_the_cross_entropy_derivative():
    a = jax.nn.sigmoid(Z)
    np.testing.assert_allclose(sigmoid_cross_entropy("sum")(Z, LABELS)[1], a - V, atol=1e-12)
    correct = derivative(lambda z: 0.5 * (jax.nn.sigmoid(z) - V) ** 2, Z)
    np.testing.assert_allclose(correct, (a - V) * a * (1 - a), atol=1e-12)
    assert np.abs(correct - (a - V)).max() > 0.1


def test_mlp_784_30_10_has_23860_parameters():
    count = summary(mlp([30, 10], sigmoid()), jax.ShapeDtypeStruct((1, 784), "float32")).parameters
    assert count == (784 + 1) * 30 + (30 + 1) * 10 == 23_860 != (784 + 1) * 30 + (10 + 1) * 2


def test_weight_gradient_is_transposed_and_summed_over_examples():
    layer = dense(3)
    params = layer.init(jax.random.key(0), X)
    (dweight, dbias), _ = layer.backward(params, X, Z)
    autodiff = jax.grad(lambda p: (layer.forward(p, X, None)[0] * Z).sum())(params)
    np.testing.assert_allclose(dweight, X.T @ Z, atol=1e-12)
    np.testing.assert_allclose(dbias, Z.sum(axis=0), atol=1e-12)
    np.testing.assert_allclose(dweight, autodiff.weight, atol=1e-12)
    with pytest.raises(TypeError, match="incompatible shapes"):
        _ = X * Z


def test_adding_the_gradient_increases_the_cost():
    model, loss = serial(dense(3), sigmoid()), quadratic()
    params = model.init(jax.random.key(0), X)
    (value, _), dparams = value_and_grad(model, loss)(params, X, LABELS)
    cost = [
        float(objective(model, loss)(jax.tree.map(lambda p, d, s=s: p + s * 0.1 * d, params, dparams), X, LABELS)[0])
        for s in (1, -1)
    ]
    assert cost[0] > float(value) > cost[1]


def test_sigma_minus_y_is_the_derivative_by_the_logit():
    def cost(o):
        return -(V * jnp.log(o) + (1 - V) * jnp.log(1 - o))

    o = jax.nn.sigmoid(Z)
    np.testing.assert_allclose(derivative(lambda z: cost(jax.nn.sigmoid(z)), Z), o - V, atol=1e-12)
    np.testing.assert_allclose(derivative(cost, o), (o - V) / (o * (1 - o)), atol=1e-9)
    assert np.abs(derivative(cost, o) - (jax.nn.sigmoid(o) - V)).max() > 0.1


def test_whitening_needs_a_rotation():
    x = (RNG.normal(size=(300, 2)) @ [[3.0, 1.2], [0.0, 0.6]] + [6.0, -3.0]).astype(np.float32)
    whitened = np.asarray(preprocess.apply(preprocess.fit("whiten", x, 1.0), x))
    np.testing.assert_allclose(np.cov(whitened.T, bias=True), np.eye(2), atol=1e-5)
    values = np.linalg.svd(np.cov(x.T, bias=True))[1]
    divided = (x - x.mean(axis=0)) / (np.sqrt(values) + 1e-8)
    assert np.abs(np.cov(divided.T, bias=True) - np.eye(2)).max() > 0.1


def test_sum_and_mean_losses_differ_by_a_factor():
    a = jax.nn.sigmoid(Z)
    summed, mean = quadratic("sum")(a, LABELS)[1], mean_squared_error()(a, LABELS)[1]
    np.testing.assert_allclose(summed, a.size / 2 * mean, atol=1e-12)


def test_softmax_derivative_is_that_of_the_categorical_form():
    a = jax.nn.softmax(Z)
    np.testing.assert_allclose(softmax_cross_entropy("sum")(Z, LABELS)[1], a - V, atol=1e-12)

    def binary(z):
        a = jax.nn.softmax(z)
        return -(V * jnp.log(a) + (1 - V) * jnp.log(1 - a))

    assert np.abs(derivative(binary, Z) - (a - V)).max() > 0.05


def test_perceptron_rule_is_the_descent_of_its_own_criterion():
    z, target = jnp.asarray(RNG.normal(size=(7, 1))), RNG.integers(2, size=7).astype(np.int32)
    y = (z >= 0).astype(float)
    np.testing.assert_array_equal(perceptron("sum")(z, target)[1], y - target[:, None])
    step = derivative(lambda z: 0.5 * ((z >= 0).astype(float) - target[:, None]) ** 2, z)
    assert (step == 0).all()
    np.testing.assert_array_equal(derivative(lambda z: perceptron().terms(z, target), z), y - target[:, None])
