"""Noise made inside the compiled step: what the net sees of a batch, and what it is to say of it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax import numpy as jnp
from jaxtyping import PRNGKeyArray

from jaxnn.errors import UserError
from jaxnn.kernels.batch_rows import draw_bernoulli, draw_normal, draw_uniform
from jaxnn.layer import Batch
from jaxnn.train.step import Update


class Noise(NamedTuple):
    """`apply(key, x, target) -> (x, target)`: a pure function of the key.

    name: the name of its constructor
    evaluated: whether an evaluation makes it, too, because the task is to undo it
    """

    name: str
    apply: Callable[[PRNGKeyArray, Batch, Batch], tuple[Batch, Batch]]
    evaluated: bool = True


def gaussian_noise(deviation: float = 0.3) -> Noise:
    """Normal noise of this standard deviation on the inputs: a denoising autoencoder takes it away again."""
    _check("gaussian_noise", "deviation", deviation, deviation >= 0, "at least 0")
    return Noise(
        "gaussian_noise",
        lambda key, x, target: (x + deviation * draw_normal(key, x.shape, x.dtype), target),
    )


def masking_noise(rate: float = 0.3) -> Noise:
    """Sets the fraction `rate` of the inputs to 0 (Vincent et al. 2010)."""
    _check("masking_noise", "rate", rate, 0 <= rate < 1, "in [0, 1)")
    return Noise(
        "masking_noise",
        lambda key, x, target: (jnp.where(draw_bernoulli(key, rate, x.shape), 0, x), target),
    )


def binarize() -> Noise:
    """Pixels 0 or 1, drawn with the grey value as the probability of 1: anew in every step, also for the target, where
    the target is the input (Salakhutdinov and Murray 2008)."""

    def apply(key, x, target):
        # 1 where the drawn number is below x. XLA converts the truth values of a comparison one at a time.
        drawn = jnp.clip(jnp.ceil(x - draw_uniform(key, x.shape, x.dtype)), 0, 1)
        same = getattr(target, "shape", None) == x.shape and jnp.issubdtype(target.dtype, jnp.floating)
        return drawn, drawn if same else target

    return Noise("binarize", apply)


def drop_tokens(rate: float = 0.1, token: int = 0) -> Noise:
    """Replaces the fraction `rate` of the tokens of a text by one token, while training alone."""
    _check("drop_tokens", "rate", rate, 0 <= rate < 1, "in [0, 1)")

    def apply(key, x, target):
        def drop(ids):
            return jnp.where(draw_bernoulli(key, rate, ids.shape), jnp.asarray(token, ids.dtype), ids)

        # The lengths of a `Sequence` have one axis and stay.
        return jax.tree.map(lambda a: drop(a) if a.ndim > 1 else a, x), target

    return Noise("drop_tokens", apply, evaluated=False)


def _check(name: str, option: str, value: Any, holds: Any, expected: str) -> None:
    if isinstance(value, float | int) and not holds:
        raise UserError(f"{name}: expected {option} {expected}, found {value}")


#: name -> constructor
NOISES: dict[str, Callable[..., Noise]] = {
    constructor.__name__: constructor for constructor in (gaussian_noise, masking_noise, binarize, drop_tokens)
}


def noisy(update: Update, noise: Noise) -> Update:
    """`update` of batches (x, target) with noise: in the steps and their diagnosis, and where the task is to undo the
    noise also in an evaluation. A prediction sees what it is given."""

    def corrupt(batch, key):
        # "noi" in ASCII: a stream of its own, independent of the layers' keys.
        return noise.apply(jax.random.fold_in(key, 0x6E6F69), *batch)

    def init(key, example):
        return update.init(key, jax.eval_shape(corrupt, example, key))

    def evaluate(params, batch, key):
        return update.evaluate(params, corrupt(batch, key) if noise.evaluated else batch, key)

    def score(params, batch, key):
        assert update.score is not None
        return update.score(params, corrupt(batch, key) if noise.evaluated else batch, key)

    return update.with_batches(corrupt)._replace(
        init=init,
        evaluate=evaluate,
        score=score if update.score is not None else None,
    )
