"""Law 1: in float64 the hand-derived gradient is autodiff's, to rounding."""

from jaxnn.certify.case import Case, with_rows
from jaxnn.certify.finding import Finding, compare
from jaxnn.certify.pullback import compiled_answers, compiled_autodiff_answers

#: True agreement is 3e-16; an error of 0.1 % in one bias is 1e-3.
FLOAT64_BOUND = 1e-12


def autodiff(case: Case) -> Finding:
    """‖hand − auto‖ / ‖auto‖ at every leaf, and at y; what autodiff says is zero must be exactly zero."""
    hand, y = compiled_answers(case.rule)(case.args, case.dy)
    auto, expected_y = compiled_autodiff_answers(case.rule)(case.args, case.dy)
    return compare({**hand, **y}, {**auto, **expected_y}, FLOAT64_BOUND)


def batch_of_one(case: Case) -> Finding:
    """The same for one example alone, where an axis of length 1 could pass for none."""
    return autodiff(with_rows(case, 1))
