"""Normalization of each channel by the statistics of a batch."""

from typing import Any, NamedTuple

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaxnn.batch_statistics import Statistics, statistics_of
from jaxnn.errors import UserError
from jaxnn.kernels.array_types import AnyArray
from jaxnn.kernels.sums import sum_places_in_a_loop
from jaxnn.layer import Key, Layer, Time
from jaxnn.shapes import check_floating, checked

Values = Float[AnyArray, "batch *rest n"]
PerChannel = Float[AnyArray, "n"]


class BatchNormParams(NamedTuple):
    """A factor and a summand for each channel, neither of which is decayed, and the statistics of the evaluation."""

    scale: Float[Array, "n"]
    offset: Float[Array, "n"]
    statistics: Statistics


class BatchNormResiduals(NamedTuple):
    """x, μ and r; deviation: σ of the params in evaluation, None in training, where μ and r depend on x."""

    x: Values
    mean: PerChannel
    root: PerChannel
    deviation: PerChannel | None


def batch_norm(epsilon: float = 1e-5) -> Layer:
    """Batch normalization: each channel gets mean 0 and variance 1 over a batch, then a scale and an offset.

    x̂ = (x − μ) r,  r = 1 / √(σ² + ε);  y = γ x̂ + β
    Training (with a key), μ and σ² of the m numbers of each channel: g = γ dy,  dx = r (g − mean g − x̂ mean(g x̂))
    Evaluation (no key), μ and σ among the params: dx = r γ dy,  dμ = −r γ dβ,  dσ = −σ r² γ dγ
    In both: dγ = Σ dy x̂,  dβ = Σ dy

    Derivation: in training that of `layer_norm`, with the m numbers of a channel in place of the features of a place;
    y does not depend on μ and σ of the params, so their derivatives are 0. In evaluation y is linear in x and μ, and
    ∂r/∂σ = −σ r³.

    x and y (batch, …, channel), γ, β, μ and σ (channel). The layer has no state: a step sees its batch, and
    training sets μ and σ from up to 32 batches before each evaluation (Wu and Johnson 2021). An optimizer leaves them
    alone. Kept: x, μ and r of each channel. (Ioffe and Szegedy 2015.)
    A `Sequence` or a `Graph` is refused: their padding would count.
    Raises `UserError` for ε below 0.
    """
    if epsilon < 0:
        raise UserError(f"batch_norm: expected an epsilon of 0 or more, found {epsilon}")

    def init(key: PRNGKeyArray, x: Any) -> BatchNormParams:
        del key
        check_floating("batch_norm", x, axes=2)
        ones, zeros = jnp.ones(x.shape[-1:], x.dtype), jnp.zeros(x.shape[-1:], x.dtype)
        return BatchNormParams(ones, zeros, Statistics(zeros, ones))

    def forward(params: BatchNormParams, x: Values, key: Key) -> tuple[Values, BatchNormResiduals]:
        mean, deviation = params.statistics if key is None else statistics_of(x)
        root = jax.lax.rsqrt(deviation**2 + epsilon)
        y = (x - _row(mean, x)) * _row(root * params.scale, x) + _row(params.offset, x)
        return y, BatchNormResiduals(x, mean, root, deviation if key is None else None)

    def backward(params: BatchNormParams, res: BatchNormResiduals, dy: Values) -> tuple[BatchNormParams, Values]:
        x, mean, root, deviation = res
        normal = (x - _row(mean, x)) * _row(root, x)
        dscale, doffset = sum_places_in_a_loop(dy * normal), sum_places_in_a_loop(dy)
        slope = root * params.scale
        if deviation is not None:
            statistics = Statistics(-slope * doffset, -deviation * root * slope * dscale)
            return BatchNormParams(dscale, doffset, statistics), _row(slope, x) * dy
        numbers = x.size // x.shape[-1]
        dx = _row(slope, x) * (dy - _row(doffset / numbers, x) - normal * _row(dscale / numbers, x))
        return BatchNormParams(dscale, doffset, jax.tree.map(jnp.zeros_like, params.statistics)), dx

    def statistics(params: BatchNormParams, x: Values) -> BatchNormParams:
        return params._replace(statistics=statistics_of(x))

    # With a `time` of its own it is given a `Sequence` or a `Graph` as it is, and refuses it.
    return checked(Layer(init, forward, backward, "batch_norm", time=Time(), statistics=statistics))


def _row(channel: PerChannel, x: Values) -> Values:
    return jnp.broadcast_to(channel, x.shape)
