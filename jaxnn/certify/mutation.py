"""Law 8, mutation testing: break a backward pass on purpose and report which law detects it."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
from jax import numpy as jnp

from jaxnn.certify.case import Case
from jaxnn.certify.cases import ROWS, build_case
from jaxnn.certify.certificate import PlantedMutant
from jaxnn.certify.generic_mutants import mutations
from jaxnn.certify.laws import LAWS, Law
from jaxnn.certify.laws.edge_cases import EDGE_CASES, measure_edge_case
from jaxnn.certify.library_mutants import Mutant, mutated
from jaxnn.certify.measurement import NotMeasured, error_line
from jaxnn.certify.pullback import compiled_pullback, custom_vjp


class MutantResult(NamedTuple):
    """A mutant, the law that detects it (`SURVIVED` if none does), and what that law measures."""

    name: str
    public_name: str
    law: str
    measurement: str

    @property
    def survives(self) -> bool:
        return self.law == SURVIVED


#: In place of the law's name where no law detects the mutant.
SURVIVED = "survived"


def run_mutant(mutant: Mutant) -> MutantResult:
    """The first law that detects the mutant, in all the cases of its public name in the table."""
    constructor = mutated(mutant)
    rows = [row for row in ROWS if row.public_name == mutant.public_name]

    def detect_by_laws(full: bool) -> Iterator[tuple[str, str] | None]:
        for law in (law for law in LAWS.values() if law.full == full):
            for row in rows:
                if row.full or not full:
                    yield _detect(law, lambda row=row: build_case(row, constructor))

    def detect_by_edge_cases() -> Iterator[tuple[str, str] | None]:
        for edge_case in EDGE_CASES:
            if edge_case.public_name == mutant.public_name:
                measurement = measure_edge_case(edge_case, constructor)
                yield None if measurement.holds else ("edge cases", f"{edge_case.name}: {measurement}")

    # The laws that are quick to measure come first.
    attempts = itertools.chain(detect_by_laws(False), detect_by_edge_cases(), detect_by_laws(True))
    return MutantResult(mutant.name, mutant.public_name, *next(filter(None, attempts), (SURVIVED, "")))


def _detect(law: Law, build: Callable[[], Case]) -> tuple[str, str] | None:
    """The law's name and measurement if it detects a mistake in the case, else None."""
    try:
        case = build()
        if not law.applies(case):
            return None
        measurement = law.measure(case)
    except (TypeError, ValueError, IndexError) as error:  # JAX itself detects shapes that do not fit
        return law.name, error_line(error)
    except NotMeasured as error:  # the same, in a function that JAX differentiates
        return (law.name, str(error)) if isinstance(error.__cause__, TypeError | ValueError | IndexError) else None
    return None if measurement.holds else (law.name, str(measurement))


def run_generic_mutants(case: Case, laws: Sequence[Law] = tuple(LAWS.values())) -> list[MutantResult]:
    """For each mutation that changes the case's gradient, the first law that detects it."""
    correct = _gradient(case)
    results = []
    for name, mutation in mutations(case.rule):
        wrong = case._replace(rule=mutation(case.rule))
        # Without residuals, or where the entry is zero already, a mutation changes nothing: there is nothing to detect.
        if _equal(_gradient(wrong), correct):
            continue
        attempts = (_detect(law, lambda wrong=wrong: wrong) for law in laws)
        results.append(MutantResult(name, case.public_name, *next(filter(None, attempts), (SURVIVED, ""))))
    return results


def _gradient(case: Case) -> Any:
    try:
        return compiled_pullback(case.rule)(case.args, case.dy)
    except (TypeError, ValueError, IndexError):
        return None


def _equal(a: Any, b: Any) -> bool:
    return a is not None and all(bool(jnp.array_equal(x, y)) for x, y in zip(a.values(), b.values(), strict=True))


def plant_mutants(case: Case, test: Callable | None) -> Iterator[PlantedMutant]:
    """The generic mutants of a rule, with the law that detects each, and whether the caller's `test` does."""
    by_name = dict(mutations(case.rule))
    for result in run_generic_mutants(case):
        detected = None if test is None else _detects(test, custom_vjp(by_name[result.name](case.rule)))
        yield PlantedMutant(result.name, "" if result.survives else result.law, detected)


def _detects(test: Callable, f: Callable) -> bool:
    try:
        with jax.enable_x64(False):
            test(f)
    except AssertionError:
        return True
    return False
