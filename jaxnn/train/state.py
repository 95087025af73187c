"""The state of a training between two steps, and the history that it leaves."""

from typing import Any, NamedTuple

import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxnn.layer import Params
from jaxnn.quantities import Quantity
from jaxnn.train.step import Hyperparameters


class Best(NamedTuple):
    """The best parameters so far, and the epochs done when they were measured.

    score: the metric that chooses them, larger for better ones; `no_score` before the first evaluation
    tie_breaker: minus their loss on the same part, which decides between equal scores; `no_score` where no loss is
        measured
    """

    params: Params
    score: Float[Array, ""]
    tie_breaker: Float[Array, ""]
    epoch: Int[Array, ""]


def no_score(dtype: Any) -> np.ndarray:
    """The score before the first evaluation: the lowest finite number. JAX's flag `jax_debug_infs` would end a run
    that begins with −∞."""
    return np.asarray(jnp.finfo(dtype).min, dtype)


def has_score(score: Any) -> np.ndarray:
    """Which scores are finite and measured."""
    score = np.asarray(score)
    return np.isfinite(score) & (score > no_score(score.dtype))


class State(NamedTuple):
    """Everything that the next step reads, but its place in the epoch, which all the seeds of a program share.

    update: the state of the `Update`
    sums: what each step of the current epoch measured, by name, (steps,) each; a step that was skipped counts 0
    """

    key: PRNGKeyArray
    update: Any
    epoch: Int[Array, ""]
    best: Best
    sums: dict[str, Quantity]
    hyperparameters: Hyperparameters


class History(NamedTuple):
    """The metrics of each evaluation by name; NaN for what was not measured, and after an early stop.

    train: the mean over the steps of the epoch before the evaluation
    """

    train: dict[str, Any]
    validation: dict[str, Any]
