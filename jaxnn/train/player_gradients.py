"""The gradients of two players, each with the other held, and that of a gradient penalty."""

from typing import Any, Literal, NamedTuple

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaxnn.layer import Batch, Key, Layer, Params
from jaxnn.train.games import Game

#: r1: of the critic's slope at real examples; slope_one: of its distance from 1, between real examples and samples.
PenaltyKind = Literal["r1", "slope_one"]


class Penalty(NamedTuple):
    """weight · ½ mean ‖∇ₓ D‖² ("r1", Mescheder et al. 2018), or weight · mean (‖∇ₓ D‖ − 1)² ("slope_one", Gulrajani et
    al. 2017)."""

    kind: PenaltyKind
    weight: float


def critic_gradient(
    critic: Layer, game: Game, params: Params, real: Batch, samples: Batch, key: Key
) -> tuple[Float[Array, ""], Params]:
    """The critic's loss and its hand-written gradient, with the samples held: one pass over both batches."""
    n = len(real)
    y, res = critic.forward(params, jnp.concatenate([real, samples]), key)
    on_real, on_samples = game.real(y[:n]), game.sample(y[n:])
    dparams, _ = critic.backward(params, res, jnp.concatenate([on_real[1], on_samples[1]]) / n)
    return on_real[0].mean() + on_samples[0].mean(), dparams


def generator_gradient(
    generator: Layer,
    critic: Layer,
    game: Game,
    params: Params,
    critic_params: Params,
    z: Batch,
    key: Key,
    told: Any = lambda samples: samples,
) -> tuple[Float[Array, ""], Params]:
    """The generator's loss and its hand-written gradient, with the critic held: back through the critic to its input.

    told(samples) -> what the critic sees of them
    """
    samples, res = generator.forward(params, z, key)
    y, critic_res = critic.forward(critic_params, told(samples), key)
    terms, dy = game.generator(y)
    _, dseen = critic.backward(critic_params, critic_res, dy / len(y))
    # The channels of the class, which stand behind those of the samples, do not depend on the generator.
    dparams, _ = generator.backward(params, res, dseen[..., : samples.shape[-1]])
    return terms.mean(), dparams


def penalty_gradient(
    critic: Layer, penalty: Penalty, params: Params, real: Batch, samples: Batch, key: PRNGKeyArray, key_nets: Key
) -> tuple[Float[Array, ""], Params]:
    """The gradient penalty and its derivative by the critic's parameters: one derivative of the hand-written gradient.

    With g = ∇ₓ Σ D at x and a direction v = ∂penalty/∂g that is held, ∂penalty/∂params = d/dε ∇params Σ D(x + ε v) at
    ε = 0: both are the mixed second derivative of D along v.
    """

    def gradients(x: Batch) -> tuple[Params, Batch]:
        y, res = critic.forward(params, x, key_nets)
        return critic.backward(params, res, jnp.ones_like(y))

    x, n = real, len(real)
    if penalty.kind == "slope_one":
        share = jax.random.uniform(key, (n, *[1] * (real.ndim - 1)), real.dtype)
        x = share * real + (1 - share) * samples
    g = gradients(x)[1]
    axes = tuple(range(1, g.ndim))
    squares = (g * g).sum(axes, keepdims=True)
    if penalty.kind == "r1":
        value, v = penalty.weight * squares.mean() / 2, penalty.weight * g / n
    else:
        norm = jnp.sqrt(jnp.where(squares > 0, squares, 1))
        norm = jnp.where(squares > 0, norm, 0)
        value = penalty.weight * ((norm - 1) ** 2).mean()
        v = jnp.where(norm > 0, 2 * penalty.weight / n * (norm - 1) * g / jnp.where(norm > 0, norm, 1), 0)
    _, (dparams, _) = jax.jvp(gradients, (x,), (v,))
    return value, dparams
