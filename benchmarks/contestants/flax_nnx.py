"""Flax NNX: a module, `nnx.Optimizer`, a jitted step with a cached graph, as in its performance guide."""

import jax
import optax
from flax import nnx
from jax import numpy as jnp

from benchmarks.contestants.batches import batches
from benchmarks.digits import digits
from benchmarks.runner import Contestant, Workload


class MLP(nnx.Module):
    def __init__(self, activation, last, rngs: nnx.Rngs):
        self.hidden, self.out = nnx.Linear(784, 30, rngs=rngs), nnx.Linear(30, 10, rngs=rngs)
        self.activation, self.last = activation, last

    def __call__(self, x):
        return self.last(self.out(self.activation(self.hidden(x.reshape(len(x), -1)))))


class CNN(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.conv = nnx.Conv(1, 20, (5, 5), padding="VALID", rngs=rngs)
        self.hidden, self.out = nnx.Linear(2880, 100, rngs=rngs), nnx.Linear(100, 10, rngs=rngs)

    def __call__(self, x):
        x = nnx.max_pool(nnx.relu(self.conv(x)), (2, 2), strides=(2, 2))
        return self.out(nnx.tanh(self.hidden(x.reshape(len(x), -1))))


NETS = {
    "mlp_sigmoid": lambda: MLP(nnx.sigmoid, nnx.sigmoid, nnx.Rngs(0)),
    "mlp_tanh": lambda: MLP(nnx.tanh, lambda y: y, nnx.Rngs(0)),
    "cnn": lambda: CNN(nnx.Rngs(0)),
}


def squared_error(out, y):
    return jnp.mean((out - jax.nn.one_hot(y, 10)) ** 2)


def cross_entropy(out, y):
    return optax.softmax_cross_entropy_with_integer_labels(out, y).mean()


@nnx.jit(static_argnames="loss")
def train_step(model, optimizer, x, y, loss):
    value, grads = nnx.value_and_grad(lambda model: loss(model(x), y))(model)
    optimizer.update(model, grads)
    return value


class Loop:
    def __init__(self, workload: Workload):
        data = digits(workload.examples)
        self.batches, self.test_x, self.test_y = batches(workload, data), data.test_x, data.test_y
        self.loss = squared_error if workload.net == "mlp_sigmoid" else cross_entropy
        self.model = NETS[workload.net]()
        optimizer = nnx.Optimizer(self.model, optax.sgd(workload.learning_rate), wrt=nnx.Param)
        self.step = nnx.cached_partial(train_step, self.model, optimizer)

    def train(self, steps: int) -> None:
        for _ in range(steps):
            value = self.step(*next(self.batches), loss=self.loss)
        value.block_until_ready()

    def test(self) -> tuple[float, float]:
        out = self.model(jnp.asarray(self.test_x))
        return float(self.loss(out, self.test_y)), float((out.argmax(1) == self.test_y).mean())


def loop(workload: Workload) -> Contestant:
    return Loop(workload)
