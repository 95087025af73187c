"""Law 8: every named mistake in a backward pass is noticed by a law."""

import pytest

from jaxnn.certify.cases import ROWS, build
from jaxnn.certify.laws import LAWS
from jaxnn.certify.library_mutants import MUTANTS, Mutant, mutated
from jaxnn.certify.mutation import kill, kill_mistakes
from jaxnn.layers import LAYERS
from jaxnn.losses import LOSSES


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_it_is_killed(mutant):
    killed = kill(mutant)
    assert not killed.survives, f"no law notices: {mutant.name}"
    assert killed.law == "edges" or killed.law in LAWS


def test_there_are_enough_of_them_and_each_has_a_name_of_its_own():
    assert len(MUTANTS) >= 60
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


def test_every_layer_loss_and_combinator_has_a_mutant():
    assert {row.of for row in ROWS} - {mutant.of for mutant in MUTANTS} == {"autodiff", "mlp", "cnn"}
    assert {*LAYERS, *LOSSES} <= {mutant.of for mutant in MUTANTS}


def test_what_is_no_mistake_survives():
    """The right code under the knife: without a change, no law may notice anything."""
    assert kill(Mutant("nothing", "tanh", "(1 - y) * (1 + y)", "(1 - y) * (1 + y)")).survives


def test_a_mutant_of_text_that_is_gone_says_so():
    with pytest.raises(LookupError, match="found it nowhere"):
        mutated(Mutant("gone", "tanh", "2 - y * y", ""))


@pytest.mark.parametrize("name", ["dense: tiny", "max_pool: tiny", "softmax_cross_entropy: mean, labels"])
def test_mistakes_in_any_rule_are_noticed(name):
    killed = kill_mistakes(build(name))
    assert len(killed) >= 12
    assert [one.name for one in killed if one.survives] == []
