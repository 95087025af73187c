"""The certificate of anyone's layer or rule: it holds for what is right, and says where what is wrong is wrong."""

import functools

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from jaxnn.certify import certify as certify_layer
from jaxnn.certify import certify_vjp as certify_rule
from jaxnn.certify.case import cotangent
from jaxnn.certify.cost import Account, Cost, account
from jaxnn.certify.vjp_rule import of_layer
from jaxnn.errors import UserError
from jaxnn.layer import Layer
from jaxnn.layers import dense, dropout, tanh

X = jax.ShapeDtypeStruct((3, 5), jnp.float32)


def wrong_bias(factor: float) -> Layer:
    right = dense(7)

    def backward(params, res, dy):
        dparams, dx = right.backward(params, res, dy)
        return dparams._replace(bias=factor * dparams.bias), dx

    return right._replace(backward=backward)


def test_a_right_layer_is_certified():
    certificate = certify_layer(dense(7), X)
    assert certificate.holds and certificate.check() is certificate
    assert {entry.number for entry in certificate.entries} == {1, 2, 3, 5, 6, 7}
    assert certificate.account is not None and certificate.account.holds
    assert "certified" in str(certificate)


def test_a_tenth_of_a_per_cent_in_a_bias_is_found_and_placed():
    certificate = certify_layer(wrong_bias(1.001), X, quick=True)
    assert not certificate.holds
    finding = certificate.worst("autodiff")
    assert finding is not None and finding.leaf == "params.bias"
    assert finding.got == pytest.approx(1.001 * finding.expected, rel=1e-9)
    assert certificate.smallest == "1×1"
    with pytest.raises(AssertionError, match=r"law 1 \(autodiff\): params.bias\[\d\]: expected"):
        certificate.check()


def test_a_layer_that_draws_is_certified_with_a_key():
    assert certify_layer(dropout(0.3), X, key=jax.random.key(0), quick=True).holds


def test_the_fixtures_pass_what_is_right_and_fail_what_is_wrong(certify, certify_vjp):
    certify(tanh(), X, quick=True)
    with pytest.raises(AssertionError, match="NOT certified"):
        certify(wrong_bias(0.999), X, quick=True)
    certify_vjp(square, lambda x: (x * x, x), lambda x, dy: (2 * x * dy,), jnp.arange(1.0, 4.0), quick=True)
    with pytest.raises(AssertionError, match="NOT certified"):
        certify_vjp(square, lambda x: (x * x, x), lambda x, dy: (x * dy,), jnp.arange(1.0, 4.0), quick=True)


def square(x):
    return x * x


def make_swish(factor: float = 1.0):
    """x σ(w x) with a scalar w, labels and a key that it does not differentiate."""

    @jax.custom_vjp
    def swish(x, w, labels, key):
        del labels, key
        return x * jax.nn.sigmoid(w * x)

    def fwd(x, w, labels, key):
        s = jax.nn.sigmoid(w * x)
        return x * s, (x, w, s)

    def bwd(residuals, dy):
        x, w, s = residuals
        slope = s * (1 - s)
        return dy * (s + w * x * slope), factor * jnp.sum(dy * x * x * slope), None, None

    swish.defvjp(fwd, bwd)
    return swish


ARGS = (np.linspace(-2, 3, 7, dtype=np.float32), np.float32(1.3), np.arange(3, dtype=np.int32))


def test_a_custom_vjp_function_is_its_own_rule_and_what_it_wraps_is_the_witness():
    assert certify_rule(make_swish(), None, None, *ARGS, jax.random.key(0)).holds
    found = certify_rule(make_swish(1.001), None, None, *ARGS, jax.random.key(0), quick=True)
    assert not found.holds
    assert {entry.finding.leaf for entry in found.broken} == {"w"}


def test_pytrees_several_outputs_and_no_cotangent():
    def f(tree, scale):
        return {"sum": tree["a"] + tree["b"], "product": scale * tree["a"]}

    def fwd(tree, scale):
        return f(tree, scale), (tree, scale)

    def bwd(residuals, dy):
        tree, scale = residuals
        return {"a": dy["sum"] + scale * dy["product"], "b": dy["sum"]}, (tree["a"] * dy["product"]).sum()

    tree = {"a": jnp.arange(3.0), "b": jnp.ones(3)}
    assert certify_rule(f, fwd, bwd, tree, jnp.float32(2.0), quick=True).holds
    dropped = certify_rule(f, fwd, lambda r, dy: (bwd(r, dy)[0], None), tree, jnp.float32(2.0), quick=True)
    assert {entry.finding.leaf for entry in dropped.broken} == {"scale"}


def test_arguments_that_are_no_arrays_are_fixed():
    @functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
    def power(x, n):
        return x**n

    power.defvjp(lambda x, n: (x**n, x), lambda n, x, dy: (n * x ** (n - 1) * dy,))
    assert certify_rule(power, None, None, jnp.linspace(1.0, 2.0, 5), 3, quick=True).holds


def test_the_laws_of_batches_are_measured_where_the_batch_is_named():
    rule = (square, lambda x: (x * x, x), lambda x, dy: (2 * x * dy,), jnp.ones((3, 2)))
    laws = {entry.law for entry in certify_rule(*rule, batched=(True,)).entries}
    assert {"examples", "batch of one", "shard_map"} <= laws
    assert "examples" not in {entry.law for entry in certify_rule(*rule).entries}


def test_planted_mistakes_say_what_the_laws_notice_and_what_ones_own_test_does():
    rule = (square, lambda x: (x * x, x), lambda x, dy: (2 * x * dy,), jnp.linspace(1.0, 2.0, 5))

    def lax_test(f):
        x = jnp.linspace(1.0, 2.0, 5)
        np.testing.assert_allclose(jax.grad(lambda x: f(x).sum())(x), 2 * x, rtol=0.05)

    found = certify_rule(*rule, quick=True, mutants=True, test=lax_test)
    assert len(found.mutants) >= 12 and all(planted.law for planted in found.mutants)
    noticed = {planted.name: planted.noticed for planted in found.mutants}
    assert noticed["wrong sign"] is True and noticed["factor 1.001"] is False
    assert "your test did NOT notice" in str(found)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: certify_rule(square, None, None, jnp.ones(3)), "expected fwd and bwd"),
        (lambda: certify_rule(square, square, square, jnp.arange(3)), "floating numbers, found none"),
        (lambda: certify_rule(square, square, square, "x"), "expected arrays as arguments, found 'x'"),
        (lambda: certify_rule(square, square, square, jnp.ones(3), batched=(True, False)), "1 arguments, found 2"),
    ],
)
def test_what_cannot_be_certified_is_refused(call, words):
    with pytest.raises(UserError, match=words):
        call()


@pytest.mark.parametrize(("slope", "holds"), [(1.0, True), (1.001, False)])
def test_differences_step_back_from_a_kink_and_still_see_what_is_wrong(slope, holds):
    """ReLU's kink lies within the first step of an input of 1e-7."""
    x = np.array([1e-7, -1.3, 0.7, 1.9])
    certificate = certify_rule(
        jax.nn.relu, lambda x: (jax.nn.relu(x), x), lambda x, dy: (jnp.where(x > 0, slope * dy, 0),), x, timed=False
    )
    finding = certificate.worst("differences")
    assert finding is not None and finding.holds == holds


def test_the_account_counts_what_a_layer_keeps_without_its_parameters():
    rule = of_layer(dense(7))
    params, x = jax.eval_shape(dense(7).init, jax.random.key(0), X), jnp.ones((3, 5), jnp.float32)
    params = jax.tree.map(lambda a: jnp.ones(a.shape, jnp.float32), params)
    found = account(rule, (params, x), cotangent(0, rule, (params, x)))
    assert found.hand.residual_bytes == found.auto.residual_bytes == 4 * 3 * 5


def test_the_account_notices_what_is_worse():
    cost = Cost(100, 100, 100, 1.0)
    assert Account(cost, cost).holds
    assert not Account(cost._replace(residual_bytes=101), cost).holds
    assert not Account(cost._replace(temporary_bytes=101), cost).holds
    assert Account(cost._replace(temporary_bytes=101, seconds=0.5), cost).holds
    assert not Account(cost._replace(seconds=2.0), cost).holds
