"""Random numbers drawn by rounds in one expression are those of `jax.random`, bit by bit."""

import math

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from jaxnn.kernels import backend, batch_rows, random_bits
from jaxnn.train.noise import binarize

#: Many numbers, an odd many in several axes, and few, which JAX draws itself.
SHAPES = ((random_bits.MIN_NUMBERS,), (71, 3, 41), (2, 3))
KEYS = {
    "threefry": lambda: jax.random.key(7),
    "raw words": lambda: jax.random.PRNGKey(7),
    "another generator": lambda: jax.random.key(7, impl="rbg"),
}


def same(a, b):
    return np.array_equal(np.asarray(a), np.asarray(b))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("key", KEYS)
def test_draws_are_those_of_jax(key, shape):
    key = KEYS[key]()
    for dtype in ("float32", "float64", "bfloat16"):
        assert same(batch_rows.draw_uniform(key, shape, dtype), jax.random.uniform(key, shape, dtype))
        assert same(batch_rows.draw_normal(key, shape, dtype), jax.random.normal(key, shape, dtype))
    assert same(batch_rows.draw_bernoulli(key, 0.3, shape), jax.random.bernoulli(key, 0.3, shape))


@pytest.mark.parametrize("bit_width", [8, 16, 32, 64])
def test_bits_of_every_width_are_those_of_jax(bit_width):
    key, shape = jax.random.key(3), SHAPES[1]
    fused = random_bits.with_fused_rounds(key, shape)
    assert fused.dtype != key.dtype  # control: another function makes them
    assert same(jax.random.bits(fused, shape, f"uint{bit_width}"), jax.random.bits(key, shape, f"uint{bit_width}"))


def test_draws_of_many_keys_are_those_of_each():
    keys, shape = jax.random.split(jax.random.key(1), 3), SHAPES[0]
    drawn = jax.jit(jax.vmap(lambda key: batch_rows.draw_uniform(key, shape, "float32")))(keys)
    assert same(drawn, jnp.stack([jax.random.uniform(key, shape, "float32") for key in keys]))


def test_gradient_through_draws_is_that_through_those_of_jax():
    x, key = jnp.ones((80, 64)), jax.random.key(0)

    def gradient(bernoulli, uniform):
        def f(x):
            return (jnp.where(bernoulli(key, 0.5, x.shape), x, 0) ** 2 * uniform(key, x.shape, x.dtype)).sum()

        return jax.jit(jax.vmap(jax.grad(jax.checkpoint(f))))(x[None])

    by_fused_rounds = gradient(batch_rows.draw_bernoulli, batch_rows.draw_uniform)
    assert same(by_fused_rounds, gradient(jax.random.bernoulli, jax.random.uniform))


@pytest.mark.parametrize("platform", ["gpu", "tpu"])
def test_other_platforms_draw_by_jax(platform, monkeypatch):
    monkeypatch.setattr(backend, "platform", lambda: platform)
    key = jax.random.key(0)
    assert random_bits.with_fused_rounds(key, SHAPES[0]) is key


def test_rounds_are_computed_once_for_all_that_reads_the_numbers():
    """The program rotates 20 words a number, whatever reads the numbers: XLA does not compute them again."""
    shape = SHAPES[0]

    def f(key, x):
        noise = batch_rows.draw_uniform(key, shape, "float32")
        return jnp.cumsum(noise * x), jnp.cumsum(noise + x), jnp.cumsum(noise - x)

    program = jax.jit(f).lower(jax.random.key(0), jnp.ones(shape, "float32")).compile()
    text = program.as_text()
    assert text is not None and text.count("shift-left(") == 20


def test_binarized_pixels_are_1_where_the_drawn_number_is_less():
    rng = np.random.default_rng(0)
    x = jnp.asarray(
        np.concatenate([rng.random((60, 90)), np.full((1, 90), 0), np.ones((1, 90)), 1.7 * np.ones((1, 90))])
    )
    key = jax.random.key(5)
    drawn, target = binarize().apply(key, x, x)
    assert math.prod(x.shape) >= random_bits.MIN_NUMBERS
    assert same(drawn, jax.random.uniform(key, x.shape, x.dtype) < x) and drawn.dtype == x.dtype
    assert target is drawn
