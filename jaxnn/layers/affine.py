"""The parameters of the layers that multiply by a weight: with a bias or without."""

from typing import NamedTuple

from jax import numpy as jnp
from jaxtyping import Array, Float

from jaxnn.kernels.matmul import total


class Linear(NamedTuple):
    """A weight alone."""

    weight: Float[Array, "..."]


class Affine(NamedTuple):
    """A weight and a bias, one number for each output channel."""

    weight: Float[Array, "..."]
    bias: Float[Array, "channel"]


def add_bias(params: Linear | Affine, y: Array) -> Array:
    """y + b, where there is a bias."""
    return y + jnp.broadcast_to(params.bias, y.shape) if isinstance(params, Affine) else y


def affine_gradient(params: Linear | Affine, dweight: Array, dy: Array) -> Linear | Affine:
    """`dweight`, and db = Σ dy over all axes but the channels', where there is a bias."""
    if isinstance(params, Affine):
        return Affine(dweight, total(dy))
    return Linear(dweight)
