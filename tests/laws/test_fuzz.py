"""Law 4: two hundred nets, convolutions and pools that nobody chose, under law 1."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from jaxnn.certify import fuzz
from jaxnn.certify.case import Case
from jaxnn.certify.laws.agreement import autodiff
from jaxnn.certify.vjp_rule import Rule

EXAMPLES = 10
#: Shares of the two hundred, so that they can be spread over workers; nets, which are slow to compile, are fewer.
SHARES = [
    pytest.param(kind, part, id=f"{kind.__name__} {part}")
    for kind in fuzz.KINDS
    for part in range(2 if kind is fuzz.net else 6)
]


def chooser(data: st.DataObject):
    """Choices by hypothesis."""

    def choose(what: str, options: Sequence):
        return data.draw(st.sampled_from(options), label=what)

    return choose


@pytest.mark.parametrize(("kind", "part"), SHARES)
def test_what_nobody_chose_agrees_with_autodiff(kind, part):
    # Each example is compiled: shrinking one that fails would take hours. The draws are printed.
    @seed(part)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
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
