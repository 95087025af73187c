"""The computations behind the course's figures without a config: activations, costs, preprocessing, gradients.

Each study returns arrays and numbers; `jaxnn.course.figures` draws them.
"""

from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from jax import numpy as jnp

from jaxnn.backprop import objective, value_and_grad
from jaxnn.combine import serial
from jaxnn.data import preprocess
from jaxnn.initializers import Init
from jaxnn.kernels.array_types import AnyArray
from jaxnn.layer import Layer, Params
from jaxnn.layers import LAYERS, dense, flatten, sigmoid, softmax
from jaxnn.losses import prediction_of, quadratic, sigmoid_cross_entropy, softmax_cross_entropy

#: The activation functions that the decks name, and newer ones.
ACTIVATIONS = ("sigmoid", "relu", "softplus", "tanh", "leaky_relu", "elu", "gelu", "silu")


def _activation(name: str) -> Layer:
    constructors: dict[str, Any] = LAYERS
    return constructors[name]()


def activation_curves() -> tuple[np.ndarray, dict[str, tuple[np.ndarray, np.ndarray]], float]:
    """z, the values and hand-written derivatives of each function, and their greatest difference from autodiff.

    softmax is drawn as its first output while the other input is 0, with softmax's own derivative: a sigmoid.
    """
    z = np.linspace(-5, 5, 401)
    curves = jax.device_get(jax.jit(_activation_derivatives)(jnp.asarray(z)))
    greatest = max(float(np.abs(slope - autodiff)[z != 0].max()) for _, slope, autodiff in curves.values())
    # jit returns a dict in alphabetical order; the course begins with the sigmoid.
    order = sorted(curves, key=lambda name: ACTIVATIONS.index(name) if name in ACTIVATIONS else len(ACTIVATIONS))
    return z, {name: curves[name][:2] for name in order}, greatest


def _activation_derivatives(z: jax.Array) -> dict[str, tuple[jax.Array, jax.Array, jax.Array]]:
    """name -> values, hand-written derivatives and autodiff's derivatives of each function."""
    curves = {}
    for name in ACTIVATIONS:
        layer = _activation(name)
        y, res = layer.forward((), z, None)
        autodiff = jax.grad(lambda z, layer=layer: layer.forward((), z, None)[0].sum())(z)
        curves[name] = y, layer.backward((), res, jnp.ones_like(y))[1], autodiff
    logits, layer = jnp.stack([z, jnp.zeros_like(z)], axis=-1), softmax()
    y, res = layer.forward((), logits, None)
    dy = jnp.zeros_like(y).at[:, 0].set(1)
    autodiff = jax.grad(lambda logits: layer.forward((), logits, None)[0][:, 0].sum())(logits)
    curves["softmax of (z, 0)"] = y[:, 0], layer.backward((), res, dy)[1][:, 0], autodiff[:, 0]
    return curves


class SaturatedNeuron(NamedTuple):
    """The output and gradient norm (epochs,) of a neuron with target 0 that starts near 1, for each cost."""

    epoch: np.ndarray
    output: dict[str, np.ndarray]
    gradient: dict[str, np.ndarray]

    def epochs_to_half(self, cost: str) -> int:
        """The first epoch after which the output is below one half."""
        return int(np.argmax(self.output[cost] < 0.5))


def saturated_neuron(epochs: int = 300, learning_rate: float = 0.15, start: float = 2.0) -> SaturatedNeuron:
    """Trains one neuron from w = b = `start` on x = 1, target 0: Nielsen's example, to which the decks refer.

    The gradient of the quadratic cost has the factor σ′(z), which is almost 0 where the neuron is saturated. The
    gradient of the cross-entropy does not have this factor.
    """
    nets = {
        "quadratic": (serial(dense(1), sigmoid()), quadratic()),
        "cross-entropy": (serial(dense(1)), sigmoid_cross_entropy()),
    }
    x, target = jnp.ones((1, 1)), jnp.zeros((1, 1))
    output, gradient = {}, {}
    for name, (model, loss) in nets.items():
        params = jax.tree.map(lambda a: jnp.full(a.shape, start, a.dtype), model.init(jax.random.key(0), x))
        grad = value_and_grad(model, loss)

        def step(params, _, grad=grad, loss=loss):
            (_, y), dparams = grad(params, x, target)
            row = prediction_of(loss)(y)[0, 0], optax.tree.norm(dparams)
            return jax.tree.map(lambda p, d: p - learning_rate * d, params, dparams), row

        _, (output[name], gradient[name]) = jax.lax.scan(step, params, length=epochs)
    curves = [{name: np.asarray(curve) for name, curve in by_cost.items()} for by_cost in (output, gradient)]
    return SaturatedNeuron(np.arange(epochs), *curves)


def preprocessed_clouds(n: int = 400) -> tuple[dict[str, np.ndarray], float]:
    """A correlated cloud of points far from the origin, raw and after each preprocessing.

    The number is the greatest difference between the covariance of the whitened cloud and the identity.
    """
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(n, 2)) @ np.array([[3.0, 1.2], [0.0, 0.6]]) + [6.0, -3.0]).astype(np.float32)
    names = ("none", "center", "normalize", "whiten")
    clouds = {name: np.asarray(preprocess.apply(preprocess.fit(name, x, 1.0), x)) for name in names}
    error = float(np.abs(np.cov(clouds["whiten"].T, bias=True) - np.eye(2)).max())
    return {"raw" if name == "none" else name: cloud for name, cloud in clouds.items()}, error


def deep_net(activation: str, weight_init: Init, depth: int = 6, units: int = 30) -> Layer:
    """A classifier of digits with `depth` equal hidden layers."""
    hidden = [layer for _ in range(depth) for layer in (dense(units, weight_init), _activation(activation))]
    return serial(flatten(), *hidden, dense(10, weight_init))


#: name -> activation, initial weights, learning rate. In the first two nets gradients vanish, in the third they explode
#: (with a larger learning rate all parameters are NaN at once), in the fourth they keep their size.
DEEP_NETS: dict[str, tuple[str, Init, float]] = {
    "sigmoid, N(0, 1/n)": ("sigmoid", "lecun_normal", 0.01),
    "tanh, N(0, 0.01²)": ("tanh", {"name": "normal", "stddev": 0.01}, 0.01),
    "relu, N(0, ½²)": ("relu", {"name": "normal", "stddev": 0.5}, 1e-5),
    "relu, He": ("relu", "he_normal", 0.01),
}


def gradient_norms(
    x: AnyArray,
    y: AnyArray,
    activation: str,
    weight_init: Init,
    learning_rate: float,
    *,
    epochs: int,
    batch: int = 50,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Trains a `deep_net` by SGD and measures the norm of each layer's weight gradient over the whole of (x, y).

    x: preprocessed inputs; y: labels. Returns the epochs (epochs + 1,) and layer -> norms before each epoch and after
    the last one.
    """
    model, loss = deep_net(activation, weight_init), softmax_cross_entropy()
    grad, n = value_and_grad(model, loss), len(y) // batch * batch
    params = model.init(jax.random.key(0), x[:1])

    def layer_norms(params: Params):
        weights = [p.weight for p in grad(params, x, y)[1] if hasattr(p, "weight")]
        return jnp.stack([jnp.linalg.norm(w) for w in weights])

    def epoch(params, key):
        batches = jax.random.permutation(key, len(y))[:n].reshape(-1, batch)

        def step(params, rows):
            _, dparams = grad(params, x[rows], y[rows])
            return jax.tree.map(lambda p, d: p - learning_rate * d, params, dparams), None

        return jax.lax.scan(step, params, batches)[0], layer_norms(params)

    keys = jax.random.split(jax.random.key(1), epochs)
    last, norms = jax.jit(lambda params, keys: jax.lax.scan(epoch, params, keys))(params, keys)
    norms = np.concatenate([np.asarray(norms), np.asarray(jax.jit(layer_norms)(last))[None]])
    return np.arange(epochs + 1), {f"layer {i + 1}": norms[:, i] for i in range(norms.shape[1])}


def dense_gradient_errors() -> dict[str, float]:
    """The relative difference between a dense layer's hand-written dW, db and dx and those of autodiff."""
    layer, loss = dense(5), quadratic("sum")
    rng = np.random.default_rng(0)
    x, target = (jnp.asarray(rng.normal(size=shape)) for shape in ((7, 3), (7, 5)))
    params = layer.init(jax.random.key(0), x)

    @jax.jit
    def gradients(params, x):
        y, res = layer.forward(params, x, None)
        hand_written = layer.backward(params, res, loss(y, target)[1])
        cost = objective(layer, loss)
        return hand_written, jax.grad(lambda p, x: cost(p, x, target)[0], argnums=(0, 1))(params, x)

    pairs = zip(("dW", "db", "dx"), *(jax.tree.leaves(grads) for grads in gradients(params, x)), strict=True)
    return {name: float(np.linalg.norm(h - a) / np.linalg.norm(a)) for name, h, a in pairs}
