"""`certify_vjp` on rules as people write them: certified, wrong with the leaf named, or refused in one line."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from jaxnn.certify import certify_vjp, domains
from jaxnn.certify.certificate import Certificate
from jaxnn.certify.laws.second import SYMMETRY
from jaxnn.certify.pullback import OUTPUT
from jaxnn.errors import UserError
from tests.certify.foreign_functions import SQUARE, X, custom, root
from tests.certify.foreign_rules import RULES, Rule


@pytest.fixture(autouse=True)
def jax_defaults():
    """Foreign rules are written for JAX's defaults."""
    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def measure(rule: Rule) -> Certificate:
    return certify_vjp(rule.f, rule.fwd, rule.bwd, *rule.args, **{"quick": True, **rule.options})


@pytest.mark.parametrize("name", RULES)
def test_certify_vjp_says_what_is_true_of_a_rule(name):
    rule = RULES[name]
    verdict, _, text = rule.says.partition(": ")
    if verdict == "refused":
        with pytest.raises(UserError, match=text) as refusal:
            measure(rule)
        assert "\n" not in str(refusal.value)
        return
    certificate = measure(rule)
    assert certificate.holds == (verdict == "certified"), str(certificate)
    if verdict == "wrong":
        assert certificate.wrong_leaves - {OUTPUT, SYMMETRY} == set(text.split(", ")), str(certificate)
    for words in rule.words:
        assert words in str(certificate)
    measured, unmeasured = (
        {finding.law for finding in group} for group in (certificate.entries, certificate.unmeasured)
    )
    assert not measured & unmeasured, str(certificate)
    assert "autodiff" not in measured or "JAX cannot differentiate" not in str(certificate)


def test_certify_vjp_takes_equinox_rule_and_module():
    eqx = pytest.importorskip("equinox")

    @eqx.filter_custom_vjp
    def f(x):
        return x * x

    f.def_fwd(lambda perturbed, x: (x * x, x))
    f.def_bwd(lambda residuals, dy, perturbed, x: 2 * x * dy)
    assert certify_vjp(f, None, None, X, quick=True).holds

    mlp = eqx.nn.MLP(3, 2, 5, 1, activation=jnp.tanh, key=jax.random.key(0))  # tanh is a leaf that stays fixed
    x = np.ones(3, np.float32)

    def rule(factor):
        def bwd(residuals, dy):
            dmlp, dx = eqx.filter_vjp(lambda mlp, x: mlp(x), *residuals)[1](dy)
            return dmlp, factor * dx

        return lambda mlp, x: mlp(x), lambda mlp, x: (mlp(x), (mlp, x)), bwd

    assert certify_vjp(*rule(1.0), mlp, x, quick=True).holds
    wrong = certify_vjp(*rule(1.001), mlp, x, quick=True)
    assert wrong.wrong_leaves == {"x"}


def test_law_without_bfloat16_is_not_measured():
    def f(a):
        return jnp.log(jnp.diag(jnp.linalg.cholesky(a))).sum()

    rule = custom(f, lambda a: (f(a), a), lambda a, dy: (dy * jnp.linalg.inv(a) / 2,))
    certificate = certify_vjp(rule, None, None, domains.spd(3), laws=("bfloat16", "finite differences"))
    assert certificate.holds, str(certificate)
    assert [finding.law for finding in certificate.unmeasured] == ["bfloat16"]
    assert "bfloat16" in certificate.unmeasured[0].reason


def test_gradient_that_is_compared_with_nothing_does_not_hold():
    certificate = certify_vjp(SQUARE, None, None, X, laws=("linearity",))
    assert not certificate.broken and not certificate.holds
    assert "compared with nothing" in str(certificate)


def test_law_that_hangs_is_stopped():
    """The iteration never reaches its tolerance in bfloat16."""
    rule = (jnp.sqrt, lambda a: (root(a),) * 2, lambda y, dy: (dy / (2 * y),))
    certificate = certify_vjp(*rule, X, laws=("autodiff", "bfloat16"), tolerances={"float64": 1e-6}, time_limit=2)
    assert certificate.holds
    assert [finding.reason.startswith("not finished after") for finding in certificate.unmeasured] == [True]


@pytest.mark.parametrize(("tolerance", "holds"), [(1e-8, False), (1e-6, True)])
def test_approximation_is_certified_only_with_a_tolerance_above_its_distance(tolerance, holds):
    """Newton's iteration stops with a relative error of 8e-8 in the value, and 1e-7 in the gradient."""
    x = np.linspace(0.2, 1.7, 5).astype(np.float32)
    rule = (jnp.sqrt, lambda a: (root(a),) * 2, lambda y, dy: (dy / (2 * y),))
    certificate = certify_vjp(
        *rule, x, laws=("autodiff", "finite differences"), tolerances={"float64": tolerance}, timed=False
    )
    assert certificate.holds == holds, str(certificate)


def test_broken_law_is_reported_beside_one_that_cannot_be_measured():
    rule = custom(root, lambda a: (root(a),) * 2, lambda y, dy: (0.501 * dy / y,))
    certificate = certify_vjp(rule, None, None, X, quick=True)
    assert not certificate.holds and certificate.unmeasured
    assert {finding.law for finding in certificate.broken} == {"finite differences"}


@pytest.mark.parametrize("factor", [1.0, 1.001])
def test_rule_in_shard_map_is_certified(factor):
    """The rule adds up over an axis of devices, in its forward and backward."""

    def bwd(x, dy):
        return (factor * 2 * x * dy,)

    @jax.custom_vjp
    def f(x):
        return jax.lax.psum((x * x).sum(), "batch")

    f.defvjp(lambda x: (jax.lax.psum((x * x).sum(), "batch"), x), bwd)
    x = np.linspace(0.5, 2, 8).astype(np.float32)
    certificate = certify_vjp(f, None, None, x, axis_names=("batch",), batched=(True,), reduction="sum", quick=True)
    assert certificate.holds == (factor == 1.0), str(certificate)


def test_gradient_that_cancels_is_zero():
    """A shift of the logits has no gradient, but for rounding."""

    def f(x, shift):
        return (jax.nn.softmax(x + shift) * jnp.arange(5.0)).sum()

    rule = custom(f, lambda x, s: jax.vjp(f, x, s), lambda pull, dy: (pull(dy)[0], pull(dy)[0].sum()))
    certificate = certify_vjp(rule, None, None, X, np.float32(0.3), timed=False)
    assert certificate.holds, str(certificate)


def test_large_values_are_differenced_with_larger_steps():
    rule = custom(lambda x: 1e9 + x**2, lambda x: (1e9 + x**2, x), lambda x, dy: (2 * x * dy,))
    assert certify_vjp(rule, None, None, X, laws=("finite differences", "jacobian")).holds
    wrong = custom(lambda x: 1e9 + x**2, lambda x: (1e9 + x**2, x), lambda x, dy: (2.002 * x * dy,))
    assert not certify_vjp(wrong, None, None, X, laws=("finite differences",)).holds


def test_kink_at_an_argument_takes_any_slope_between_its_sides():
    for slope, holds in ((0.0, True), (0.4, True), (1.2, False)):
        rule = custom(
            lambda x: jnp.maximum(x, 0),
            lambda x: (jnp.maximum(x, 0), x),
            lambda x, dy, slope=slope: (jnp.where(x > 0, dy, jnp.where(x < 0, 0, slope * dy)),),
        )
        x = np.array([0.0, 1.0, -2.0, 0.5])
        certificate = certify_vjp(rule, None, None, x, laws=("finite differences", "jacobian"))
        assert certificate.holds == holds, str(certificate)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"laws": ("autodif",)}, "did you mean 'autodiff'"),
        ({"skip": "autodiff"}, "expected a tuple of names"),
        ({"stopped": ("y",)}, "stopped: expected names among x, found 'y'"),
        ({"tolerances": {"float46": 1e-3}}, "tolerances: expected float64, float32 or bfloat16"),
        ({"static": ("y",)}, "static: expected among x"),
        ({"outputs": (3,)}, "f has no output"),
        ({"n": 3}, "arguments do not fit the function"),
    ],
)
def test_certify_vjp_refuses_option_in_one_line(options, words):
    with pytest.raises(UserError, match=words) as refusal:
        certify_vjp(
            custom(lambda x: (x, x), lambda x: ((x, x), None), lambda _, dy: (dy[0] + dy[1],)), None, None, X, **options
        )
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", domains.GENERATORS)
def test_domain_holds_what_it_names(name):
    sizes = (10, 7, 5) if name == "integers" else (5, 5) if name == "spd" else (7, 5)
    domain = domains.GENERATORS[name](*sizes, seed=3)
    a = domain.value
    properties = {
        "normal": lambda: np.isfinite(a).all(),
        "positive": lambda: (a > 0).all(),
        "probabilities": lambda: ((a > 0) & (a < 1)).all(),
        "simplex": lambda: (a > 0).all() and np.allclose(a.sum(-1), 1, rtol=1e-14),
        "unit": lambda: np.allclose(np.linalg.norm(a, axis=-1), 1, rtol=1e-14),
        "spd": lambda: (a == a.T).all() and np.linalg.eigvalsh(a).min() > 0,
        "sorted": lambda: (np.diff(a, axis=-1) >= 0).all(),
        "permutation": lambda: (np.sort(a, axis=-1) == np.arange(5)).all(),
        "integers": lambda: a.dtype == np.int32 and (a >= 0).all() and (a < 10).all(),
    }
    assert properties[name]()


def test_symmetric_argument_moves_among_symmetric_matrices():
    """A function that reads one triangle of its argument; the rule has the symmetric gradient, as in textbooks."""

    def f(a):
        lower = jnp.tril(a)
        return jnp.linalg.slogdet(lower + lower.T - jnp.diag(jnp.diag(a)))[1]

    rule = custom(f, lambda a: (f(a), a), lambda a, dy: (dy * jnp.linalg.inv(a),))
    a = domains.spd(4)
    assert certify_vjp(rule, None, None, a, quick=True).holds
    assert not certify_vjp(rule, None, None, a.value, quick=True).holds


def test_mutants_of_a_foreign_rule_are_detected():
    certificate = certify_vjp(SQUARE, None, None, X, quick=True, mutants=True)
    assert len(certificate.mutants) > 10 and all(planted.law for planted in certificate.mutants)


@pytest.mark.parametrize(("factor", "holds"), [(1, True), (1.001, False)])
def test_gradient_that_is_small_beside_its_function_is_measured_to_the_rounding_of_the_function(factor, holds):
    """The value has 16 digits, and the gradient stands in the last six: differences know no more of it."""
    rule = (
        lambda x: 1e10 + jnp.sin(x).sum(),
        lambda x: (1e10 + jnp.sin(x).sum(), x),
        lambda x, dy: (factor * dy * jnp.cos(x),),
    )
    certificate = certify_vjp(*rule, X, laws=("autodiff", "finite differences"))
    assert certificate.holds == holds
    finding = certificate.worst("finite differences")
    assert finding is not None
    assert finding.holds == holds
