"""Larger images without parameters: every pixel repeated, or interpolated between its neighbours."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jax import numpy as jnp
from jaxtyping import Float

from jaxnn.errors import UserError
from jaxnn.kernels.array_types import Images, NoParams, Outputs
from jaxnn.kernels.window import pair
from jaxnn.layer import Key, Layer, empty_init
from jaxnn.shapes import Shape, check_dy, check_elementary, shapes_of


def upsample(factor: int | Sequence[int] = 2, method: Literal["nearest", "bilinear"] = "nearest") -> Layer:
    """Images with `factor` times as many rows and columns.

    nearest: y[h, w] = x[⌊h / f⌋, ⌊w / f⌋];  dx is the sum of dy over the block of each pixel
    bilinear: y = R x Cᵀ, where each row of R and C has the two weights of linear interpolation;  dx = Rᵀ dy C

    Derivation: both are linear in x, so the backward pass is the transpose: a pixel that is repeated gathers all its
    copies, and a product with R and Cᵀ becomes one with Rᵀ and C.

    x (batch, height, width, channel), y (batch, height · f, width · f, channel). Bilinear takes pixels as squares: it
    interpolates between their middles and repeats the outermost ones, as `jax.image.resize` does.
    Raises `UserError` for factors below 1 and another method.
    """
    factors = pair(factor, "upsample factor")
    if method not in ("nearest", "bilinear"):
        raise UserError(f"upsample: expected method 'nearest' or 'bilinear', found {method!r}")

    def forward(params: NoParams, x: Images, key: Key) -> tuple[Outputs, Shape]:
        del key
        check_elementary("upsample", params, x)
        if x.ndim != 4:
            raise UserError(f"upsample: expected images (batch, height, width, channel), found {tuple(x.shape)}")
        if method == "nearest":
            return _repeat(x, factors), shapes_of(x)
        rows, columns = (interpolation(n, f).astype(x.dtype) for n, f in zip(x.shape[1:3], factors, strict=True))
        return jnp.einsum("hr,nrsc,ws->nhwc", rows, x, columns), shapes_of(x)

    def backward(params: NoParams, res: Shape, dy: Outputs) -> tuple[NoParams, Images]:
        del params
        batch, height, width, channel = res.shape
        check_dy("upsample", dy, (batch, height * factors[0], width * factors[1], channel))
        if method == "nearest":
            return (), dy.reshape(batch, height, factors[0], width, factors[1], channel).sum((2, 4))
        rows, columns = (interpolation(n, f).astype(dy.dtype) for n, f in zip((height, width), factors, strict=True))
        return (), jnp.einsum("hr,nhwc,ws->nrsc", rows, dy, columns)

    return Layer(empty_init, forward, backward, "upsample")


def interpolation(n: int, factor: int) -> Float[np.ndarray, "larger n"]:
    """The matrix of linear interpolation from n to n · factor places; its rows sum to 1."""
    places = np.clip((np.arange(n * factor) + 0.5) / factor - 0.5, 0, n - 1)
    first = np.minimum(places.astype(int), max(n - 2, 0))
    weights = np.zeros((n * factor, n))
    weights[np.arange(n * factor), first] = 1 - (places - first)
    if n > 1:
        weights[np.arange(n * factor), first + 1] += places - first
    return weights


def _repeat(x: Images, factors: tuple[int, int]) -> Outputs:
    batch, height, width, channel = x.shape
    tiled = (batch, height, factors[0], width, factors[1], channel)
    y = jnp.broadcast_to(x[:, :, None, :, None, :], tiled)
    return y.reshape(batch, height * factors[0], width * factors[1], channel)
