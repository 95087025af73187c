"""How a space is searched: all of it, at random, by successive halving, or by what optuna proposes."""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from jaxnn.config.dump import to_builtins
from jaxnn.config.experiment import LoadedData, experiment_of, plan_of
from jaxnn.engine.hooks import Progress
from jaxnn.errors import UserError
from jaxnn.experiment.definition import Experiment
from jaxnn.experiment.scores import Scores, scores
from jaxnn.experiment.seeds import LAST_SEED, MAX_SEEDS
from jaxnn.sweep.members import Family, Member, check_axes, family
from jaxnn.sweep.space import Axis, grid, sample
from jaxnn.sweep.training import Trial, train
from jaxnn.train.plan import Plan

Search = Literal["grid", "random", "halving", "optuna"]
SEARCHES: tuple[Search, ...] = ("grid", "random", "halving", "optuna")
#: A grid of more members is a mistake.
MOST = 100_000
#: The least and the largest value of each number of a search.
LIMITS = {
    "seeds": (1, MAX_SEEDS),
    "trials": (1, MOST),
    "batch": (1, MOST),
    "eta": (2, MOST),
    "draw_seed": (0, LAST_SEED),
}


class SweepResult(NamedTuple):
    """Trials, best first; `best` is the first with its parameters, `scores` are its own on every part of the data.

    metric: that of train.best, by which they are sorted: its mean over the seeds; what diverged comes last
    """

    trials: tuple[Trial, ...]
    best: Trial | None
    scores: Scores
    metric: str
    seeds: tuple[int, ...]
    seconds: float


#: Trains members and gives what came of them.
Trainer = Callable[..., Iterator[Trial]]


def sweep(
    source: str | os.PathLike[str],
    axes: Sequence[Axis],
    overrides: Sequence[str] = (),
    *,
    search: Search = "grid",
    seeds: int | None = None,
    trials: int = 16,
    batch: int = 8,
    eta: int = 3,
    draw_seed: int = 0,
    data_dir: str | os.PathLike[str] | None = None,
    grad: Literal["hand", "auto"] = "hand",
    memory: int | None = None,
    report: Callable[[str, Progress], None] = lambda where, progress: None,
) -> SweepResult:
    """Trains the members of a space, chooses by the metric of train.best, and measures the best one on every part.

    source, overrides: the config, as `jaxnn.config.load` takes it
    seeds: for each member, from the config's first on (default: the config's number)
    trials: members that are drawn or proposed; a space of lists alone is taken whole by grid and halving
    batch: members that optuna proposes at once
    eta: by which halving divides the members, and multiplies the epochs, from rung to rung
    draw_seed: of what is drawn
    memory: bytes that a program may take (default: of what there is)
    Raises `UserError` for a space that cannot be, with all its mistakes at once.
    """
    if not axes:
        raise UserError("expected something to vary, such as --over optimizer.learning_rate=0.01,0.1; found nothing")
    check_numbers(search, seeds=seeds, trials=trials, batch=batch, eta=eta, draw_seed=draw_seed)
    common = family(source, overrides, seeds)
    check_axes(common, axes)
    started, loaded = time.perf_counter(), {}

    def train_members(where: str, members: Sequence[Member], **options: Any) -> Iterator[Trial]:
        def report_rows(done: int, rows: int, progress: Progress) -> None:
            report(f"{where}{done} of {rows} runs", progress)

        shared = {"data_dir": data_dir, "grad": grad, "memory": memory, "loaded": loaded}
        return train(members, common.seeds, report=report_rows, **shared, **options)

    if search == "optuna":
        results = _optuna(axes, common, train_members, trials, batch, draw_seed)
    else:
        members = common.make(_distinct(_combinations(search, axes, trials, draw_seed)))
        results = (
            _halving(members, common.plan, train_members, eta) if search == "halving" else train_members("", members)
        )
    light, best = [], None
    for trial in results:
        if best is None or order(trial) < order(best):
            best = trial
        # The parameters of all members together may not fit.
        light.append(trial._replace(snapshot=None))
    light.sort(key=order)
    seconds, measured = time.perf_counter() - started, {}
    if best is None or best.snapshot is None or not np.isfinite(best.objective):
        best = None
    else:
        params = best.snapshot.state.best.params
        best = best._replace(experiment=_experiment_of(best, loaded, grad))
        measured = scores(best.experiment, params)
    return SweepResult(tuple(light), best, measured, common.plan.best, common.seeds, seconds)


def _experiment_of(trial: Trial, loaded: Mapping[str, LoadedData], grad: str) -> Experiment:
    """The experiment of a trial's own member, where `trial.experiment` is that of the first of its program."""
    config, experiment = trial.member.config, trial.member.experiment
    if config is None:
        assert experiment is not None
        return experiment
    text = json.dumps(to_builtins(config.data), sort_keys=True, default=str)
    return experiment_of(config, loaded[text], seeds=trial.experiment.seeds, grad=grad)


def order(trial: Trial) -> tuple[float, float]:
    """The sorting key of trials: those that trained for longer first, as in halving, and of these the best first."""
    diverged = not np.isfinite(trial.objective)
    return (np.inf if diverged else -trial.epochs, -trial.objective)


def check_numbers(search: str, **numbers: int | None) -> None:
    """Raises `UserError` for a search that is not known or counts that cannot be."""
    if search not in SEARCHES:
        raise UserError(f"--search: expected one of {', '.join(SEARCHES)}, found {search!r}")
    for name, value in numbers.items():
        least, most = LIMITS[name]
        if value is not None and not least <= value <= most:
            raise UserError(f"--{name.replace('_', '-')}: expected from {least} to {most:,}, found {value}")


def _combinations(search: str, axes: Sequence[Axis], trials: int, seed: int) -> Iterable[dict[str, str]]:
    drawn = [axis.name for axis in axes if axis.kind != "choice"]
    if search == "grid" and drawn:
        raise UserError(
            f"--search grid takes lists: expected --over {drawn[0]}=VALUES, found a distribution; "
            "random, halving and optuna draw from it"
        )
    if search == "random" or drawn:
        return sample(axes, trials, seed)
    size = int(np.prod([len(axis.choices) for axis in axes], dtype=float))
    if size > MOST:
        raise UserError(f"expected at most {MOST:,} members, found {size:,}; --search random takes some of them")
    return grid(axes)


def _distinct(combinations: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    return list({tuple(sorted(values.items())): values for values in combinations}.values())


def halving_schedule(members: int, epochs: int, eta: int, every: int) -> list[tuple[int, int]]:
    """Successive halving: (how many go on, until which epoch), the last one until the end.

    Each rung has 1/η of the members of the one below and η times its epochs, in multiples of `every` (Jamieson and
    Talwalkar 2016).
    """
    untils, n = [epochs], members
    while n // eta >= 1 and untils[0] // eta // every >= 1:
        n, untils = n // eta, [untils[0] // eta // every * every, *untils]
    return [(max(1, members // eta**i), until) for i, until in enumerate(untils)]


def _halving(members: Sequence[Member], plan: Plan, trained: Trainer, eta: int) -> Iterator[Trial]:
    """Every member starts; after each rung the best continue. The others are yielded as they are."""
    lengths = {(p.epochs, p.eval_every) for p in map(_plan_of, members)}
    if len(lengths) > 1:
        raise UserError("--search halving shares out the epochs itself: expected no train.epochs to vary, found some")
    schedule = halving_schedule(len(members), plan.epochs, eta, plan.eval_every)
    running: list[Trial] = []
    for number, (count, until) in enumerate(schedule):
        if number:
            running.sort(key=order)
            yield from running[count:]
            running = running[:count]
        where = f"rung {number + 1} of {len(schedule)}: "
        resume_from = running or None
        continuing = [trial.member for trial in running] if running else list(members)
        running = list(trained(where, continuing, epochs=until, resume_from=resume_from))
    yield from running


def _plan_of(member: Member) -> Plan:
    if member.config is not None:
        return plan_of(member.config)
    assert member.experiment is not None
    return member.experiment.plan


def _optuna(
    axes: Sequence[Axis], common: Family, trained: Trainer, trials: int, batch: int, seed: int
) -> Iterator[Trial]:
    """Members as optuna proposes them: a batch at a time, trained as one program, and reported together."""
    try:
        import optuna
    except ImportError as error:
        raise UserError(
            "--search optuna: expected the package optuna, found none; install it (pip install optuna), or choose "
            "--search random or halving"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # A member that is not reported yet counts as a bad one: a batch is spread out.
    sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True)
    study = optuna.create_study(direction="maximize" if common.plan.sign > 0 else "minimize", sampler=sampler)
    left = trials
    while left:
        asked = [study.ask() for _ in range(min(batch, left))]
        left -= len(asked)
        members = common.make({axis.name: _suggested(axis, proposal) for axis in axes} for proposal in asked)
        proposals = {id(member): proposal for member, proposal in zip(members, asked, strict=True)}
        for trial in trained(f"{trials - left} of {trials} asked: ", members):
            mean = float(trial.score.mean())
            failed = optuna.trial.TrialState.FAIL if np.isnan(mean) else None
            study.tell(proposals[id(trial.member)], None if failed else mean, state=failed)
            yield trial


def _suggested(axis: Axis, trial: Any) -> str:
    if axis.kind == "choice":
        return trial.suggest_categorical(axis.name, list(axis.choices))
    if axis.kind == "integer":
        return axis.format(trial.suggest_int(axis.name, int(axis.low), int(axis.high)))
    return axis.format_rounded(trial.suggest_float(axis.name, axis.low, axis.high, log=axis.kind == "log-uniform"))
