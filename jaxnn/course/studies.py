"""What the course shows as figures: activations, costs, preprocessing, gradients, each as arrays and as numbers."""

from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from jax import numpy as jnp

from jaxnn.backprop import objective, value_and_grad
from jaxnn.combine import serial
from jaxnn.data import preprocess
from jaxnn.initializers import Init
from jaxnn.layer import Layer, Params
from jaxnn.layers import LAYERS, dense, flatten, sigmoid, softmax
from jaxnn.losses import quadratic, sigmoid_cross_entropy, softmax_cross_entropy

#: The functions that the decks name, and those that came after.
ACTIVATIONS = ("sigmoid", "relu", "softplus", "tanh", "leaky_relu", "elu", "gelu", "silu")


def _activation(name: str) -> Layer:
    constructors: dict[str, Any] = LAYERS
    return constructors[name]()


def activations() -> tuple[np.ndarray, dict[str, tuple[np.ndarray, np.ndarray]], float]:
    """z, each function's values and hand-derived slopes, and the greatest distance of a slope from autodiff's.

    softmax is drawn as its first output, the other input at 0: the sigmoid, with softmax's own derivative.
    """
    z = np.linspace(-5, 5, 401)
    found = jax.device_get(jax.jit(_slopes)(jnp.asarray(z)))
    worst = max(float(np.abs(slope - auto)[z != 0].max()) for _, slope, auto in found.values())
    # jit gives a dict back in alphabetical order; the course begins with the sigmoid.
    order = sorted(found, key=lambda name: ACTIVATIONS.index(name) if name in ACTIVATIONS else len(ACTIVATIONS))
    return z, {name: found[name][:2] for name in order}, worst


def _slopes(z: jax.Array) -> dict[str, tuple[jax.Array, jax.Array, jax.Array]]:
    """name -> each function's values, its slopes by hand and by autodiff."""
    found = {}
    for name in ACTIVATIONS:
        layer = _activation(name)
        y, res = layer.forward((), z, None)
        auto = jax.grad(lambda z, layer=layer: layer.forward((), z, None)[0].sum())(z)
        found[name] = y, layer.backward((), res, jnp.ones_like(y))[1], auto
    pair, both = jnp.stack([z, jnp.zeros_like(z)], axis=-1), softmax()
    y, res = both.forward((), pair, None)
    dy = jnp.zeros_like(y).at[:, 0].set(1)
    auto = jax.grad(lambda pair: both.forward((), pair, None)[0][:, 0].sum())(pair)
    found["softmax of (z, 0)"] = y[:, 0], both.backward((), res, dy)[1][:, 0], auto[:, 0]
    return found


class Saturated(NamedTuple):
    """A neuron whose output is to become 0 and begins near 1: its output and gradient norm (epochs,) by cost."""

    epoch: np.ndarray
    output: dict[str, np.ndarray]
    gradient: dict[str, np.ndarray]

    def halved(self, name: str) -> int:
        """The first epoch after which the output is below one half."""
        return int(np.argmax(self.output[name] < 0.5))


def saturated(epochs: int = 300, rate: float = 0.15, start: float = 2.0) -> Saturated:
    """x = 1, target 0, w = b = `start`: Nielsen's example, to which the decks refer.

    The quadratic cost's gradient has the factor σ′(z), next to nothing where the neuron is surely wrong; the
    cross-entropy's has not.
    """
    nets = {
        "quadratic": (serial(dense(1), sigmoid()), quadratic()),
        "cross-entropy": (serial(dense(1)), sigmoid_cross_entropy()),
    }
    x, target = jnp.ones((1, 1)), jnp.zeros((1, 1))
    output, gradient = {}, {}
    for name, (model, loss) in nets.items():
        params = jax.tree.map(lambda a: jnp.full(a.shape, start, a.dtype), model.init(jax.random.key(0), x))
        slope = value_and_grad(model, loss)

        def step(params, _, slope=slope, loss=loss):
            (_, y), dparams = slope(params, x, target)
            seen = loss.probabilities(y)[0, 0], optax.global_norm(dparams)
            return jax.tree.map(lambda p, d: p - rate * d, params, dparams), seen

        _, (output[name], gradient[name]) = jax.lax.scan(step, params, length=epochs)
    plain = [{k: np.asarray(v) for k, v in part.items()} for part in (output, gradient)]
    return Saturated(np.arange(epochs), *plain)


def clouds(n: int = 400) -> tuple[dict[str, np.ndarray], float]:
    """A slanted cloud far from the origin, raw and as each preprocessing makes it; and how far the whitened
    covariance is from the identity."""
    draw = np.random.default_rng(0)
    x = (draw.normal(size=(n, 2)) @ np.array([[3.0, 1.2], [0.0, 0.6]]) + [6.0, -3.0]).astype(np.float32)
    names = ("none", "center", "normalize", "whiten")
    found = {name: np.asarray(preprocess.apply(preprocess.fit(name, x, 1.0), x)) for name in names}
    away = float(np.abs(np.cov(found["whiten"].T, bias=True) - np.eye(2)).max())
    return {"raw" if k == "none" else k: v for k, v in found.items()}, away


def deep_net(activation: str, weight_init: Init, depth: int = 6, units: int = 30) -> Layer:
    """`depth` hidden layers of one kind over the digits."""
    hidden = [p for _ in range(depth) for p in (dense(units, weight_init), _activation(activation))]
    return serial(flatten(), *hidden, dense(10, weight_init))


#: Two ways for gradients to vanish, a way for them to explode (under any larger step all is NaN at once), and one that
#: keeps them: activation, initial weights, step.
DEEP: dict[str, tuple[str, Init, float]] = {
    "sigmoid, N(0, 1/n)": ("sigmoid", "lecun_normal", 0.01),
    "tanh, N(0, 0.01²)": ("tanh", {"name": "normal", "stddev": 0.01}, 0.01),
    "relu, N(0, ½²)": ("relu", {"name": "normal", "stddev": 0.5}, 1e-5),
    "relu, He": ("relu", "he_normal", 0.01),
}


def gradient_norms(x, y, activation: str, weight_init: Init, rate: float, *, epochs: int, batch: int = 50):
    """(epochs + 1,) and layer -> norm of its weights' gradient over the whole of (x, y), before each epoch.

    x: prepared inputs; y: labels. The net is trained by SGD in between.
    """
    model, loss = deep_net(activation, weight_init), softmax_cross_entropy()
    slope, n = value_and_grad(model, loss), len(y) // batch * batch
    params = model.init(jax.random.key(0), x[:1])

    def norms(params: Params):
        weights = [p.weight for p in slope(params, x, y)[1] if hasattr(p, "weight")]
        return jnp.stack([jnp.linalg.norm(w) for w in weights])

    def epoch(params, key):
        rows = jax.random.permutation(key, len(y))[:n].reshape(-1, batch)

        def step(params, rows):
            _, dparams = slope(params, x[rows], y[rows])
            return jax.tree.map(lambda p, d: p - rate * d, params, dparams), None

        return jax.lax.scan(step, params, rows)[0], norms(params)

    last, found = jax.jit(lambda p, keys: jax.lax.scan(epoch, p, keys))(
        params, jax.random.split(jax.random.key(1), epochs)
    )
    found = np.concatenate([np.asarray(found), np.asarray(jax.jit(norms)(last))[None]])
    return np.arange(epochs + 1), {f"layer {i + 1}": found[:, i] for i in range(found.shape[1])}


def dense_gradients() -> dict[str, float]:
    """The relative distance of a dense layer's hand-derived dW, db and dx from what autodiff finds."""
    layer, loss = dense(5), quadratic("sum")
    draw = np.random.default_rng(0)
    x, target = (jnp.asarray(draw.normal(size=shape)) for shape in ((7, 3), (7, 5)))
    params = layer.init(jax.random.key(0), x)

    @jax.jit
    def both(params, x):
        y, res = layer.forward(params, x, None)
        by_hand = layer.backward(params, res, loss(y, target)[1])
        return by_hand, jax.grad(lambda p, x: objective(layer, loss)(p, x, target)[0], argnums=(0, 1))(params, x)

    pairs = zip(("dW", "db", "dx"), *(jax.tree.leaves(found) for found in both(params, x)), strict=True)
    return {name: float(np.linalg.norm(h - a) / np.linalg.norm(a)) for name, h, a in pairs}
