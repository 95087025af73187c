"""Sweeps in the numbers of a run from the door: float32, optax's own promotion. Most are compiled in haste."""

import jax
import pytest


@pytest.fixture(autouse=True)
def as_at_the_door():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"), jax.enable_x64(False):
        yield


@pytest.fixture
def optimized():
    """Asked for by a test whose programs are to be those of a run."""


@pytest.fixture(autouse=True)
def in_haste(request):
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", "optimized" not in request.fixturenames)
    yield
    jax.config.update("jax_disable_most_optimizations", before)
