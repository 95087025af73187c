"""An argument of the wrong kind (a constructor, a loss, a list, other parameters) is refused in one line."""

from typing import Any

import jax
import numpy as np
import optax
import pytest
from jax import numpy as jnp

import jaxnn
from jaxnn import UserError
from jaxnn.certify import certify
from jaxnn.layers import LAYERS
from jaxnn.losses import LOSSES

pytestmark = pytest.mark.usefixtures("without_annotation_checks")

#: The library without its types, since every call here is of a wrong one.
api: Any = jaxnn
X = jnp.ones((3, 5), jnp.float32)
MODEL, LOSS = jaxnn.serial(jaxnn.dense(4), jaxnn.tanh(), jaxnn.dense(2)), jaxnn.quadratic()
PARAMS = MODEL.init(jax.random.key(0), X)
UPDATE = jaxnn.supervised(MODEL, LOSS, optax.sgd(0.1))
SOURCE = jaxnn.in_memory(np.ones((3, 5), np.float32), np.zeros(3, np.int32))

#: Functions of a layer.
TAKES_LAYER = {
    "serial": lambda layer: jaxnn.serial(jaxnn.dense(3), layer),
    "serial by name": lambda layer: jaxnn.serial(body=jaxnn.dense(3), bend=layer),
    "parallel": lambda layer: jaxnn.parallel(layer, jaxnn.dense(3)),
    "residual": jaxnn.residual,
    "recompute": jaxnn.recompute,
    "with_input": jaxnn.with_input,
    "mlp": lambda layer: jaxnn.mlp([3], layer),
    "compute_in": lambda layer: jaxnn.compute_in(layer, "bfloat16"),
    "custom_vjp": jaxnn.custom_vjp,
    "value_and_grad": lambda layer: jaxnn.value_and_grad(layer, LOSS),
    "autodiff_value_and_grad": lambda layer: jaxnn.autodiff_value_and_grad(layer, LOSS),
    "objective": lambda layer: jaxnn.objective(layer, LOSS),
    "summary": lambda layer: jaxnn.summary(layer, X),
    "activations": lambda layer: jaxnn.activations(layer, PARAMS, X),
    "gradients": lambda layer: jaxnn.gradients(layer, LOSS, PARAMS, X, X[:, :2]),
    "certify": lambda layer: certify(layer, X),
    "supervised": lambda layer: jaxnn.supervised(layer, LOSS, optax.sgd(0.1)),
}
NO_LAYERS = [*LAYERS.values(), jaxnn.mlp, LOSS, jaxnn.quadratic, jnp.tanh, "tanh", None, [jaxnn.tanh()], X]

TAKES_LOSS = {
    "value_and_grad": lambda loss: jaxnn.value_and_grad(MODEL, loss),
    "autodiff_value_and_grad": lambda loss: jaxnn.autodiff_value_and_grad(MODEL, loss),
    "objective": lambda loss: jaxnn.objective(MODEL, loss),
    "gradients": lambda loss: jaxnn.gradients(MODEL, loss, PARAMS, X, X[:, :2]),
    "supervised": lambda loss: jaxnn.supervised(MODEL, loss, optax.sgd(0.1)),
}
NO_LOSSES = [*LOSSES.values(), MODEL, "quadratic", None, 3.0, X]

OTHERS = {
    "share of a layer": lambda: api.share(api.dense(3)),
    "share of a constructor": lambda: api.share("a", api.dense),
    "autodiff of a layer": lambda: api.autodiff(api.tanh(), lambda params, x, key: x),
    "autodiff without apply": lambda: api.autodiff(lambda key, x: (), None),
    "optimizer by name": lambda: api.supervised(MODEL, LOSS, "sgd"),
    "optimizer not called": lambda: api.supervised(MODEL, LOSS, optax.sgd),
    "fit of a model": lambda: api.fit(MODEL),
    "fit of an update": lambda: api.fit(UPDATE),
    "experiment of a model": lambda: api.Experiment(MODEL, SOURCE, api.Plan(1)).check(),
    "experiment of arrays": lambda: api.Experiment(UPDATE, X, api.Plan(1)).check(),
    "experiment of epochs": lambda: api.Experiment(UPDATE, SOURCE, 3).check(),
    "params of another model": lambda: MODEL.apply(api.dense(4).init(jax.random.key(0), X), X),
    "params of fewer layers": lambda: MODEL.apply(PARAMS[:2], X),
    "params by names": lambda: MODEL.apply(dict(enumerate(PARAMS)), X),
    "params of a named model": lambda: api.serial(a=api.dense(2)).apply(PARAMS[:1], X),
    "params with a name too many": lambda: api.serial(a=api.tanh()).apply({"a": (), "b": ()}, X),
    "params left out": lambda: MODEL.apply((), X),
    "a list as x": lambda: MODEL.apply(PARAMS, [[1.0] * 5]),
    "text as x": lambda: MODEL.apply(PARAMS, "text"),
    "integers as x": lambda: MODEL.apply(PARAMS, jnp.ones((3, 5), int)),
    "a list in init": lambda: MODEL.init(jax.random.key(0), [[1.0] * 5]),
    "a list in activations": lambda: api.activations(MODEL, PARAMS, [[1.0] * 5]),
    "a list in summary": lambda: api.summary(MODEL, [[1.0] * 5]),
    "a list in certify": lambda: certify(MODEL, [[1.0] * 5]),
    "a list as labels": lambda: api.quadratic()(X[:, :2], [0, 1, 1]),
    "a list as labels of accuracy": lambda: api.accuracy(X[:, :2], [0, 1, 1]),
    "a list as labels of value_and_grad": lambda: api.value_and_grad(MODEL, LOSS)(PARAMS, X, [0, 1, 1]),
    "a list as labels of a source": lambda: api.in_memory(X, [0, 1, 1]),
    "x of another width": lambda: api.gradients(MODEL, LOSS, PARAMS, X[:, :4], X[:, :2]),
    "a single example": lambda: MODEL.apply(PARAMS, X[0]),
}


@pytest.mark.parametrize("value", NO_LAYERS, ids=lambda value: str(getattr(value, "__name__", type(value).__name__)))
@pytest.mark.parametrize("name", TAKES_LAYER)
def test_what_is_no_layer_is_refused(name, value):
    with pytest.raises(UserError, match="expected a layer, found") as error:
        TAKES_LAYER[name](value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", NO_LOSSES, ids=lambda value: str(getattr(value, "__name__", type(value).__name__)))
@pytest.mark.parametrize("name", TAKES_LOSS)
def test_what_is_no_loss_is_refused(name, value):
    with pytest.raises(UserError, match="expected a loss, found") as error:
        TAKES_LOSS[name](value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", OTHERS)
def test_argument_of_another_kind_is_refused(name):
    with pytest.raises(UserError, match=r"expected .* found") as error:
        OTHERS[name]()
    assert "\n" not in str(error.value)


def test_message_says_that_a_call_is_missing():
    with pytest.raises(UserError) as error:
        api.serial(jaxnn.dense(3), jaxnn.tanh)
    assert str(error.value) == (
        "serial: argument 1: expected a layer, found the function tanh, which is not called: write tanh(…)"
    )


def test_a_plain_function_is_a_loss():
    def half(y, target):
        return 0.5 * ((y - target) ** 2).sum(), y - target

    (value, _), _ = jaxnn.value_and_grad(MODEL, half)(PARAMS, X, X[:, :2])
    assert np.isfinite(value)
