"""Equinox on sequences: a scan over `LSTMCell`, as its recurrent example has it, and a GPT of `MultiheadAttention`."""

import equinox as eqx
import jax
import optax
from jax import numpy as jnp

from benchmarks.contestants.optimizers import optimizer_of
from benchmarks.runner import Contestant, Workload
from benchmarks.sequences import HEADS, LAYERS, PLACES, UNITS, batches, sequences


def scan_cell(cell, x):
    """The outputs (time, units) of a cell over one sequence (time, n)."""
    zeros = jnp.zeros(cell.hidden_size)

    def step(state, value):
        state = cell(value, state)
        return state, state[0]

    return jax.lax.scan(step, (zeros, zeros), x)[1]


class RowsLSTM(eqx.Module):
    cell: eqx.nn.LSTMCell
    head: eqx.nn.Linear

    def __init__(self, classes, key):
        a, b = jax.random.split(key)
        self.cell, self.head = eqx.nn.LSTMCell(28, UNITS, key=a), eqx.nn.Linear(UNITS, classes, key=b)

    def __call__(self, x):
        return self.head(scan_cell(self.cell, x)[-1])


class TextLSTM(eqx.Module):
    embedding: eqx.nn.Embedding
    cells: list
    head: eqx.nn.Linear

    def __init__(self, classes, key):
        a, b, c, d = jax.random.split(key, 4)
        self.embedding, self.head = eqx.nn.Embedding(classes, UNITS, key=a), eqx.nn.Linear(UNITS, classes, key=b)
        self.cells = [eqx.nn.LSTMCell(UNITS, UNITS, key=key) for key in (c, d)]

    def __call__(self, x):
        y = jax.vmap(self.embedding)(x)
        for cell in self.cells:
            y = scan_cell(cell, y)
        return jax.vmap(self.head)(y)


class Block(eqx.Module):
    norm_1: eqx.nn.LayerNorm
    norm_2: eqx.nn.LayerNorm
    attention: eqx.nn.MultiheadAttention
    hidden: eqx.nn.Linear
    out: eqx.nn.Linear

    def __init__(self, key):
        a, b, c = jax.random.split(key, 3)
        self.norm_1, self.norm_2 = eqx.nn.LayerNorm(UNITS), eqx.nn.LayerNorm(UNITS)
        self.attention = eqx.nn.MultiheadAttention(HEADS, UNITS, key=a)
        self.hidden, self.out = eqx.nn.Linear(UNITS, 4 * UNITS, key=b), eqx.nn.Linear(4 * UNITS, UNITS, key=c)

    def __call__(self, x):
        normed = jax.vmap(self.norm_1)(x)
        x = x + self.attention(normed, normed, normed, mask=jnp.tril(jnp.ones((len(x), len(x)), bool)))
        return x + jax.vmap(lambda row: self.out(jax.nn.gelu(self.hidden(self.norm_2(row)))))(x)


class GPT(eqx.Module):
    """Pre-norm blocks, learned positions, and the embedding's weights as those of the output."""

    embedding: eqx.nn.Embedding
    positions: eqx.nn.Embedding
    blocks: list
    norm: eqx.nn.LayerNorm

    def __init__(self, classes, key):
        a, b, *keys = jax.random.split(key, 2 + LAYERS)
        self.embedding = eqx.nn.Embedding(weight=0.02 * jax.random.normal(a, (classes, UNITS)))
        self.positions = eqx.nn.Embedding(weight=0.02 * jax.random.normal(b, (PLACES["gpt"], UNITS)))
        self.blocks, self.norm = [Block(key) for key in keys], eqx.nn.LayerNorm(UNITS)

    def __call__(self, x):
        y = jax.vmap(self.embedding)(x) + self.positions.weight[: len(x)]
        for block in self.blocks:
            y = block(y)
        return jax.vmap(self.norm)(y) @ self.embedding.weight.T


NETS = {"lstm_rows": RowsLSTM, "lstm_text": TextLSTM, "gpt": GPT}


def cross_entropy(model, x, y):
    return optax.softmax_cross_entropy_with_integer_labels(jax.vmap(model)(x), y).mean()


class Loop:
    def __init__(self, workload: Workload):
        data = sequences(workload)
        self.batches, self.test_x, self.test_y = batches(workload, data), data.test_x, data.test_y
        self.model, optimizer = NETS[workload.net](data.classes, jax.random.key(0)), optimizer_of(workload)
        self.state = optimizer.init(eqx.filter(self.model, eqx.is_array))

        @eqx.filter_jit
        def make_step(model, state, x, y):
            value, grads = eqx.filter_value_and_grad(cross_entropy)(model, x, y)
            updates, state = optimizer.update(grads, state, eqx.filter(model, eqx.is_array))
            return eqx.apply_updates(model, updates), state, value

        self.step = make_step

    def train(self, steps: int) -> None:
        for _ in range(steps):
            x, y = next(self.batches)
            self.model, self.state, value = self.step(self.model, self.state, jnp.asarray(x), jnp.asarray(y))
        value.block_until_ready()

    def test(self) -> tuple[float, float]:
        x, y = jnp.asarray(self.test_x), jnp.asarray(self.test_y)
        out = jax.vmap(self.model)(x)
        return float(cross_entropy(self.model, x, y)), float((out.argmax(-1) == y).mean())


def loop(workload: Workload) -> Contestant:
    return Loop(workload)
