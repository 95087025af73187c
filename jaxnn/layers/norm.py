"""Normalization of each example, or place, by the statistics of its own features."""

from typing import NamedTuple

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaxnn.errors import UserError
from jaxnn.kernels.array_types import AnyArray, ArrayOrShape
from jaxnn.kernels.matmul import add_bias, sum_leading
from jaxnn.kernels.sums import mean_outputs, sum_places_in_a_loop
from jaxnn.layer import Key, Layer
from jaxnn.shapes import check_floating, checked

Values = Float[AnyArray, "batch *rest n"]
PerRow = Float[AnyArray, "batch *rest 1"]
PerGroup = Float[AnyArray, "batch 1 groups 1"]
Features = Float[Array, "n"]


class NormParams(NamedTuple):
    """A factor and a summand for each feature; `offset` is None where nothing is added. Neither is decayed."""

    scale: Float[Array, "n"]
    offset: Float[Array, "n"] | None


def layer_norm(epsilon: float = 1e-5, offset: bool = True) -> Layer:
    """Layer normalization: the features of each place get mean 0 and variance 1, then each a scale and an offset.

    x̂ = (x − μ) r,  r = 1 / √(σ² + ε);  y = γ x̂ + β,  with μ and σ² over the n features
    g = γ dy;  dx = r (g − mean g − x̂ mean(g x̂));  dγ = Σ dy x̂,  dβ = Σ dy

    Derivation: ∂μ/∂xⱼ = 1/n and ∂r/∂xⱼ = −r³ (xⱼ − μ)/n = −r² x̂ⱼ/n, since the deviations sum to 0. So
    ∂x̂ᵢ/∂xⱼ = r (δᵢⱼ − 1/n) − x̂ᵢ x̂ⱼ r/n, and dxⱼ = Σᵢ gᵢ ∂x̂ᵢ/∂xⱼ gives the two means.

    x and y (batch, …, n), γ and β (n). The variance is a mean of squared deviations: that of squares less the square of
    the mean loses all digits where the mean is large. Kept: x, and μ and r of each place. (Ba, Kiros and Hinton 2016.)
    Raises `UserError` for ε below 0.
    """
    _check_epsilon("layer_norm", epsilon)

    def init(key: PRNGKeyArray, x: Float[ArrayOrShape, "batch *rest n"]) -> NormParams:
        del key
        check_floating("layer_norm", x, axes=2)
        n = x.shape[-1]
        return NormParams(jnp.ones((n,), x.dtype), jnp.zeros((n,), x.dtype) if offset else None)

    def forward(params: NormParams, x: Values, key: Key) -> tuple[Values, tuple[Values, PerRow, PerRow]]:
        del key
        mean = mean_outputs(x)
        root = jax.lax.rsqrt(mean_outputs((x - mean) ** 2) + epsilon)
        y = (x - mean) * root * _row(params.scale, x)
        return y if params.offset is None else y + _row(params.offset, x), (x, mean, root)

    def backward(params: NormParams, res: tuple[Values, PerRow, PerRow], dy: Values) -> tuple[NormParams, Values]:
        x, mean, root = res
        scale, normal = _row(params.scale, dy), (x - mean) * root
        # One product serves both sums over x̂, so XLA needs no other array of this size.
        product = dy * normal
        dx = root * (dy * scale - mean_outputs(dy, params.scale) - normal * mean_outputs(product, params.scale))
        return NormParams(sum_leading(product), None if params.offset is None else sum_leading(dy)), dx

    return checked(Layer(init, forward, backward, "layer_norm"))


def rms_norm(epsilon: float = 1e-6) -> Layer:
    """Normalization by the root of the mean square of the features of each place, then a scale of each feature.

    x̂ = x r,  r = 1 / √(mean(x²) + ε);  y = γ x̂
    g = γ dy;  dx = r (g − x̂ mean(g x̂));  dγ = Σ dy x̂

    Derivation: ∂r/∂xⱼ = −r³ xⱼ/n = −r² x̂ⱼ/n, so ∂x̂ᵢ/∂xⱼ = r δᵢⱼ − x̂ᵢ x̂ⱼ r/n.

    x and y (batch, …, n), γ (n). Kept: x, and r of each place. (Zhang and Sennrich 2019.)
    Raises `UserError` for ε below 0.
    """
    _check_epsilon("rms_norm", epsilon)

    def init(key: PRNGKeyArray, x: Float[ArrayOrShape, "batch *rest n"]) -> NormParams:
        del key
        check_floating("rms_norm", x, axes=2)
        return NormParams(jnp.ones((x.shape[-1],), x.dtype), None)

    def forward(params: NormParams, x: Values, key: Key) -> tuple[Values, tuple[Values, PerRow]]:
        del key
        root = jax.lax.rsqrt(mean_outputs(x * x) + epsilon)
        return x * root * _row(params.scale, x), (x, root)

    def backward(params: NormParams, res: tuple[Values, PerRow], dy: Values) -> tuple[NormParams, Values]:
        x, root = res
        scale, normal = _row(params.scale, dy), x * root
        # One product serves both sums, so XLA needs no other array of this size.
        product = dy * normal
        dx = root * (dy * scale - normal * mean_outputs(product, params.scale))
        return NormParams(sum_leading(product), None), dx

    return checked(Layer(init, forward, backward, "rms_norm"))


def group_norm(groups: int = 1, epsilon: float = 1e-5) -> Layer:
    """Group normalization: the channels of each example are normalized in groups, over all places of the example.

    x̂ = (x − μ) r,  r = 1 / √(σ² + ε);  y = γ x̂ + β,  with μ and σ² over the places and the channels of a group
    g = γ dy;  dx = r (g − mean g − x̂ mean(g x̂)) with the means over the group;  dγ = Σ dy x̂,  dβ = Σ dy

    Derivation: that of `layer_norm`, with the numbers of a group in place of the features of a place.

    x and y (batch, …, channel), γ and β (channel). One group is layer normalization of a whole image, a group for each
    channel is instance normalization. Kept: x, and μ and r of each group. (Wu and He 2018.)
    Raises `UserError` for ε below 0, and for channels that do not divide into the groups.
    """
    _check_epsilon("group_norm", epsilon)
    if groups < 1:
        raise UserError(f"group_norm: expected at least 1 group, found {groups}")

    def init(key: PRNGKeyArray, x: Float[ArrayOrShape, "batch *rest n"]) -> NormParams:
        del key
        check_floating("group_norm", x, axes=2)
        n = x.shape[-1]
        if n % groups:
            raise UserError(f"group_norm: expected channels that divide into {groups} groups, found {n}")
        return NormParams(jnp.ones((n,), x.dtype), jnp.zeros((n,), x.dtype))

    def grouped(a: Values) -> Float[AnyArray, "batch places groups channels"]:
        return a.reshape(a.shape[0], -1, groups, a.shape[-1] // groups)

    def mean(a: Values) -> Values:
        """The mean over the group of each number, in the shape of `a`."""
        means = grouped(a).mean((1, 3), keepdims=True)
        return jnp.broadcast_to(means, grouped(a).shape).reshape(a.shape)

    def forward(params: NormParams, x: Values, key: Key) -> tuple[Values, tuple[Values, PerGroup, PerGroup]]:
        del key
        parts = grouped(x)
        middle = parts.mean((1, 3), keepdims=True)
        root = jax.lax.rsqrt(((parts - middle) ** 2).mean((1, 3), keepdims=True) + epsilon)
        y = jnp.reshape((parts - middle) * root, x.shape) * _row(params.scale, x)
        return add_bias(y, params.offset), (x, middle, root)

    def backward(params: NormParams, res: tuple[Values, PerGroup, PerGroup], dy: Values) -> tuple[NormParams, Values]:
        x, middle, root = res
        normal = ((grouped(x) - middle) * root).reshape(x.shape)
        product, g = dy * normal, dy * _row(params.scale, dy)
        inner = g - mean(g) - normal * mean(g * normal)
        dx = (grouped(inner) * root).reshape(x.shape)
        return NormParams(sum_places_in_a_loop(product), sum_places_in_a_loop(dy)), dx

    return checked(Layer(init, forward, backward, "group_norm"))


def _row(feature: Features, x: Values) -> Values:
    return jnp.broadcast_to(feature, x.shape)


def _check_epsilon(name: str, epsilon: float) -> None:
    if epsilon < 0:
        raise UserError(f"{name}: expected an epsilon of 0 or more, found {epsilon}")
