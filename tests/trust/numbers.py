"""The numbers of a run that the door makes: 32 bits, and NumPy's promotion, on which optax relies."""

from collections.abc import Iterator
from contextlib import contextmanager

import jax


@contextmanager
def cli_precision() -> Iterator[None]:
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"), jax.enable_x64(False):
        yield
