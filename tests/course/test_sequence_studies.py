"""The studies of sequences: what they compute is what the layers do."""

import jax
import numpy as np
from jax import numpy as jnp

import jaxnn
from jaxnn.course.sequence_studies import attention_by_block, attention_weights, gradients_by_distance, lstm_gates
from jaxnn.layers import attention, embedding, recur, transformer
from jaxnn.traverse import visits

TOKENS = np.random.default_rng(0).integers(0, 7, (2, 11))


def test_gradients_by_distance_are_those_of_autodiff():
    cells = {"gru": {"name": "gru", "units": 5}}
    (norms,) = gradients_by_distance(cells, places=6, batch=3).values()
    key_x, key_y, key_params = jax.random.split(jax.random.key(0), 3)
    x, layer = jax.random.normal(key_x, (3, 6, 8)), recur(cells["gru"], last=True)
    params = layer.init(key_params, x)
    dy = jax.random.normal(key_y, (3, 5))
    dy = dy / jnp.linalg.norm(dy, axis=-1, keepdims=True)
    dx = jax.grad(lambda x: (layer.forward(params, x, None)[0] * dy).sum())(x)
    np.testing.assert_allclose(norms[::-1], jnp.linalg.norm(dx, axis=-1).mean(0), rtol=1e-9)


def test_lstm_gates_give_the_layers_output():
    model = jaxnn.serial(embedding(7, 4), recur({"name": "lstm", "units": 3}))
    params = model.init(jax.random.key(0), jnp.asarray(TOKENS))
    visit = list(visits(model, params, jnp.asarray(TOKENS)))[1]
    gates = lstm_gates(visit)
    assert set(gates) == {"input", "forget", "output"}
    # |h| = |o tanh c| never exceeds o, and with c = i g at the first place |h| ≤ o i.
    assert (np.abs(visit.y) <= gates["output"] + 1e-12).all()
    assert (np.abs(visit.y[:, 0]) <= (gates["output"] * np.tanh(gates["input"]))[:, 0] + 1e-12).all()


def test_attention_weights_times_values_are_the_heads_outputs():
    layer = attention(2, causal=True, positions="rotary")
    x = jax.random.normal(jax.random.key(1), (2, 9, 8))
    _, (res, *_) = layer.forward(layer.init(jax.random.key(2), x), x, None)
    weights = attention_weights(res)
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-12)
    np.testing.assert_allclose(weights @ res.v, res.o, rtol=1e-9, atol=1e-12)
    assert (np.triu(np.asarray(weights), 1) == 0).all()


def test_attention_by_block_has_every_block():
    model = jaxnn.serial(embedding(7, 8), transformer(3, 2, 8))
    params = model.init(jax.random.key(0), jnp.asarray(TOKENS))
    assert [block.shape for block in attention_by_block(model, params, TOKENS)] == [(2, 2, 11, 11)] * 3
