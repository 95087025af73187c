"""Padding of whole models: ids of no token, and padding of targets, change no bit of a loss and of its gradient."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

import jaxnn
from jaxnn.sequence import Sequence

TOKENS, TIME = 11, 7
LENGTHS = np.asarray([7, 0, 4, 1], np.int32)
VALID = np.arange(TIME) < LENGTHS[:, None]
IDS = np.random.default_rng(0).integers(TOKENS, size=(4, TIME)).astype(np.int32)
TARGETS = np.random.default_rng(1).integers(3, size=(4, TIME)).astype(np.int32)
MODELS = {
    "recurrent": jaxnn.serial(jaxnn.embedding(TOKENS, 6), jaxnn.bidirectional(jaxnn.lstm(5)), jaxnn.dense(3)),
    "attention": jaxnn.serial(jaxnn.embedding(TOKENS, 6), jaxnn.transformer(1, 2, 6, causal=False), jaxnn.dense(3)),
    "float32": jaxnn.serial(
        jaxnn.embedding(TOKENS, 6), jaxnn.compute_in(jaxnn.recur(jaxnn.gru(5), reverse=True), "float32"), jaxnn.dense(3)
    ),
    "one vector": jaxnn.serial(jaxnn.embedding(TOKENS, 6), jaxnn.recur(jaxnn.gru(5)), jaxnn.pool_sequence("max")),
}


def outcome(model, params, ids, targets, lengths=LENGTHS):
    targets = targets[:, 0] if model is MODELS["one vector"] else targets
    return jaxnn.value_and_grad(model, jaxnn.softmax_cross_entropy())(
        params, Sequence(jnp.asarray(ids), jnp.asarray(lengths)), jnp.asarray(targets)
    )


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("content", [-1, 10**6])
def test_ids_and_labels_at_padding_change_nothing(name, content):
    model = MODELS[name]
    params = model.init(jax.random.key(0), Sequence(jnp.asarray(IDS), jnp.asarray(LENGTHS)))
    targets = TARGETS if name == "one vector" else np.where(VALID, TARGETS, content).astype(np.int32)
    expected = outcome(model, params, np.where(VALID, IDS, 0), TARGETS)
    padded = outcome(model, params, np.where(VALID, IDS, content).astype(np.int32), targets)
    assert np.isfinite(expected[0][0])
    for a, b in zip(jax.tree.leaves(expected), jax.tree.leaves(padded), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", MODELS)
def test_loss_of_padded_sequences_is_that_of_each_alone(name):
    model = MODELS[name]
    params = model.init(jax.random.key(0), Sequence(jnp.asarray(IDS), jnp.asarray(LENGTHS)))
    (value, _), gradient = outcome(model, params, IDS, TARGETS)
    each = [i for i in range(4) if LENGTHS[i] or name == "one vector"]
    weights = np.ones(4) if name == "one vector" else LENGTHS / LENGTHS.sum() * 4
    parts = [outcome(model, params, IDS[[i]], TARGETS[[i]], LENGTHS[[i]]) for i in each]
    bound = 1e-6 if name == "float32" else 1e-12
    assert abs(value - sum(weights[i] * part[0][0] for i, part in zip(each, parts, strict=True)) / 4) < bound
    total = jax.tree.map(
        lambda *g: sum(weights[i] * a for i, a in zip(each, g, strict=True)) / 4, *[p[1] for p in parts]
    )
    for a, b in zip(jax.tree.leaves(gradient), jax.tree.leaves(total), strict=True):
        np.testing.assert_allclose(a, b, atol=bound)
