"""Every law for every layer, loss and model in the table of cases."""

import numpy as np
import pytest

from jaxnn.certify.cases import TABLE, cached_case, constructor
from jaxnn.certify.laws import LAWS
from jaxnn.certify.laws.edge_cases import EDGE_CASES, measure_edge_case

PAIRS = [
    (name, law.name) for name, row in TABLE.items() for law in LAWS.values() if row.full or not law.full
]  # fmt: skip


@pytest.mark.parametrize(("name", "law"), PAIRS)
def test_law_holds_for_case(name, law):
    case = cached_case(name)
    if not LAWS[law].applies(case):
        pytest.skip("the law does not apply to this case")
    measurement = LAWS[law].measure(case)
    assert measurement.holds, str(measurement)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("edge_case", EDGE_CASES, ids=lambda edge_case: edge_case.name)
def test_edge_case_value_and_derivative(edge_case, dtype):
    measurement = measure_edge_case(edge_case, constructor(edge_case.public_name), np.dtype(dtype))
    assert measurement.holds, str(measurement)
