"""Generation: the same tokens as a loop over the whole model, whatever the lengths; the laws of drawing."""

from typing import Any

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from jaxnn.combine import serial, share
from jaxnn.errors import UserError
from jaxnn.generation import generate, sample
from jaxnn.layers import attention, dense, embedding, positional_embedding, recur, transformer, unembedding
from jaxnn.layers.cells import gru, lstm

VOCABULARY, CONTEXT = 11, 8
GPT = serial(
    embed=embedding(VOCABULARY, 6),
    positions=positional_embedding(CONTEXT),
    body=transformer(1, 2, 6),
    head=share("embed", unembedding(VOCABULARY)),
)
RECURRENT = serial(embedding(VOCABULARY, 5), recur(lstm(7)), recur(gru(5)), dense(VOCABULARY))
PROMPT = np.asarray([[3, 1, 4], [1, 5, 9]])
KEY = jax.random.key(3)


def params_of(model, seed=0):
    params = model.init(jax.random.key(seed), jnp.asarray(PROMPT))
    return jax.tree.map(lambda a: a + 0.5 * jax.random.normal(jax.random.key(1), a.shape, a.dtype), params)


def plainly(model, params, prompt, length, key, context=None, **options):
    """The definition: the whole model for every token. With a context it begins again from the last half."""
    seen, drawn = np.asarray(prompt), []
    arguments = {"temperature": 1.0, "top_k": VOCABULARY, "top_p": 1.0, **options}
    for i in range(length):
        if context is not None and seen.shape[1] > context:
            seen = seen[:, -(context // 2) :]
        logits = model.apply(params, jnp.asarray(seen))[:, -1]
        token = [
            int(sample(jax.random.fold_in(jax.random.fold_in(key, row), i), logits[row], *arguments.values()))
            for row in range(len(seen))
        ]
        drawn.append(token)
        seen = np.concatenate([seen, np.asarray(token)[:, None]], 1)
    return np.asarray(drawn).T


@pytest.mark.parametrize("length", [1, 2, 9])
def test_generate_draws_as_the_whole_model_does(length):
    params = params_of(RECURRENT)
    expected = plainly(RECURRENT, params, PROMPT, length, KEY)
    np.testing.assert_array_equal(generate(RECURRENT, params, PROMPT, length, KEY), expected)


@pytest.mark.parametrize("length", [1, 5, 6, 7, 23])
def test_generate_begins_again_when_the_context_is_full(length):
    params = params_of(GPT)
    expected = plainly(GPT, params, PROMPT, length, KEY, CONTEXT)
    np.testing.assert_array_equal(generate(GPT, params, PROMPT, length, KEY, context=CONTEXT), expected)


def test_generate_does_not_depend_on_the_other_prompts():
    params = params_of(RECURRENT)
    both = generate(RECURRENT, params, PROMPT, 9, KEY)
    np.testing.assert_array_equal(generate(RECURRENT, params, PROMPT[:1], 9, KEY), both[:1])


def test_generate_at_temperature_0_takes_the_likeliest_token():
    params = params_of(RECURRENT)
    expected = plainly(RECURRENT, params, PROMPT, 5, KEY, temperature=0.0)
    np.testing.assert_array_equal(generate(RECURRENT, params, PROMPT, 5, KEY, temperature=0.0), expected)
    np.testing.assert_array_equal(generate(RECURRENT, params, PROMPT, 5, KEY, top_k=1), expected)
    np.testing.assert_array_equal(generate(RECURRENT, params, PROMPT, 5, jax.random.key(8), temperature=0.0), expected)


def test_generate_repeats_the_stop_token():
    params = params_of(RECURRENT)
    free = generate(RECURRENT, params, PROMPT, 12, KEY)
    stop = int(free[0, 3])
    stopped = generate(RECURRENT, params, PROMPT, 12, KEY, stop=stop)
    end = int(np.argmax(free[0] == stop))
    np.testing.assert_array_equal(stopped[0, : end + 1], free[0, : end + 1])
    assert (stopped[0, end:] == stop).all()


def frequencies(draws=20_000, **options):
    logits = jnp.asarray([2.0, 0.0, 1.0, -1.0])
    arguments = {"temperature": 1.0, "top_k": 4, "top_p": 1.0, **options}
    keys = jax.random.split(jax.random.key(0), draws)
    tokens = jax.vmap(lambda key: sample(key, logits, *arguments.values()))(keys)
    return np.bincount(np.asarray(tokens), minlength=4) / draws, np.exp(np.asarray(logits))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_sample_draws_the_softmax_of_the_divided_logits(temperature):
    measured, weights = frequencies(temperature=temperature)
    expected = weights ** (1 / temperature) / (weights ** (1 / temperature)).sum()
    assert np.all(np.abs(measured - expected) <= 5 * np.sqrt(expected * (1 - expected) / 20_000))


def test_sample_draws_the_likeliest_tokens_alone():
    measured, weights = frequencies(top_k=2)
    expected = weights * [1, 0, 1, 0] / (weights[0] + weights[2])
    assert measured[1] == measured[3] == 0
    assert np.all(np.abs(measured - expected) <= 5 * np.sqrt(expected * (1 - expected) / 20_000) + 1e-12)
    # The first token has 64 % of the probability, the first two 88 %.
    assert frequencies(top_p=0.6)[0][0] == 1
    assert (frequencies(top_p=0.7)[0] > 0).sum() == 2


def test_generate_refuses_what_cannot_be_continued():
    params = params_of(GPT)
    with pytest.raises(UserError, match="outputs depend on earlier places only"):
        generate(serial(embedding(11, 6), attention(2), dense(11)), (), PROMPT, 3, KEY)
    with pytest.raises(UserError, match="expected at most 8 places"):
        generate(GPT, params, PROMPT, 20, KEY)
    for prompt in (np.zeros((1, 0), int), np.zeros(3, int), np.ones((1, 3))):
        with pytest.raises(UserError, match="prompt of integers"):
            generate(RECURRENT, params_of(RECURRENT), prompt, 3, KEY)
    refused: list[dict[str, Any]] = [{"top_p": 0.0}, {"temperature": -1.0}, {"top_k": -1}, {"context": 1}]
    for options in refused:
        with pytest.raises(UserError, match="expected a length"):
            generate(RECURRENT, params_of(RECURRENT), PROMPT, 3, KEY, **options)
