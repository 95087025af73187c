"""Law 8: a law detects every named mistake in a backward pass."""

import pytest

from jaxnn.certify.cases import ROWS, cached_case
from jaxnn.certify.laws import LAWS
from jaxnn.certify.library_mutants import MUTANTS, Mutant, mutated
from jaxnn.certify.mutation import run_generic_mutants, run_mutant
from jaxnn.layers import LAYERS
from jaxnn.losses import LOSSES


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_is_killed(mutant):
    result = run_mutant(mutant)
    assert not result.survives, f"no law detects: {mutant.name}"
    assert result.law == "edge cases" or result.law in LAWS


def test_mutants_are_many_with_distinct_names():
    assert len(MUTANTS) >= 60
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


def test_mutants_cover_every_layer_loss_and_combinator():
    assert {row.public_name for row in ROWS} - {mutant.public_name for mutant in MUTANTS} == {"autodiff", "mlp", "cnn"}
    assert {*LAYERS, *LOSSES} <= {mutant.public_name for mutant in MUTANTS}


@pytest.mark.parametrize("public_name", ["tanh", "dense", "serial", "quadratic", "softmax_cross_entropy", "optimizer"])
def test_mutant_without_a_change_survives(public_name):
    """No law may detect a mistake in the correct code, nor an error in the way in which a mutant is built."""
    text = next(mutant.old for mutant in MUTANTS if mutant.public_name == public_name and not mutant.module)
    result = run_mutant(Mutant("nothing", public_name, text, text))
    assert result.survives, result.measurement


def test_mutant_of_missing_text_raises():
    with pytest.raises(LookupError, match="found it nowhere"):
        mutated(Mutant("gone", "tanh", "2 - y * y", ""))


@pytest.mark.parametrize("name", ["dense: tiny", "max_pool: tiny", "softmax_cross_entropy: mean, labels"])
def test_generic_mutants_are_killed(name):
    results = run_generic_mutants(cached_case(name))
    assert len(results) >= 12
    assert [result.name for result in results if result.survives] == []
