"""Every law for every layer, loss and model of the table of cases."""

import numpy as np
import pytest

from jaxnn.certify.cases import TABLE, build, constructor
from jaxnn.certify.laws import LAWS
from jaxnn.certify.laws.edges import EDGES, edge

PAIRS = [
    (name, law.name) for name, row in TABLE.items() for law in LAWS.values() if row.thorough or not law.thorough
]  # fmt: skip


@pytest.mark.parametrize(("name", "law"), PAIRS)
def test_law(name, law):
    case = build(name)
    if not LAWS[law].applies(case):
        pytest.skip("the law says nothing of this case")
    finding = LAWS[law].measure(case)
    assert finding.holds, str(finding)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("row", EDGES, ids=lambda row: row.name)
def test_edge(row, dtype):
    finding = edge(row, constructor(row.of), np.dtype(dtype))
    assert finding.holds, str(finding)
