"""The README's examples run as a reader runs them: with JAX's own defaults, not the strict numbers of the tests."""

import pytest


@pytest.fixture(autouse=True)
def defaults_for_the_readme(request):
    if type(request.node).__name__ != "DoctestItem":
        yield
        return
    import jax

    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield
