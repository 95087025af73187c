"""The precision of a run from the command line: float32, and NumPy's promotion rules, which optax needs."""

from collections.abc import Iterator
from contextlib import contextmanager

import jax


@contextmanager
def cli_precision() -> Iterator[None]:
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"), jax.enable_x64(False):
        yield
