"""What a variational autoencoder can be asked beside its loss: new pictures, and how likely an example is."""

import math
from typing import Any

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaxnn.errors import UserError
from jaxnn.kernels.array_types import AnyArray
from jaxnn.layer import Batch, Layer, Params, Part, params_of
from jaxnn.layers.gaussian import split_code
from jaxnn.structured_losses import pixel_nats

#: Draws from the code of an example, of which the importance-weighted likelihood is a mean.
DRAWS = 50


def is_drawn(layer: Layer) -> bool:
    """Whether a layer is `gaussian`, or has it among its parts."""
    return layer.name == "gaussian" or any(is_drawn(part.layer) for part in layer.parts)


def decode(model: Layer, params: Params, z: Float[AnyArray, "batch latent"]) -> Batch:
    """What the layers after `gaussian` make of a latent z (batch, n): the logits of a variational autoencoder.

    Raises `UserError` for a model without `gaussian`, and for one inside another combination than `serial` and
    `with_input`.
    """
    if model.name == "gaussian":
        return z
    drawn = [i for i, part in enumerate(model.parts) if is_drawn(part.layer)]
    if len(drawn) != 1 or model.name not in ("serial", "with_input"):
        raise UserError(
            "decode: expected a model with one gaussian, in serial or with_input, found "
            f"{len(drawn)} in {model.name or 'a layer'}; a variational autoencoder is serial(encoder, "
            "with_input(serial(gaussian(), decoder)))"
        )
    first, *rest = model.parts[drawn[0] :]
    y = decode(first.layer, params_of(first, params), z)
    return _apply(rest, params, y)


def _apply(parts: list[Part], params: Params, y: Batch) -> Batch:
    for part in parts:
        y = part.layer.apply(params_of(part, params), y)
    return y


def sample_prior(model: Layer, params: Params, key: PRNGKeyArray, x: Batch) -> Batch:
    """As many pictures as x has, from z ~ N(0, 1): the probability of each pixel. Only the shapes of x are used."""
    _, code = jax.eval_shape(model.apply, params, x)
    return jax.nn.sigmoid(decode(model, params, jax.random.normal(key, _latent(code), code.dtype)))


def _latent(code: Any) -> tuple[int, ...]:
    return *code.shape[:-1], code.shape[-1] // 2


def log_likelihood(
    model: Layer, params: Params, x: Batch, target: Batch, key: PRNGKeyArray, draws: int = DRAWS
) -> Float[Array, "batch"]:
    """The importance-weighted estimate of ln p(target) of each example, in nats (Burda, Grosse and Salakhutdinov 2016).

    ln (1/k) Σᵢ p(t | zᵢ) p(zᵢ) / q(zᵢ | x),  zᵢ ~ q(· | x) = N(μ, e^ℓ)

    Its mean is a lower bound, which is the evidence lower bound for k = 1 and comes closer with more draws.
    """
    _, code = model.apply(params, x)
    mean, log_variance = split_code(code)

    def log_weight(key: PRNGKeyArray) -> Float[Array, "batch"]:
        noise = jax.random.normal(key, mean.shape, mean.dtype)
        z = mean + jnp.exp(log_variance / 2) * noise
        logits = decode(model, params, z)
        # The constants of both normal densities cancel.
        return -pixel_nats(logits, target) + 0.5 * (noise**2 + log_variance - z**2).sum(-1)

    weights = jax.lax.map(log_weight, jax.random.split(key, draws))
    return jax.nn.logsumexp(weights, axis=0) - math.log(draws)
