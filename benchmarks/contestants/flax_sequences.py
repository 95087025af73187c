"""Flax NNX on sequences: `nnx.RNN` over an LSTM cell, and a GPT of `nnx.MultiHeadAttention`, a jitted cached step."""

import optax
from flax import nnx
from jax import numpy as jnp

from benchmarks.contestants.optimizers import optimizer_of
from benchmarks.runner import Contestant, Workload
from benchmarks.sequences import HEADS, LAYERS, PLACES, UNITS, batches, sequences


class RowsLSTM(nnx.Module):
    def __init__(self, classes: int, rngs: nnx.Rngs):
        self.rnn = nnx.RNN(nnx.OptimizedLSTMCell(28, UNITS, rngs=rngs))
        self.head = nnx.Linear(UNITS, classes, rngs=rngs)

    def __call__(self, x):
        return self.head(self.rnn(x)[:, -1])


class TextLSTM(nnx.Module):
    def __init__(self, classes: int, rngs: nnx.Rngs):
        self.embedding = nnx.Embed(classes, UNITS, rngs=rngs)
        self.rnn_1 = nnx.RNN(nnx.OptimizedLSTMCell(UNITS, UNITS, rngs=rngs))
        self.rnn_2 = nnx.RNN(nnx.OptimizedLSTMCell(UNITS, UNITS, rngs=rngs))
        self.head = nnx.Linear(UNITS, classes, rngs=rngs)

    def __call__(self, x):
        return self.head(self.rnn_2(self.rnn_1(self.embedding(x))))


class Block(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.norm_1, self.norm_2 = nnx.LayerNorm(UNITS, rngs=rngs), nnx.LayerNorm(UNITS, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(HEADS, UNITS, decode=False, rngs=rngs)
        self.hidden, self.out = nnx.Linear(UNITS, 4 * UNITS, rngs=rngs), nnx.Linear(4 * UNITS, UNITS, rngs=rngs)

    def __call__(self, x):
        x = x + self.attention(self.norm_1(x), mask=nnx.make_causal_mask(x[..., 0]))
        return x + self.out(nnx.gelu(self.hidden(self.norm_2(x))))


class GPT(nnx.Module):
    """Pre-norm blocks, learned positions, and the embedding's weights as those of the output."""

    def __init__(self, classes: int, rngs: nnx.Rngs):
        small = nnx.initializers.normal(0.02)
        self.embedding = nnx.Embed(classes, UNITS, embedding_init=small, rngs=rngs)
        self.positions = nnx.Embed(PLACES["gpt"], UNITS, embedding_init=small, rngs=rngs)
        self.blocks = nnx.List([Block(rngs) for _ in range(LAYERS)])
        self.norm = nnx.LayerNorm(UNITS, rngs=rngs)

    def __call__(self, x):
        y = self.embedding(x) + self.positions(jnp.arange(x.shape[1]))
        for block in self.blocks:
            y = block(y)
        return self.embedding.attend(self.norm(y))


NETS = {"lstm_rows": RowsLSTM, "lstm_text": TextLSTM, "gpt": GPT}


def cross_entropy(out, y):
    return optax.softmax_cross_entropy_with_integer_labels(out, y).mean()


@nnx.jit
def train_step(model, optimizer, x, y):
    value, grads = nnx.value_and_grad(lambda model: cross_entropy(model(x), y))(model)
    optimizer.update(model, grads)
    return value


class Loop:
    def __init__(self, workload: Workload):
        data = sequences(workload)
        self.batches, self.test_x, self.test_y = batches(workload, data), data.test_x, data.test_y
        self.model = NETS[workload.net](data.classes, nnx.Rngs(0))
        optimizer = nnx.Optimizer(self.model, optimizer_of(workload), wrt=nnx.Param)
        self.step = nnx.cached_partial(train_step, self.model, optimizer)

    def train(self, steps: int) -> None:
        for _ in range(steps):
            x, y = next(self.batches)
            value = self.step(jnp.asarray(x), jnp.asarray(y))
        value.block_until_ready()

    def test(self) -> tuple[float, float]:
        out, y = self.model(jnp.asarray(self.test_x)), jnp.asarray(self.test_y)
        return float(cross_entropy(out, y)), float((out.argmax(-1) == y).mean())


def loop(workload: Workload) -> Contestant:
    return Loop(workload)
