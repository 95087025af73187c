"""Law 8: a law detects every named mistake in a backward pass."""

import pytest

from jaxnn.certify.cases import cached_case
from jaxnn.certify.laws import LAWS
from jaxnn.certify.library_mutants import MUTANTS, Mutant
from jaxnn.certify.mutation import run_generic_mutants, run_mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_is_killed(mutant):
    result = run_mutant(mutant)
    assert not result.survives, f"no law detects: {mutant.name}"
    assert result.law == "edge cases" or result.law in LAWS


@pytest.mark.parametrize("public_name", ["tanh", "dense", "serial", "quadratic", "softmax_cross_entropy", "optimizer"])
def test_mutant_without_a_change_survives(public_name):
    """No law may detect a mistake in the correct code, nor an error in the way in which a mutant is built."""
    text = next(mutant.old for mutant in MUTANTS if mutant.public_name == public_name and not mutant.module)
    result = run_mutant(Mutant("nothing", public_name, text, text))
    assert result.survives, result.measurement


@pytest.mark.parametrize("name", ["dense: tiny", "max_pool: tiny", "softmax_cross_entropy: mean, labels"])
def test_generic_mutants_are_killed(name):
    results = run_generic_mutants(cached_case(name))
    assert len(results) >= 12
    assert [result.name for result in results if result.survives] == []
