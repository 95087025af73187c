"""The tests' hook checks the annotations of jaxnn, and never takes one function's check for another's."""

from typing import Any

import jaxtyping
import numpy as np
import pytest
from jaxtyping import Float, Int

from jaxnn.train.sharing import Layout
from tests.annotation_checks import checked


def function_of(kind):
    annotation: Any = kind[np.ndarray, "n"]

    def pick(x, y):
        return x if y.size else y[:1]

    annotated: Any = pick
    annotated.__annotations__ = dict.fromkeys(("x", "y", "return"), annotation)
    return jaxtyping.jaxtyped(typechecker=checked)(annotated)


def test_functions_of_one_name_are_checked_by_their_own_annotations():
    numbers, places = np.ones(3), np.arange(3)
    for _ in range(2):
        for kind, right, wrong in ((Float, numbers, places), (Int, places, numbers)):
            pick = function_of(kind)
            assert pick(right, right) is right
            for x, y in ((wrong, right), (right, right[:2])):
                with pytest.raises(jaxtyping.TypeCheckError):
                    pick(x, y)


def test_library_is_checked():
    layout, square = Layout((np.ones(3),)), np.ones((3, 1))
    assert len(layout.vector((np.ones(3),))) == 3
    tree: Any = layout.tree
    with pytest.raises(jaxtyping.TypeCheckError):
        tree(square)
