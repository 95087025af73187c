"""What XLA is kept from fusing."""

from typing import Any

from jax import lax

from jaxnn.kernels import backend


def computed_once(*arrays: Any) -> tuple[Any, ...]:
    """The same arrays, each computed once, before the operations that read them.

    On a CPU, XLA fuses an elementwise array into every operation that reads it. Each computes it again, number by
    number where it also cuts or joins rows. A GRU whose gates are computed once predicts 2 to 2.5 times as fast. On
    other platforms nothing changes.
    """
    return tuple(lax.optimization_barrier(arrays)) if backend.platform() == "cpu" else arrays
