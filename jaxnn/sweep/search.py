"""How a space is searched: all of it, at random, by successive halving, or by what optuna proposes."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from jaxnn.config import Config, load
from jaxnn.config.experiment import with_config
from jaxnn.engine.driver import Progress
from jaxnn.errors import UserError
from jaxnn.experiment.results import scores
from jaxnn.metrics import Metrics
from jaxnn.sweep.members import Member, check_axes, make_members
from jaxnn.sweep.space import Axis, grid, sample
from jaxnn.sweep.training import Trial, train

Search = Literal["grid", "random", "halving", "optuna"]
SEARCHES: tuple[Search, ...] = ("grid", "random", "halving", "optuna")
#: A grid of more members is a mistake.
MOST = 100_000


class Swept(NamedTuple):
    """Trials, best first; `best` is the first with its parameters, `scores` are its own on every part of the data.

    metric: that of train.best, by which they are sorted: its mean over the seeds; what diverged comes last
    """

    trials: tuple[Trial, ...]
    best: Trial | None
    scores: dict[str, Metrics]
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
) -> Swept:
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
    check_numbers(search, seeds=seeds, trials=trials, batch=batch, eta=eta)
    check_axes(source, overrides, axes)
    config = load(source, overrides)
    own = range(config.train.seed, config.train.seed + (seeds or config.train.seeds))
    began, loaded = time.perf_counter(), {}

    def make(combinations: Iterable[dict[str, str]]) -> list[Member]:
        return make_members(source, overrides, combinations)

    def trained(where: str, members: Sequence[Member], **options: Any) -> Iterator[Trial]:
        def told(done: int, rows: int, progress: Progress) -> None:
            report(f"{where}{done} of {rows} runs", progress)

        given = {"data_dir": data_dir, "grad": grad, "memory": memory, "loaded": loaded}
        return train(members, own, report=told, **given, **options)

    if search == "optuna":
        found = _asked(axes, make, trained, config, trials, batch, draw_seed)
    else:
        members = make(_distinct(_combinations(search, axes, trials, draw_seed)))
        found = _halved(members, trained, eta) if search == "halving" else trained("", members)
    light, best = [], None
    for trial in found:
        if best is None or order(trial) < order(best):
            best = trial
        # The parameters of all members together may not fit.
        light.append(trial._replace(kept=None))
    light.sort(key=order)
    seconds, measured = time.perf_counter() - began, {}
    if best is None or best.kept is None or not np.isfinite(best.merit):
        best = None
    else:
        params = best.kept.state.best.params
        best = best._replace(experiment=with_config(best.experiment, best.member.config))
        measured = scores(best.experiment, params)
    return Swept(tuple(light), best, measured, config.train.best, tuple(own), seconds)


def order(trial: Trial) -> tuple[float, float]:
    """What trials are sorted by: those that went on for longer, as halving has it, and of these the best first."""
    diverged = not np.isfinite(trial.merit)
    return (np.inf if diverged else -trial.epochs, -trial.merit)


def check_numbers(search: str, **numbers: int | None) -> None:
    """Raises `UserError` for a search that is not known or counts that cannot be."""
    if search not in SEARCHES:
        raise UserError(f"--search: expected one of {', '.join(SEARCHES)}, found {search!r}")
    for name, value in numbers.items():
        least = 2 if name == "eta" else 1
        if value is not None and value < least:
            raise UserError(f"--{name}: expected at least {least}, found {value}")


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


def rungs(members: int, epochs: int, eta: int, every: int) -> list[tuple[int, int]]:
    """Successive halving: (how many go on, until which epoch), the last one until the end.

    Each rung has 1/η of the members of the one below and η times its epochs, in multiples of `every` (Jamieson and
    Talwalkar 2016).
    """
    untils, n = [epochs], members
    while n // eta >= 1 and untils[0] // eta // every >= 1:
        n, untils = n // eta, [untils[0] // eta // every * every, *untils]
    return [(max(1, members // eta**i), until) for i, until in enumerate(untils)]


def _halved(members: Sequence[Member], trained: Trainer, eta: int) -> Iterator[Trial]:
    """Every member starts; after each rung the best go on from where they stand. The others are given as they are."""
    train_table = members[0].config.train
    lengths = {(member.config.train.epochs, member.config.train.record_every) for member in members}
    if len(lengths) > 1:
        raise UserError("--search halving shares out the epochs itself: expected no train.epochs to vary, found some")
    plan = rungs(len(members), train_table.epochs, eta, train_table.record_every)
    going: list[Trial] = []
    for number, (count, until) in enumerate(plan):
        if number:
            going.sort(key=order)
            yield from going[count:]
            going = going[:count]
        where = f"rung {number + 1} of {len(plan)}: "
        begun = going or None
        some = [trial.member for trial in going] if going else list(members)
        going = list(trained(where, some, epochs=until, begun=begun))
    yield from going


def _asked(
    axes: Sequence[Axis], make: Callable[..., list[Member]], trained: Trainer, config: Config, trials: int, batch: int,
    seed: int,
) -> Iterator[Trial]:  # fmt: skip
    """Members as optuna proposes them: a batch at a time, trained as one program, and told together."""
    try:
        import optuna
    except ImportError as error:
        raise UserError("--search optuna: expected the extra, found none; pip install 'jaxnn[sweep]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    accuracy = config.train.best.endswith("accuracy")
    # A member that is not yet told counts as a bad one: a batch is spread out.
    sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True)
    study = optuna.create_study(direction="maximize" if accuracy else "minimize", sampler=sampler)
    left = trials
    while left:
        asked = [study.ask() for _ in range(min(batch, left))]
        left -= len(asked)
        members = make({axis.name: _suggested(axis, one) for axis in axes} for one in asked)
        own = {id(member): one for member, one in zip(members, asked, strict=True)}
        for trial in trained(f"{trials - left} of {trials} asked: ", members):
            mean = float(trial.score.mean())
            failed = optuna.trial.TrialState.FAIL if np.isnan(mean) else None
            study.tell(own[id(trial.member)], None if failed else mean, state=failed)
            yield trial


def _suggested(axis: Axis, trial: Any) -> str:
    if axis.kind == "choice":
        return trial.suggest_categorical(axis.name, list(axis.choices))
    if axis.kind == "integer":
        return axis.format(trial.suggest_int(axis.name, int(axis.low), int(axis.high)))
    return axis.format_rounded(trial.suggest_float(axis.name, axis.low, axis.high, log=axis.kind == "log-uniform"))
