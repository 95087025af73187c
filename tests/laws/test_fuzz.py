"""Law 4: two hundred nets, convolutions and pools that nobody chose, under law 1."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jaxnn.certify import fuzz
from jaxnn.certify.case import Case
from jaxnn.certify.laws.agreement import autodiff
from jaxnn.certify.rule import Rule

EXAMPLES = 10


def chooser(data: st.DataObject):
    """Choices by hypothesis, which shrinks what fails to the smallest case."""

    def choose(what: str, options: Sequence):
        return data.draw(st.sampled_from(options), label=what)

    return choose


@pytest.mark.parametrize("kind", fuzz.KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("part", range(5))
def test_what_nobody_chose_agrees_with_autodiff(kind, part):
    del part  # a share of the two hundred, so that they can be spread over workers

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def one(data):
        finding = autodiff(kind(chooser(data)))
        assert finding.holds, str(finding)

    one()


def test_fuzz_catches_what_is_planted(monkeypatch):
    def wrong(case: Case) -> Case:
        rule: Rule = case.rule

        def backward(residuals, dy):
            dparams, dx = rule.backward(residuals, dy)
            return dparams, 1.001 * dx

        return case._replace(rule=rule._replace(backward=backward))

    kinds = (lambda choose: wrong(fuzz.pooling(choose)),)
    kinds[0].__name__ = "planted"
    monkeypatch.setattr(fuzz, "KINDS", kinds)
    finding, choices = fuzz.fuzz(2)
    assert not finding.holds and finding.leaf == "x"
    assert choices["pool"] in fuzz.POOLS


def test_the_same_seed_makes_the_same_choices():
    made: list[dict] = []
    for _ in range(2):
        choices: dict = {}
        fuzz.net(fuzz.recorded(fuzz.random_choice(np.random.default_rng(3)), choices))
        made.append(choices)
    assert made[0] == made[1] and {"depth", "batch", "loss", "activation 0"} <= made[0].keys()
