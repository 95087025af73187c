"""Factorizations of matrices, which LAPACK computes on a CPU."""

from collections.abc import Callable
from typing import Any

import jax

from jaxnn.kernels import backend


def one_at_a_time(factor: Callable[..., Any]) -> Callable[..., Any]:
    """`factor`, of which `vmap` on a CPU computes one row after another.

    XLA factors the matrices of a batch in parallel, in threads that all devices of the CPU share. Two devices that do
    so at once may wait for each other without end (jaxlib 0.10.2, QR of 4 matrices of 128 × 128 each).
    """
    if backend.platform() != "cpu":
        return factor
    return jax.custom_batching.sequential_vmap(lambda *arrays: factor(*arrays))
