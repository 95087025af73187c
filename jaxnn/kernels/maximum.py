"""Maxima over the entries of a pooling window, and which entry they are.

Among equal entries the first is the maximum, and a NaN is larger than every number.
"""

from collections.abc import Sequence

import numpy as np
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float, UInt

from jaxnn.kernels import backend
from jaxnn.kernels.array_types import Images, OutputIndex, Outputs
from jaxnn.kernels.window import Window


def first_maximum(
    candidates: Sequence[Float[Array, "*shape"]],
) -> tuple[Float[Array, "*shape"], UInt[Array, "*shape"]]:
    """The elementwise maximum of arrays of one shape, and the index of the array that has it."""
    y, *others = candidates
    index = jnp.zeros(y.shape, np.min_scalar_type(len(others)))
    for k, other in enumerate(others, start=1):
        larger = (other > y) | (other != other)
        y, index = jnp.where(larger, other, y), jnp.where(larger, jnp.asarray(k, index.dtype), index)
    return y, index


def maximum_of_products(
    window: Window, x: Images, weight: Float[Array, "patch blocks"], count: int
) -> tuple[Outputs, OutputIndex]:
    """The maximum over q of patches @ V_q, and the q that has it.

    weight: V₀ … V₍count₋₁₎ side by side, (patch, count · channels)
    """
    channels = weight.shape[-1] // count
    index_type = np.min_scalar_type(count - 1)
    if backend.platform() != "cpu":
        # Elementwise, so that XLA fuses it with the operations that follow.
        z = (window.patches(x) @ weight).reshape(-1, count, channels)
        y, index = first_maximum([z[:, q] for q in range(count)])
    elif x.shape[-1] == 1:
        # The patches of one channel are built one tap at a time. The maximum runs along all outputs instead of along a
        # few channels, which saves 0.5 ms of 2.8.
        z = (weight.T @ window.patches(x).T).reshape(count, channels, -1)
        y, index = (a.T for a in (_maximum(z, 0), lax.argmax(z, 0, index_type)))
    else:
        z = (window.patches(x) @ weight).reshape(-1, count, channels)
        y, index = _maximum(z, 1), lax.argmax(z, 1, index_type)
    y, index = (a.reshape(len(x), *window.output_size(x), channels) for a in (y, index))
    return y, index


def products_gradient(dy: Outputs, index: OutputIndex, count: int) -> Float[Array, "outputs blocks"]:
    """The gradient of the products from that of their maximum: dy in the column block of the maximum, else 0."""
    channels = dy.shape[-1]
    rows, chosen = (a.reshape(-1, channels) for a in (dy, index))
    if backend.platform() == "cpu":
        return jnp.concatenate([jnp.where(chosen == q, rows, 0) for q in range(count)], axis=-1)
    is_maximum = chosen[:, None] == jnp.arange(count, dtype=index.dtype).reshape(1, count, 1)
    return jnp.where(is_maximum, rows[:, None], 0).reshape(-1, count * channels)


def _maximum(z: Float[Array, "..."], axis: int) -> Float[Array, "..."]:
    """The maximum along an axis. Its derivative goes to the first of equal entries, and it keeps a NaN, which `jnp.max`
    may lose when it is compiled with XLA's default options."""
    return lax.reduce(z, np.asarray(-np.inf, z.dtype), lambda a, b: jnp.where((b > a) | (b != b), b, a), (axis,))
