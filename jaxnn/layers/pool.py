"""Pooling: each window of an image becomes one number, channel by channel.

x (batch, height, width, channel), y (batch, rows, columns, channel). `window` and `stride` (the window, unless given)
are one number or (height, width); `padding` is "SAME", "VALID" (what does not fill a window is left out) or
[[low, high], [low, high]]. Padding is no part of the image: it is never the maximum and is not counted in the mean.
"""

import functools
from collections.abc import Sequence

import numpy as np
from jax import numpy as jnp
from jaxtyping import Array

from jaxnn.errors import UserError
from jaxnn.kernels import window as windows
from jaxnn.kernels.window import Padding, Window, pair
from jaxnn.layer import Layer, empty_init

Size = int | Sequence[int]


def _over(name: str, size: Size, stride: Size | None, padding: Padding):
    """The function that lays the window over images; raises `UserError` for a padding that a window could lie in."""
    extent, step = pair(size, f"{name} window"), pair(size if stride is None else stride, f"{name} stride")

    def over(x) -> Window:
        w = windows.window(x, f"{name} window {extent[0]}×{extent[1]}", extent, step, padding)
        if any(max(pads) >= n for pads, n in zip(w.pads, extent, strict=True)):
            raise UserError(
                f"{name}: expected padding smaller than the window {extent[0]}×{extent[1]}, found {w.pads}: "
                "a window would hold no number of the image"
            )
        return w

    return over


def first_maximum(candidates: Sequence[Array]) -> tuple[Array, Array]:
    """The largest of arrays of one shape, entry by entry, and which it is (the first); a NaN is larger than all."""
    y, *rest = candidates
    index = jnp.zeros(y.shape, np.min_scalar_type(len(rest)))
    for k, other in enumerate(rest, start=1):
        larger = (other > y) | (other != other)
        y, index = jnp.where(larger, other, y), jnp.where(larger, jnp.asarray(k, index.dtype), index)
    return y, index


def max_pool(window: Size, stride: Size | None = None, padding: Padding = "VALID") -> Layer:
    """The largest number of each window.

    y[n, r, s, c] = max of x[n, h, w, c] over the window of (r, s)
    dx[n, h, w, c] = Σ dy[n, r, s, c] over the windows whose maximum, the first in row-major order, is at (h, w)

    Derivation: near x, y is the one number that is largest: its derivative is 1 there and 0 elsewhere.

    Keeps the tap of each maximum, one byte. Deterministic on every platform (scatter-free).
    """
    over = _over("max_pool", window, stride, padding)

    def forward(params, x, key):
        del params, key
        y, index = first_maximum(over(x).taps(x, -np.inf))
        return y, (index, x[:0])

    def backward(params, res, dy):
        del params
        index, like = res
        return (), over(like).spread(lambda k, index, dy: jnp.where(index == k, dy, 0), (index, dy), like)

    return Layer(empty_init, forward, backward, "max_pool")


def _counts(w: Window, x):
    """How many numbers of the image each window holds, (1, rows, columns, 1)."""
    return functools.reduce(jnp.add, w.taps(jnp.ones((1, *x.shape[1:3], 1), x.dtype)))


def average_pool(window: Size, stride: Size | None = None, padding: Padding = "VALID") -> Layer:
    """The mean of each window, over those of its numbers that lie in the image.

    y[n, r, s, c] = Σ x[n, h, w, c] / m over the window of (r, s), m how many there are
    dx[n, h, w, c] = Σ dy[n, r, s, c] / m over the windows that hold (h, w)

    Derivation: y is linear, and each number of a window has the factor 1 / m.
    """
    over = _over("average_pool", window, stride, padding)

    def forward(params, x, key):
        del params, key
        w = over(x)
        total = functools.reduce(jnp.add, w.taps(x))
        return total / jnp.broadcast_to(_counts(w, x), total.shape), x[:0]

    def backward(params, res, dy):
        del params
        w = over(res)
        share = dy / jnp.broadcast_to(_counts(w, res), dy.shape)
        return (), w.spread(lambda k, share: share, (share,), res)

    return Layer(empty_init, forward, backward, "average_pool")


def l2_pool(window: Size, stride: Size | None = None, padding: Padding = "VALID") -> Layer:
    """The Euclidean norm of each window.

    y[n, r, s, c] = √ Σ x[n, h, w, c]² over the window of (r, s)
    dx[n, h, w, c] = x[n, h, w, c] Σ dy[n, r, s, c] / y[n, r, s, c] over the windows that hold (h, w), 0 where y = 0

    Derivation: y² = Σ x², so 2 y ∂y/∂x = 2 x.
    """
    over = _over("l2_pool", window, stride, padding)

    def forward(params, x, key):
        del params, key
        total = functools.reduce(jnp.add, [tap * tap for tap in over(x).taps(x)])
        some = total > 0
        # Both branches of a select are differentiated: the inner one keeps √ away from 0.
        y = jnp.where(some | (total != total), jnp.sqrt(jnp.where(some, total, 1)) + 0 * total, 0)
        return y, (x, y)

    def backward(params, res, dy):
        del params
        x, y = res

        def share(k, y, dy):
            return jnp.where(y == 0, 0, dy / jnp.where(y == 0, 1, y))

        return (), x * over(x).spread(share, (y, dy), x)

    return Layer(empty_init, forward, backward, "l2_pool")
