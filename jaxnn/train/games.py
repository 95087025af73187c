"""Losses of two players: what the critic is to say of real examples and of samples, and what the generator wants."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float

from jaxnn.errors import UserError
from jaxnn.losses import sigmoid_cross_entropy

#: The critic's numbers of a batch.
Verdicts = Float[Array, "batch 1"]
#: A number for each example, and its derivative by the verdict.
Terms = tuple[Float[Array, "batch"], Verdicts]


class Game(NamedTuple):
    """The losses of a critic, of its verdicts on real examples and on samples, and of a generator. Each is a function
    y -> (terms, dy), both written by hand; a mean over the batch is taken of the terms."""

    name: str
    real: Callable[[Verdicts], Terms]
    sample: Callable[[Verdicts], Terms]
    generator: Callable[[Verdicts], Terms]

    def equilibrium(self) -> dict[str, float]:
        """The losses of both players where the critic cannot tell and says 0 of everything."""
        with jax.ensure_compile_time_eval():
            undecided = jnp.zeros((1, 1))
            real, sample, generator = (float(side(undecided)[0][0]) for side in self[1:])
        return {"critic_loss": real + sample, "generator_loss": generator}


def non_saturating() -> Game:
    """The critic's verdict is the logit of "real" (Goodfellow et al. 2014).

    real: −ln σ(y);  sample: −ln (1 − σ(y));  generator: −ln σ(y)
    The generator raises σ(y) by −ln σ(y): ln (1 − σ(y)) has no slope where the critic is sure. Where no critic can
    tell, the critic's loss is 2 ln 2 and the generator's ln 2.
    """
    loss = sigmoid_cross_entropy()

    def towards(label: float) -> Callable[[Verdicts], Terms]:
        return lambda y: (loss.terms(y, jnp.full_like(y, label)), loss.derivative(y, jnp.full_like(y, label)))

    return Game("non_saturating", towards(1.0), towards(0.0), towards(1.0))


def hinge() -> Game:
    """real: max(0, 1 − y);  sample: max(0, 1 + y);  generator: −y. (Lim and Ye 2017.)"""

    def margin(sign: float) -> Callable[[Verdicts], Terms]:
        return lambda y: (jax.nn.relu(1 - sign * y)[..., 0], jnp.where(1 - sign * y > 0, -sign, 0.0).astype(y.dtype))

    return Game("hinge", margin(1.0), margin(-1.0), _linear(-1.0))


def wasserstein() -> Game:
    """real: −y;  sample: y;  generator: −y, of a critic whose slope a gradient penalty holds (Arjovsky et al. 2017)."""
    return Game("wasserstein", _linear(-1.0), _linear(1.0), _linear(-1.0))


def _linear(slope: float) -> Callable[[Verdicts], Terms]:
    return lambda y: (slope * y[..., 0], jnp.full_like(y, slope))


#: name -> constructor
GAMES: dict[str, Callable[[], Game]] = {
    constructor.__name__: constructor for constructor in (non_saturating, hinge, wasserstein)
}


def check_verdicts(y: Any, batch: int) -> None:
    """Raises `UserError` for a critic whose output is not one number for each example."""
    if tuple(getattr(y, "shape", ())) != (batch, 1):
        raise UserError(
            f"critic: expected one number for each example, shape {(batch, 1)}, found "
            f"{tuple(getattr(y, 'shape', ()))}; end the critic with dense of 1 unit"
        )
