"""What is found out about one law in one case: it holds, it is broken, or it was not measured and why."""

import time
from typing import Literal, NamedTuple

import numpy as np

from jaxnn.certify.case import Case
from jaxnn.certify.laws import Law
from jaxnn.certify.measurement import Measurement, NotMeasured, error_line
from jaxnn.certify.time_limit import run_with_limit
from jaxnn.errors import UserError

#: A rule in use must have these, even if it is no layer: there an exception breaks the law.
REQUIRED = frozenset({"structure", "autodiff", "stopped", "float32", "finite differences"})
#: The laws that compare the gradient with a reference. Without one of them nothing is known.
COMPARISONS = frozenset({"autodiff", "finite differences", "jacobian"})
#: A law may take this many times as long as the slowest law before it, whatever the time limit is.
SLOWER = 10


class Finding(NamedTuple):
    """A law, given by its number and name, in one case.

    measurement: None if the law was not measured
    reason: why it was not
    """

    number: int
    law: str
    case: str
    measurement: Measurement | None
    reason: str = ""

    @property
    def status(self) -> Literal["held", "broken", "not measured"]:
        """Whether the law holds."""
        if self.measurement is None:
            return "not measured"
        return "held" if self.measurement.holds else "broken"


def measure_law(law: Law, case: Case, time_limit: float | None = None) -> Finding:
    """The law measured in a case; an exception is a finding too.

    Where an exception comes from the rule, the law is broken: a layer is bound by its contract to run under all laws,
    and every rule by its use to run in float32. Where another rule cannot run under a law, the law is not measured.
    time_limit: seconds after which the law counts as not measured; None waits for the law
    """
    try:
        measurement = run_with_limit(lambda: law.measure(case), time_limit)
    except UserError:
        raise
    except NotMeasured as error:
        return Finding(law.number, law.name, case.name, None, str(error))
    except Exception as error:  # a user's function can raise anything
        if not case.contract and law.name not in REQUIRED:
            return Finding(law.number, law.name, case.name, None, error_line(error))
        measurement = Measurement(np.inf, 0.0, "the rule", detail=f"raises {error_line(error)}")
    return Finding(law.number, law.name, case.name, measurement)


class Clock:
    """Time limits that grow with the slowest law so far: a slow machine is no hanging rule."""

    def __init__(self, time_limit: float | None):
        self.time_limit: float | None = time_limit
        self.slowest: float = 0.0

    def measure(self, law: Law, case: Case) -> Finding:
        """`measure_law` with the present limit."""
        start = time.perf_counter()
        limit = None if self.time_limit is None else max(self.time_limit, SLOWER * self.slowest)
        finding = measure_law(law, case, limit)
        if finding.measurement is not None:
            self.slowest = max(self.slowest, time.perf_counter() - start)
        return finding
