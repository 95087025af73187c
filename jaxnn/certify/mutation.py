"""Law 8: a mistake is planted, and the laws are asked; one that lets it pass would let yours pass."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from jax import numpy as jnp

from jaxnn.certify.case import Case
from jaxnn.certify.cases import ROWS, case_of
from jaxnn.certify.finding import Finding
from jaxnn.certify.generic_mutants import mistakes
from jaxnn.certify.laws import LAWS, Law
from jaxnn.certify.laws.edges import EDGES, edge
from jaxnn.certify.library_mutants import Mutant, mutated
from jaxnn.certify.pullback import compiled_pullback


class Killed(NamedTuple):
    """A mutant, the law that noticed it (or "nobody") and what the law found."""

    name: str
    of: str
    law: str
    finding: str

    @property
    def survives(self) -> bool:
        return self.law == NOBODY


NOBODY = "nobody"


def kill(mutant: Mutant) -> Killed:
    """The first law that notices the mutant, in all the cases of the table that its name has."""
    make = mutated(mutant)
    rows = [row for row in ROWS if row.of == mutant.of]

    def by_laws(thorough: bool) -> Iterator[tuple[str, str] | None]:
        for law in (law for law in LAWS.values() if law.thorough == thorough):
            for row in rows:
                if row.thorough or not thorough:
                    yield _noticed(law, lambda row=row: case_of(row, make))

    def by_edges() -> Iterator[tuple[str, str] | None]:
        for place in EDGES:
            if place.of == mutant.of:
                finding = edge(place, make)
                yield None if finding.holds else ("edges", f"{place.name}: {finding}")

    # What is quick to measure comes first.
    found = next(filter(None, itertools.chain(by_laws(False), by_edges(), by_laws(True))), (NOBODY, ""))
    return Killed(mutant.name, mutant.of, *found)


def _noticed(law: Law, build: Callable[[], Case]) -> tuple[str, str] | None:
    try:
        case = build()
        if not law.applies(case):
            return None
        finding: Finding = law.measure(case)
    except (TypeError, ValueError, IndexError) as error:  # shapes that do not fit are noticed by JAX itself
        return law.name, f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return None if finding.holds else (law.name, str(finding))


def kill_mistakes(case: Case, laws: Sequence[Law] = tuple(LAWS.values())) -> list[Killed]:
    """For each mistake that changes anything, the first law that notices it in the case."""
    right = _gradient(case)
    killed = []
    for name, mistake in mistakes(case.rule):
        wrong = case._replace(rule=mistake(case.rule))
        if _same(_gradient(wrong), right):  # nothing to notice: no residual to be stale, a zero to be lost
            continue
        found = next(filter(None, (_noticed(law, lambda wrong=wrong: wrong) for law in laws)), (NOBODY, ""))
        killed.append(Killed(name, case.of, *found))
    return killed


def _gradient(case: Case) -> Any:
    try:
        return compiled_pullback(case.rule)(case.args, case.dy)
    except (TypeError, ValueError, IndexError):
        return None


def _same(a: Any, b: Any) -> bool:
    return a is not None and all(bool(jnp.array_equal(x, y)) for x, y in zip(a.values(), b.values(), strict=True))
