"""Members as optuna proposes them. What is proposed again is not trained again."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from jaxnn.errors import UserError
from jaxnn.sweep.members import Family, Member
from jaxnn.sweep.space import Axis, size
from jaxnn.sweep.store import identity
from jaxnn.sweep.training import Trainer, Trial

#: Proposals of members that were proposed before, after which optuna is taken to have no others for a batch.
MAX_PROPOSED_AGAIN = 64


def import_optuna() -> Any:
    """The package optuna. Raises `UserError` where it is not installed."""
    try:
        import optuna
    except ImportError as error:
        raise UserError(
            "--search optuna: expected the package optuna, found none; install it (pip install optuna), or choose "
            "--search random or halving"
        ) from error
    return optuna


def optuna_search(
    axes: Sequence[Axis], common: Family, trained: Trainer, trials: int, batch: int, seed: int
) -> Iterator[Trial]:
    """Members as optuna proposes them: a batch at a time, trained as one program, and reported together."""
    optuna = import_optuna()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # A member that is not reported yet counts as a bad one: a batch is spread out.
    sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True)
    study = optuna.create_study(direction="maximize" if common.plan.sign > 0 else "minimize", sampler=sampler)
    results: dict[str, float] = {}
    trials = int(min(trials, size(axes)))

    def tell(proposal: Any, mean: float) -> None:
        failed = optuna.trial.TrialState.FAIL if np.isnan(mean) else None
        study.tell(proposal, None if failed else mean, state=failed)

    while len(results) < trials:
        # What was proposed before is not trained again: its result is told, and another member is asked for.
        asked: dict[str, tuple[Member, list[Any]]] = {}
        repeats = 0
        while len(asked) < min(batch, trials - len(results)) and repeats < MAX_PROPOSED_AGAIN:
            proposal = study.ask()
            (member,) = common.make([{axis.name: _suggested(axis, proposal) for axis in axes}])
            name = identity(member)
            repeats += name in results or name in asked
            if name in results:
                tell(proposal, results[name])
            else:
                asked.setdefault(name, (member, []))[1].append(proposal)
        if not asked:
            return  # the space has no other members, or optuna finds none
        where = f"{len(results) + len(asked)} of {trials} asked: "
        for trial in trained(where, [member for member, _ in asked.values()]):
            name = identity(trial.member)
            results[name] = float(trial.score.mean())
            for proposal in asked[name][1]:
                tell(proposal, results[name])
            yield trial


def _suggested(axis: Axis, trial: Any) -> str:
    if axis.kind == "choice":
        return trial.suggest_categorical(axis.name, list(axis.choices))
    if axis.kind == "integer":
        return axis.format(trial.suggest_int(axis.name, int(axis.low), int(axis.high)))
    return axis.format_rounded(trial.suggest_float(axis.name, axis.low, axis.high, log=axis.kind == "log-uniform"))
