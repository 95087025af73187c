"""Whatever is public stands in the table of cases: a layer, combinator, loss or model without a row fails here."""

import inspect

import pytest

from jaxnn import combine, models
from jaxnn.certify.cases import ROWS
from jaxnn.layers import LAYERS
from jaxnn.losses import LOSSES


def _public_functions(module) -> set[str]:
    return {
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_")
    }


#: `share` makes no layer: it is a part of `serial`, whose cases use it.
PUBLIC = sorted({*LAYERS, *LOSSES, *_public_functions(combine) - {"share"}, *_public_functions(models)})


@pytest.mark.parametrize("name", PUBLIC)
def test_has_a_row_that_stands_under_every_law(name):
    assert any(row.of == name and row.thorough for row in ROWS)


def test_what_is_public_is_found():
    assert {"dense", "serial", "parallel", "residual", "softmax_cross_entropy", "mlp", "cnn"} <= set(PUBLIC)


def test_every_layer_module_is_in_the_table_of_layers():
    import jaxnn.layers as package

    constructors = {
        name
        for name in vars(package)
        if inspect.isfunction(getattr(package, name)) and not name.startswith("_") and name != "elementwise"
    }
    assert constructors == set(LAYERS)
