"""Equinox, after its MNIST example: a module of one example, `vmap`, `filter_value_and_grad`, `filter_jit`."""

import equinox as eqx
import jax
import optax
from jax import numpy as jnp

from benchmarks.contestants.batches import batches
from benchmarks.digits import digits
from benchmarks.runner import Contestant, Workload


def net(name: str, key):
    a, b, c = jax.random.split(key, 3)
    flat, tanh, sigmoid = (eqx.nn.Lambda(f) for f in (jnp.ravel, jnp.tanh, jax.nn.sigmoid))
    if name == "mlp_sigmoid":
        layers = [flat, eqx.nn.Linear(784, 30, key=a), sigmoid, eqx.nn.Linear(30, 10, key=b), sigmoid]
    elif name == "mlp_tanh":
        layers = [flat, eqx.nn.Linear(784, 30, key=a), tanh, eqx.nn.Linear(30, 10, key=b)]
    else:
        layers = [
            eqx.nn.Conv2d(1, 20, 5, key=a),
            eqx.nn.Lambda(jax.nn.relu),
            eqx.nn.MaxPool2d(2, 2),
            flat,
            eqx.nn.Linear(2880, 100, key=b),
            tanh,
            eqx.nn.Linear(100, 10, key=c),
        ]
    return eqx.nn.Sequential(layers)


class Loop:
    def __init__(self, workload: Workload):
        data = digits(workload.examples)
        data = data._replace(x=data.x.transpose(0, 3, 1, 2), test_x=data.test_x.transpose(0, 3, 1, 2))
        self.batches, self.test_x, self.test_y = batches(workload, data), data.test_x, data.test_y
        self.model, optimizer = net(workload.net, jax.random.key(0)), optax.sgd(workload.learning_rate)
        self.state = optimizer.init(eqx.filter(self.model, eqx.is_array))
        squared = workload.net == "mlp_sigmoid"

        def loss(model, x, y):
            out = jax.vmap(model)(x)
            if squared:
                return jnp.mean((out - jax.nn.one_hot(y, 10)) ** 2)
            return optax.softmax_cross_entropy_with_integer_labels(out, y).mean()

        @eqx.filter_jit
        def make_step(model, state, x, y):
            value, grads = eqx.filter_value_and_grad(loss)(model, x, y)
            updates, state = optimizer.update(grads, state)
            return eqx.apply_updates(model, updates), state, value

        self.step, self.loss = make_step, loss

    def train(self, steps: int) -> None:
        for _ in range(steps):
            self.model, self.state, value = self.step(self.model, self.state, *next(self.batches))
        value.block_until_ready()

    def test(self) -> tuple[float, float]:
        out = jax.vmap(self.model)(jnp.asarray(self.test_x))
        loss = self.loss(self.model, jnp.asarray(self.test_x), self.test_y)
        return float(loss), float((out.argmax(1) == self.test_y).mean())


def loop(workload: Workload) -> Contestant:
    return Loop(workload)
