"""Successive halving: every member starts, and after each rung the best continue for longer."""

from collections.abc import Iterator, Sequence

from jaxnn.config.experiment import plan_of
from jaxnn.errors import UserError
from jaxnn.sweep.members import Member
from jaxnn.sweep.training import Trainer, Trial, order
from jaxnn.train.plan import Plan


def halving_schedule(members: int, epochs: int, eta: int, every: int) -> list[tuple[int, int]]:
    """Successive halving: (how many go on, until which epoch), the last one until the end.

    Each rung has 1/η of the members of the one below and η times its epochs, in multiples of `every` (Jamieson and
    Talwalkar 2016).
    """
    untils, n = [epochs], members
    while n // eta >= 1 and untils[0] // eta // every >= 1:
        n, untils = n // eta, [untils[0] // eta // every * every, *untils]
    return [(max(1, members // eta**i), until) for i, until in enumerate(untils)]


def halving_search(members: Sequence[Member], plan: Plan, trained: Trainer, eta: int) -> Iterator[Trial]:
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
