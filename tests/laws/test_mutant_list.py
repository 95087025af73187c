"""The list of named mistakes fits the library as it is; test_mutants.py runs them."""

import pytest

from jaxnn.certify.cases import ROWS
from jaxnn.certify.library_mutants import MUTANTS, Mutant, changed_source, mutated
from jaxnn.layers import LAYERS
from jaxnn.losses import LOSSES


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_changes_a_text_of_the_library(mutant):
    """A change of a formula that forgets its mutants fails here, in milliseconds."""
    compile(changed_source(mutant), "<a mutant>", "exec")


def test_mutants_are_many_with_distinct_names():
    assert len(MUTANTS) >= 60
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


def test_mutants_cover_every_layer_loss_and_combinator():
    assert {row.public_name for row in ROWS} - {mutant.public_name for mutant in MUTANTS} == {"autodiff", "mlp", "cnn"}
    assert {*LAYERS, *LOSSES} <= {mutant.public_name for mutant in MUTANTS}


def test_mutant_of_missing_text_raises():
    with pytest.raises(LookupError, match="found it nowhere"):
        mutated(Mutant("gone", "tanh", "2 - y * y", ""))
