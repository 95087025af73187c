"""Runs the README's examples with JAX's own defaults, as a reader does. The tests use stricter settings."""

import pytest


@pytest.fixture(autouse=True)
def jax_defaults_for_doctests(request):
    if type(request.node).__name__ != "DoctestItem":
        yield
        return
    import jax

    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield
