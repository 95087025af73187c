"""A library's own tests: many rules at once, random arguments of hypothesis, a JUnit file."""

import subprocess
import sys
from xml.etree import ElementTree

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from jax import numpy as jnp

from jaxnn.certify import certified, certify_vjp, domains, rule, strategies
from jaxnn.certify.junit import junit_xml
from jaxnn.errors import UserError

MODULE = """
import jax
import jax.numpy as jnp
from jaxnn.certify import certified, domains, rule


def square(x, power=2):
    return x**power


test_rule = certified(
    rule(square, domains.normal(3), fwd=lambda x, power: (x**2, x), bwd=lambda x, dy: (2 * x * dy, None)),
    rule(
        square, domains.normal(3), name="wrong",
        fwd=lambda x, power: (x**2, x), bwd=lambda x, dy: (2.002 * x * dy, None),
    ),
    rule(jnp.sign, domains.normal(3), name="kept", meant=lambda x: x),
    quick=True,
)
"""


def square(x):
    return x * x


def test_certified_runs_a_test_for_each_rule_and_shows_the_certificate(tmp_path):
    (tmp_path / "test_mine.py").write_text(MODULE)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", "test_mine.py"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    lines = [line for line in done.stdout.splitlines() if line.startswith(("PASSED", "FAILED"))]
    verdicts = {line.split("[")[1].split("]")[0]: line.split()[0] for line in lines}
    # jnp.sign has the derivative 0, and another is meant: the rule does not give it.
    assert verdicts == {"square": "PASSED", "wrong": "FAILED", "kept": "FAILED"}, done.stdout
    assert "wrong: law" in done.stdout or "square: NOT certified" in done.stdout
    assert "Traceback" not in done.stdout


def test_certified_refuses_no_rule_and_two_of_one_name():
    with pytest.raises(UserError, match="expected at least one rule"):
        certified()
    with pytest.raises(UserError, match="square twice; give rule"):
        certified(rule(square, 1.0), rule(square, 2.0))


@settings(max_examples=25, deadline=None)
@given(
    strategies.simplex(strategies.sizes(1, 5), 7),
    strategies.spd(strategies.sizes(1, 6)),
    strategies.integers(strategies.sizes(1, 9), 4),
    strategies.permutation(2, strategies.sizes(1, 6)),
    strategies.unit(3, strategies.sizes(1, 4)),
    strategies.sorted(strategies.sizes(1, 9)),
)
def test_strategies_draw_from_the_domains(simplex, spd, integers, permutation, unit, ascending):
    assert simplex.shape[1] == 7 and (simplex > 0).all()
    np.testing.assert_allclose(simplex.sum(-1), 1)
    assert spd.shape[0] == spd.shape[1] and np.linalg.eigvalsh(spd).min() > 0
    np.testing.assert_array_equal(spd, spd.T)
    assert integers.shape == (4,) and integers.min() >= 0 and integers.max() < 9
    np.testing.assert_array_equal(
        np.sort(permutation, -1), np.broadcast_to(range(permutation.shape[1]), permutation.shape)
    )
    np.testing.assert_allclose(np.linalg.norm(unit, axis=-1), 1)
    assert (np.diff(ascending) >= 0).all()


def test_every_domain_has_a_strategy():
    for name in domains.GENERATORS:
        assert callable(getattr(strategies, name))


def test_strategies_name_hypothesis_where_it_is_missing(tmp_path):
    script = (
        "import sys\nsys.modules['hypothesis'] = None\nfrom jaxnn.errors import UserError\n"
        "try:\n    from jaxnn.certify import strategies\nexcept UserError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert "pip install hypothesis" in done.stdout and done.stdout.count("\n") == 1


def test_junit_has_a_case_for_each_law_and_the_verdict():
    right = certify_vjp(square, lambda x: (x * x, x), lambda x, dy: (2 * x * dy,), jnp.ones(3), quick=True)
    wrong = certify_vjp(square, lambda x: (x * x, x), lambda x, dy: (2.002 * x * dy,), jnp.ones(3), quick=True)
    wrong = wrong._replace(name="<&\x00\ud800>")
    root = ElementTree.fromstring(junit_xml([right, wrong]))
    first, second = root
    assert first.attrib["failures"] == "0" and int(first.attrib["tests"]) == len(right.findings) + 1
    assert int(second.attrib["failures"]) == len(second.findall("testcase/failure")) >= 2
    assert int(first.attrib["skipped"]) == len(right.unmeasured)
    assert second.attrib["name"] == "<&��>"


def test_rule_passes_its_options_and_keywords_on():
    def scaled(x, *, factor):
        return factor * x

    def stopped(x, t):
        return x * jax.lax.stop_gradient(t)

    assert rule(scaled, jnp.ones(3), factor=jnp.ones(3)).certify(quick=True, timed=False).holds
    assert rule(stopped, jnp.ones(3), jnp.ones(3), stopped=("t",)).certify(quick=True, timed=False).holds
