"""Convolution and max-pooling as one layer: one matrix product, whose column blocks are what a pool chooses from."""

import functools
from collections.abc import Sequence

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

from jaxnn.errors import UserError
from jaxnn.initializers import Init, initializer
from jaxnn.kernels import backend
from jaxnn.kernels.window import Window, pair, window
from jaxnn.layer import Layer
from jaxnn.layers.affine import Affine
from jaxnn.layers.pool import first_maximum


def conv_max_pool(
    channels: int,
    kernel: int | Sequence[int],
    pool: int | Sequence[int] = 2,
    weight_init: Init = "glorot_uniform",
    bias_init: Init = "zeros",
) -> Layer:
    """`conv(channels, kernel)` and `max_pool(pool)` after it: the same numbers, in a shape that a CPU is fast at.

    A pool of p×p outputs of a k×k kernel sees a patch of k + p − 1 rows and columns. With V the kernel at each of the
    p² places q in such a patch, side by side,

    z[n, r, s, q, o] = Σ patch[n, r, s, ·] V[·, q, o],  y = b + max over q of z, at q* (the first)
    dz = dy at q = q*, else 0
    dV = patchᵀ dz,  dW = Σ dV over the places,  db = Σ dy,  dpatch = dz Vᵀ,  dx = Σ dpatch over the patches

    Derivation: a maximum hands dy to the place that it chose. z is a dense layer of patches; W stands in V once for
    each place, x in the patches once for each that overlaps it: what stands several times gathers all its derivatives.

    x (batch, height, width, channel), W (*kernel, channel, channels), b (channels), y (batch, rows, columns, channels).
    Keeps x and q*, a byte each. A ReLU may follow instead of standing between: max and ReLU change places freely.
    Raises `UserError` when built of impossible numbers, or initialized for images smaller than a patch.
    """
    size, places = pair(kernel, "conv_max_pool kernel"), pair(pool, "conv_max_pool pool")
    if channels < 1:
        raise UserError(f"conv_max_pool: expected at least 1 channel, found {channels}")
    make_weight, make_bias = initializer(weight_init), initializer(bias_init)
    patch = (size[0] + places[0] - 1, size[1] + places[1] - 1)
    count = places[0] * places[1]
    place = np.min_scalar_type(count - 1)

    def over(x) -> Window:
        return window(x, f"conv_max_pool patch {patch[0]}×{patch[1]}", patch, places, "VALID")

    def shifts():
        return [(i, j) for i in range(places[0]) for j in range(places[1])]

    def spread(weight):
        """V: (patch · channel, places · channels)."""
        moved = [jnp.pad(weight, ((i, places[0] - 1 - i), (j, places[1] - 1 - j), (0, 0), (0, 0))) for i, j in shifts()]
        return jnp.stack(moved, axis=3).reshape(-1, count * channels)

    def gather(dspread, weight):
        """dW from dV, the transpose of `spread`."""
        blocks = dspread.reshape(*patch, weight.shape[2], count, channels)
        moved = [blocks[i : i + size[0], j : j + size[1], :, q] for q, (i, j) in enumerate(shifts())]
        return functools.reduce(jnp.add, moved)

    def largest(z, axis):
        """Of several, the first has the derivative; `jnp.max`, compiled by XLA's defaults, may lose a NaN."""
        return lax.reduce(z, jnp.asarray(-jnp.inf, z.dtype), lambda a, b: jnp.where((b > a) | (b != b), b, a), (axis,))

    def init(key, x):
        over(x)
        key_weight, key_bias = jax.random.split(key)
        weight = make_weight(key_weight, (*size, x.shape[-1], channels), x.dtype)
        return Affine(weight, make_bias(key_bias, (channels,), x.dtype))

    def forward(params, x, key):
        del key
        w, v = over(x), spread(params.weight)
        if backend.platform() != "cpu":
            # Elementwise: it becomes one with what follows it.
            z = (w.patches(x) @ v).reshape(-1, count, channels)
            y, index = first_maximum([z[:, q] for q in range(count)])
        elif x.shape[-1] == 1:
            # Its patches lie tap by tap; chosen along all outputs, not along a few channels: 0.5 ms less of 2.8.
            z = (v.T @ w.patches(x).T).reshape(count, channels, -1)
            y, index = (a.T for a in (largest(z, 0), lax.argmax(z, 0, place)))
        else:
            z = (w.patches(x) @ v).reshape(-1, count, channels)
            y, index = largest(z, 1), lax.argmax(z, 1, place)
        y, index = (a.reshape(len(x), *w.out(x), channels) for a in (y, index))
        return y + jnp.broadcast_to(params.bias, y.shape), (x, index)

    def backward(params, res, dy):
        x, index = res
        w = over(x)
        rows, chosen = (a.reshape(-1, channels) for a in (dy, index))
        if backend.platform() == "cpu":
            dz = jnp.concatenate([jnp.where(chosen == q, rows, 0) for q in range(count)], axis=-1)
        else:
            at_place = chosen[:, None] == jnp.arange(count, dtype=place).reshape(1, count, 1)
            dz = jnp.where(at_place, rows[:, None], 0).reshape(-1, count * channels)
        dspread = w.patches(x).T @ dz
        dpatches = (dz @ spread(params.weight).T).reshape(*dy.shape[:-1], -1)
        dx = w.scatter(jnp.split(dpatches, patch[0] * patch[1], axis=-1), x)
        return Affine(gather(dspread, params.weight), dy.sum((0, 1, 2))), dx

    return Layer(init, forward, backward, "conv_max_pool")
