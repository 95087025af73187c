"""How long to train, what to keep, and what to do about NaN."""

from typing import Literal, NamedTuple

from jaxnn.errors import UserError
from jaxnn.metrics import lower_is_better

#: What a run does about NaN and infinity: stop with an error, skip the step, also go back to the last checkpoint, or
#: ignore them, so that the caller must check the result.
Policy = Literal["stop", "skip", "rollback", "ignore"]


class Plan(NamedTuple):
    """How long to train, and what to keep.

    epochs: times that the source is gone through
    best: the part and the metric that choose the best parameters: "train.loss", "validation.accuracy"; "last" takes
        those of the last evaluation, as two players have no best. Of epochs with
        equal values the one with the lowest loss on the same part is the best, then the first. In full-batch training a
        "train" metric is measured in every step, before its update; otherwise after the updates, at every evaluation
    patience: stop after more than so many epochs without a better one, by `best` and its ties
    eval_every: epochs from one evaluation, and one row of the history, to the next
    on_nonfinite: what NaN or infinity does
    save_epochs, save_minutes: how often a run in a folder is saved; None: not by this
    keep: checkpoints that stay, besides the one with the best score
    """

    epochs: int
    best: str = "train.loss"
    patience: int | None = None
    eval_every: int = 1
    on_nonfinite: Policy = "stop"
    save_epochs: int | None = None
    save_minutes: float | None = 1.0
    keep: int = 2

    @property
    def evaluations(self) -> int:
        """The rows of a whole history."""
        return self.epochs // self.eval_every

    @property
    def best_part(self) -> str:
        return self.best.partition(".")[0]

    @property
    def best_metric(self) -> str:
        return self.best.partition(".")[2]

    @property
    def sign(self) -> int:
        """1 where more of the metric is better, −1 where less is."""
        return -1 if lower_is_better(self.best_metric) else 1


def check_plan(plan: Plan, metrics: tuple[str, ...], *, validation: bool) -> None:
    """Raises `UserError` for a plan that cannot be carried out with these metrics.

    validation: whether there is a validation part
    """
    if plan.epochs < 1 or plan.eval_every < 1 or plan.epochs % plan.eval_every:
        raise UserError(
            f"expected epochs to be a positive multiple of eval_every, found {plan.epochs} and {plan.eval_every}"
        )
    part, _, metric = plan.best.partition(".")
    if plan.best == "last":
        return
    if part not in ("train", "validation") or not metric:
        raise UserError(f"expected best as 'train.METRIC', 'validation.METRIC' or 'last', found {plan.best!r}")
    if part == "validation" and not validation:
        raise UserError(f"expected a validation part for best = {plan.best!r}, found none; 'train.loss' needs none")
    if metric not in metrics:
        example = "loss" if "loss" in metrics else metrics[0]
        raise UserError(
            f"expected best to name a metric among {', '.join(metrics)}, found {plan.best!r}; write best = "
            f"'{part}.{example}', in a config in the table [train]"
        )
