"""What a training goes through: its state between two steps, and what it leaves."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import numpy as np
import optax
from jax import numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from jaxnn.layer import Params
from jaxnn.metrics import Metrics

#: Numbers by name, such as a learning rate: inputs of the compiled program, which serves all their values.
Settings = Mapping[str, Array | np.ndarray]


class Best(NamedTuple):
    """The best parameters seen, their score (larger is better) and the epochs done when they were seen."""

    params: Params
    score: Float[Array, ""]
    epoch: Int[Array, ""]


class Seen(NamedTuple):
    """What each step of the epoch under way measured, and whether it counts: one that was passed over does not."""

    metrics: Metrics
    counts: Bool[Array, "steps"]

    def mean(self) -> Metrics:
        """Over the steps that count."""
        return jax.tree.map(lambda a: jnp.mean(a, where=self.counts), self.metrics)


class State(NamedTuple):
    """Everything that the next step reads, but its place in the epoch, which all the seeds of a program share."""

    key: PRNGKeyArray
    params: Params
    optimizer: optax.OptState
    epoch: Int[Array, ""]
    best: Best
    seen: Seen
    settings: Settings


class History(NamedTuple):
    """One row a record; NaN for what was not measured, and after an early stop."""

    train: Metrics
    validation: Metrics


class Trained(NamedTuple):
    """The parameters with the best score, and those after the last step."""

    best: Params
    last: Params
