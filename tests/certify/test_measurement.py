"""What a measurement says: two numbers that differ are never printed alike."""

import re

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from jaxnn.certify import certify_vjp
from jaxnn.certify.measurement import Measurement
from tests.certify.foreign_functions import X, root

NUMBERS = re.compile(r"expected (\S+), got (\S+); measured (\S+), bound (\S+?)(;|$)")


def pairs(line):
    """(expected, got) and (measured, bound), as they are printed."""
    numbers = NUMBERS.search(line)
    assert numbers, line
    return numbers.group(1, 2), numbers.group(3, 4)


@pytest.mark.parametrize("distance", [10.0**-i for i in range(1, 16)] + [float(np.finfo(float).eps)])
@pytest.mark.parametrize("a", [1.0, -3.7e-5, 2.5e12, 1.5 - 0.25j], ids=str)
def test_broken_measurement_prints_numbers_that_differ(a, distance):
    measurement = Measurement(1e-12 * (1 + distance), 1e-12, "x", (0,), a, a * (1 + distance))
    assert not measurement.holds
    for first, second in pairs(str(measurement)):
        assert first != second and complex(first) != complex(second)


def test_measurement_prints_equal_numbers_in_short():
    assert str(Measurement(0.0, 1e-12, "x", (), 1 / 3, 1 / 3)) == (
        "x: expected 0.333333333, got 0.333333333; measured 0, bound 1e-12"
    )
    assert "got nan; measured nan" in str(Measurement(np.nan, 0.5, "x", (), np.nan, np.nan))


def test_iteration_that_is_near_its_reference_is_told_apart_from_it():
    """Newton's iteration ends about 1e-9 from √a."""
    rule = (jnp.sqrt, lambda a: (root(a),) * 2, lambda y, dy: (dy / (2 * y),))
    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"):
        certificate = certify_vjp(*rule, X, laws=("autodiff", "finite differences", "hessian"))
    assert len(certificate.broken) == 3
    for line in certificate.failures[:3]:
        for first, second in pairs(line):
            assert first != second, line
