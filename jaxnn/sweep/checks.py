"""What a sweep can be: its searches, their numbers, and the spaces that they go through."""

import os
from collections.abc import Sequence
from typing import Literal

from jaxnn.errors import UserError
from jaxnn.experiment.seeds import LAST_SEED, MAX_SEEDS
from jaxnn.sweep.members import Family, check_axes, family
from jaxnn.sweep.optuna_search import import_optuna
from jaxnn.sweep.space import Axis, size

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
    "keep": (1, MOST),
}
#: Members whose parameters a sweep keeps, unless it is told another number.
KEEP = 10


def check_sweep(
    source: str | os.PathLike[str],
    axes: Sequence[Axis],
    overrides: Sequence[str] = (),
    *,
    search: str,
    seeds: int | None,
    **numbers: int,
) -> Family:
    """The family of a sweep's members. Raises `UserError` for a sweep that cannot be, before anything is trained.

    numbers: those of `LIMITS`, as `search_space` takes them
    """
    if not axes:
        raise UserError("expected something to vary, such as --over optimizer.learning_rate=0.01,0.1; found nothing")
    check_numbers(search, seeds=seeds, **numbers)
    common = family(source, overrides, seeds)
    check_axes(common, axes)
    _check_space(search, axes)
    if search == "optuna":
        import_optuna()
    return common


def check_numbers(search: str, **numbers: int | None) -> None:
    """Raises `UserError` for a search that is not known or counts that cannot be."""
    if search not in SEARCHES:
        raise UserError(f"--search: expected one of {', '.join(SEARCHES)}, found {search!r}")
    for name, value in numbers.items():
        least, most = LIMITS[name]
        if value is not None and not least <= value <= most:
            raise UserError(f"--{name.replace('_', '-')}: expected from {least} to {most:,}, found {value}")


def _check_space(search: str, axes: Sequence[Axis]) -> None:
    """Raises `UserError` for a space that the search cannot go through."""
    drawn = [axis.name for axis in axes if axis.kind != "choice"]
    if search == "grid" and drawn:
        raise UserError(
            f"--search grid takes lists: expected --over {drawn[0]}=VALUES, found a distribution; "
            "random, halving and optuna draw from it"
        )
    if draws_members(search, axes):
        return
    if size(axes) > MOST:
        raise UserError(f"expected at most {MOST:,} members, found {size(axes):,}; --search random takes some of them")


def draws_members(search: str, axes: Sequence[Axis]) -> bool:
    """Whether a search begins with members that are drawn or proposed, and not with the whole space."""
    return search in ("random", "optuna") or any(axis.kind != "choice" for axis in axes)


def member_count(search: str, axes: Sequence[Axis], trials: int) -> int:
    """How many members a search begins with, at most: some of them may be the same, however they are written."""
    return int(min(trials, size(axes))) if draws_members(search, axes) else int(size(axes))
