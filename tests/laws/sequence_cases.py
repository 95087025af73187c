"""Layers for sequences, with a batch and parameters, for the laws of `test_sequences` and `test_transformer_parts`."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.combine import parallel, recompute, residual, serial, share
from jaxnn.layer import Layer
from jaxnn.layers import (
    attention,
    bidirectional,
    dense,
    dropout,
    embedding,
    layer_norm,
    pool_sequence,
    positional_embedding,
    recur,
    rms_norm,
    tanh,
    transformer,
    unembedding,
)
from jaxnn.layers.cells import gru, lstm, simple

BATCH, TIME, UNITS, VOCABULARY = 3, 7, 6, 11
LENGTHS = jnp.asarray([TIME, 0, 4], jnp.int32)
CELLS = {"simple": simple(5), "relu": simple(5, "relu"), "lstm": lstm(5), "gru": gru(5)}
LANGUAGE_MODEL = serial(
    embed=embedding(VOCABULARY, UNITS),
    positions=positional_embedding(TIME + 3),
    body=transformer(2, 2, UNITS),
    head=share("embed", unembedding(VOCABULARY)),
)
#: Layers whose output at a place depends on earlier places only.
CAUSAL = {
    **{name: recur(cell) for name, cell in CELLS.items()},
    "attention": attention(2, causal=True),
    "rotary attention": attention(1, causal=True, positions="rotary"),
    "learned positions": attention(2, causal=True, positions="learned", length=TIME + 3),
    "transformer": transformer(1, 2, UNITS, positions="none"),
    "recurrent net": serial(recur(lstm(5)), layer_norm(), residual(recur(gru(5))), dense(3)),
    "parallel": parallel(recur(gru(3)), dense(4), combine="concatenate"),
    "recomputed": recompute(serial(recur(gru(5)), layer_norm())),
}
#: Layers that take sequences of different lengths.
WITH_LENGTHS = {
    **CAUSAL,
    **{f"{name}, reverse": recur(cell, reverse=True) for name, cell in CELLS.items()},
    **{f"{name}, last": recur(cell, last=True) for name, cell in CELLS.items()},
    "bidirectional": bidirectional(gru(5)),
    "bidirectional, last": bidirectional(lstm(5), last=True),
    "attention, all places": attention(2),
    "mean": pool_sequence("mean"),
    "max": pool_sequence("max"),
    "last": pool_sequence("last"),
    "places alike": serial(dense(5), tanh(), rms_norm(), dropout(0.3)),
}


def with_params(layer: Layer, x):
    params = layer.init(jax.random.key(0), x)
    leaves, structure = jax.tree.flatten(params)
    rng = np.random.default_rng(1)
    return jax.tree.unflatten(structure, [a + 0.3 * jnp.asarray(rng.normal(size=a.shape), a.dtype) for a in leaves])


def batch(seed: int = 0, time: int = TIME):
    return jnp.asarray(np.random.default_rng(seed).normal(size=(BATCH, time, UNITS)))


def backward(layer: Layer, params, x, dy):
    _, res = layer.forward(params, x, None)
    return layer.backward(params, res, dy)


def assert_close(first, second, bound=1e-12):
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        assert np.max(np.abs(np.asarray(a) - np.asarray(b)), initial=0) <= bound


def start_and_extend(layer: Layer) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """How a layer begins a sequence, and how it continues one."""
    assert layer.time is not None and layer.time.start is not None and layer.time.extend is not None
    return layer.time.start, layer.time.extend
