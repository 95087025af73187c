"""Law 4: law 1 for two hundred random nets, convolutions and pools."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from jaxnn.certify import fuzz
from jaxnn.certify.case import Case
from jaxnn.certify.laws.agreement import autodiff
from jaxnn.certify.vjp_rule import VjpRule

EXAMPLES = 10
#: The two hundred cases in shares for the test workers. Nets get fewer, because they compile slowly.
SHARES = [
    pytest.param(generator, share, id=f"{generator.__name__} {share}")
    for generator in fuzz.GENERATORS
    for share in range(2 if generator is fuzz.random_net else 6)
]


def hypothesis_choice(data: st.DataObject):
    """A `Choose` that draws from hypothesis."""

    def choose(name: str, options: Sequence):
        return data.draw(st.sampled_from(options), label=name)

    return choose


@pytest.mark.parametrize(("generator", "share"), SHARES)
def test_random_case_agrees_with_autodiff(generator, share):
    # Each example is compiled, so shrinking a failing one would take hours. Hypothesis prints the draws.
    @seed(share)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(st.data())
    def check_example(data):
        measurement = autodiff(generator(hypothesis_choice(data)))
        assert measurement.holds, str(measurement)

    check_example()


def test_fuzz_detects_a_planted_mistake(monkeypatch):
    def wrong(case: Case) -> Case:
        rule: VjpRule = case.rule

        def backward(residuals, dy):
            dparams, dx = rule.backward(residuals, dy)
            return dparams, 1.001 * dx

        return case._replace(rule=rule._replace(backward=backward))

    generators = (lambda choose: wrong(fuzz.random_pool(choose)),)
    generators[0].__name__ = "planted"
    monkeypatch.setattr(fuzz, "GENERATORS", generators)
    measurement, choices = fuzz.fuzz(2)
    assert not measurement.holds and measurement.leaf == "x"
    assert choices["pool"] in fuzz.POOLS


def test_fuzz_seed_determines_the_choices():
    runs: list[dict] = []
    for _ in range(2):
        choices: dict = {}
        fuzz.random_net(fuzz.record_choices(fuzz.random_choice(np.random.default_rng(3)), choices))
        runs.append(choices)
    assert runs[0] == runs[1] and {"depth", "batch", "loss", "activation 0"} <= runs[0].keys()
