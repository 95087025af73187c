"""optax's own arithmetic promotes implicitly (a Python float to the power of an int32), so here it is allowed."""

import jax
import pytest


@pytest.fixture(autouse=True)
def optax_promotes():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield
