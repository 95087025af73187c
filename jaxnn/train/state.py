"""The state of a training between two steps, and the history that it leaves."""

from typing import Any, NamedTuple

from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxnn.layer import Params
from jaxnn.metrics import Sum
from jaxnn.train.step import Hyperparameters


class Best(NamedTuple):
    """The best parameters so far, their score (larger is better) and the epochs done when they were measured."""

    params: Params
    score: Float[Array, ""]
    epoch: Int[Array, ""]


class State(NamedTuple):
    """Everything that the next step reads, but its place in the epoch, which all the seeds of a program share.

    update: the state of the `Update`
    sums: what each step of the current epoch measured, by name, (steps,) each; a step that was skipped counts 0
    """

    key: PRNGKeyArray
    update: Any
    epoch: Int[Array, ""]
    best: Best
    sums: dict[str, Sum]
    hyperparameters: Hyperparameters


class History(NamedTuple):
    """The metrics of each evaluation by name; NaN for what was not measured, and after an early stop.

    train: the mean over the steps of the epoch before the evaluation
    """

    train: dict[str, Any]
    validation: dict[str, Any]
