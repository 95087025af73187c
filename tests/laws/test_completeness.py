"""Every public layer, combinator, loss and model has a row in the table of cases."""

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
        if inspect.isfunction(value) and value.__module__.startswith(module.__name__) and not name.startswith("_")
    }


#: `share` does not build a layer but a part of `serial`, and the cases of `serial` use it.
PUBLIC = sorted({*LAYERS, *LOSSES, *_public_functions(combine) - {"share"}, *_public_functions(models)})


@pytest.mark.parametrize("name", PUBLIC)
def test_public_name_has_a_full_row(name):
    assert any(row.public_name == name and row.full for row in ROWS)


def test_public_names_are_found():
    assert {"dense", "serial", "parallel", "residual", "softmax_cross_entropy", "mlp", "cnn"} <= set(PUBLIC)


def test_layers_table_has_every_constructor():
    import jaxnn.layers as package

    constructors = {
        name
        for name in vars(package)
        if inspect.isfunction(getattr(package, name)) and not name.startswith("_") and name != "elementwise"
    }
    assert constructors == set(LAYERS)
