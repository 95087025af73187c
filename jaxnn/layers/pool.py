"""Pooling: each window of an image becomes one number, channel by channel.

x (batch, height, width, channel), y (batch, rows, columns, channel). `window` and `stride` (the window, unless given)
are one number or (height, width); `padding` is "SAME", "VALID" (rows and columns that do not fill a window are left
out) or [[low, high], [low, high]]. Padding is no part of the image: it is never the maximum and is not counted in the
mean.
"""

import functools
from collections.abc import Callable, Sequence

import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaxnn.errors import UserError
from jaxnn.kernels.array_types import (
    ArrayOrShape,
    ExampleBatch,
    Images,
    ImageShape,
    IndexPerWindow,
    NoParams,
    PerWindow,
)
from jaxnn.kernels.maximum import first_maximum
from jaxnn.kernels.window import Padding, Window, make_window, pair
from jaxnn.layer import Key, Layer
from jaxnn.shapes import Shape, check_dy, check_elementary, check_floating, shapes_of

Size = int | Sequence[int]


def _window_maker(name: str, window: Size, stride: Size | None, padding: Padding) -> Callable[[ArrayOrShape], Window]:
    """The function that makes the window for images; it raises `UserError` where a window could lie in the padding."""
    size = pair(window, f"{name} window")
    step = pair(window if stride is None else stride, f"{name} stride")

    def window_for(x: ArrayOrShape) -> Window:
        w = make_window(x, f"{name} window {size[0]}×{size[1]}", size, step, padding)
        if any(max(pads) >= n for pads, n in zip(w.pads, size, strict=True)):
            raise UserError(
                f"{name}: expected padding smaller than the window {size[0]}×{size[1]}, found {w.pads}: "
                "a window would hold no number of the image"
            )
        return w

    return window_for


def _checked_init(
    name: str, window_for: Callable[[ArrayOrShape], Window]
) -> Callable[[PRNGKeyArray, ExampleBatch], NoParams]:
    """An `init` without parameters that refuses what `window_for` refuses."""

    def init(key: PRNGKeyArray, x: ExampleBatch) -> NoParams:
        del key
        check_floating(name, x)
        window_for(x)
        return ()

    return init


def max_pool(window: Size, stride: Size | None = None, padding: Padding = "VALID") -> Layer:
    """The largest number of each window.

    y[n, r, s, c] = max of x[n, h, w, c] over the window of (r, s)
    dx[n, h, w, c] = Σ dy[n, r, s, c] over the windows whose maximum, the first in row-major order, is at (h, w)

    Derivation: near x, y is the one number that is largest: its derivative is 1 there and 0 elsewhere.

    Keeps the tap of each maximum, one byte. Deterministic on every platform (scatter-free).
    """
    window_for = _window_maker("max_pool", window, stride, padding)

    def forward(params: NoParams, x: Images, key: Key) -> tuple[PerWindow, tuple[IndexPerWindow, Shape]]:
        del key
        check_elementary("max_pool", params, x)
        y, index = first_maximum(window_for(x).shifted_views(x, -np.inf))
        return y, (index, shapes_of(x))

    def backward(params: NoParams, res: tuple[IndexPerWindow, Shape], dy: PerWindow) -> tuple[NoParams, Images]:
        del params
        index, images = res[0], res[1].struct
        check_dy("max_pool", dy, index.shape)
        dx = window_for(images).scatter_to_taps(lambda k, index, dy: jnp.where(index == k, dy, 0), (index, dy), images)
        return (), dx

    return Layer(_checked_init("max_pool", window_for), forward, backward, "max_pool")


def _counts(window: Window, x: ImageShape) -> Float[Array, "1 rows columns 1"]:
    """How many numbers of the image each window holds."""
    return jnp.asarray(window.numbers_held(x)[None, :, :, None], x.dtype)


def average_pool(window: Size, stride: Size | None = None, padding: Padding = "VALID") -> Layer:
    """The mean of each window, over those of its numbers that lie in the image.

    y[n, r, s, c] = Σ x[n, h, w, c] / m over the window of (r, s), m how many there are
    dx[n, h, w, c] = Σ dy[n, r, s, c] / m over the windows that hold (h, w)

    Derivation: y is linear, and each number of a window has the factor 1 / m.
    """
    window_for = _window_maker("average_pool", window, stride, padding)

    def forward(params: NoParams, x: Images, key: Key) -> tuple[PerWindow, Shape]:
        del key
        check_elementary("average_pool", params, x)
        w = window_for(x)
        total = functools.reduce(jnp.add, w.shifted_views(x))
        return total / jnp.broadcast_to(_counts(w, x), total.shape), shapes_of(x)

    def backward(params: NoParams, res: Shape, dy: PerWindow) -> tuple[NoParams, Images]:
        del params
        images = res.struct
        w = window_for(images)
        check_dy("average_pool", dy, (images.shape[0], *w.output_size(images), images.shape[-1]))
        share = dy / jnp.broadcast_to(_counts(w, images), dy.shape)
        return (), w.scatter_to_taps(lambda k, share: share, (share,), images)

    return Layer(_checked_init("average_pool", window_for), forward, backward, "average_pool")


def l2_pool(window: Size, stride: Size | None = None, padding: Padding = "VALID") -> Layer:
    """The Euclidean norm of each window.

    y[n, r, s, c] = √ Σ x[n, h, w, c]² over the window of (r, s)
    dx[n, h, w, c] = x[n, h, w, c] Σ dy[n, r, s, c] / y[n, r, s, c] over the windows that hold (h, w), 0 where y = 0

    Derivation: for one window, y² = Σᵢ xᵢ² over its numbers. Both sides are differentiated with respect to one of them:
    2 y ∂y/∂xⱼ = 2 xⱼ, so ∂y/∂xⱼ = xⱼ / y, the share of xⱼ in the norm. The window passes dy xⱼ / y to each number.
    A number that several windows hold gathers what each of them passes, and the factor xⱼ stands before the sum.
    At y = 0 all numbers of the window are 0. The norm has a corner there and no derivative; 0 is a subgradient.
    """
    window_for = _window_maker("l2_pool", window, stride, padding)

    def forward(params: NoParams, x: Images, key: Key) -> tuple[PerWindow, tuple[Images, PerWindow]]:
        del key
        check_elementary("l2_pool", params, x)
        total = functools.reduce(jnp.add, [view * view for view in window_for(x).shifted_views(x)])
        positive = total > 0
        # Autodiff differentiates both branches of a select: the inner one keeps √ away from 0.
        y = jnp.where(positive | (total != total), jnp.sqrt(jnp.where(positive, total, 1)) + 0 * total, 0)
        return y, (x, y)

    def backward(params: NoParams, res: tuple[Images, PerWindow], dy: PerWindow) -> tuple[NoParams, Images]:
        del params
        x, y = res
        check_dy("l2_pool", dy, y.shape)

        def share(k, y, dy):
            return jnp.where(y == 0, 0, dy / jnp.where(y == 0, 1, y))

        return (), x * window_for(x).scatter_to_taps(share, (y, dy), x)

    return Layer(_checked_init("l2_pool", window_for), forward, backward, "l2_pool")
