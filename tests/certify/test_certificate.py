"""The certificate of a layer or rule: it holds for a correct one, and locates the mistake in a wrong one."""

import functools
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from jaxnn.backprop import autodiff
from jaxnn.certify import certify as certify_layer
from jaxnn.certify import certify_vjp as certify_rule
from jaxnn.certify.case import layer_args, random_cotangent
from jaxnn.certify.cost import Cost, CostComparison, compare_cost, residual_bytes
from jaxnn.certify.vjp_rule import layer_rule
from jaxnn.combine import serial
from jaxnn.errors import UserError
from jaxnn.layer import Layer, empty_init
from jaxnn.layers import dense, dropout, tanh
from jaxnn.summary import summary

X = jax.ShapeDtypeStruct((3, 5), jnp.float32)


def wrong_bias(factor: float) -> Layer:
    right = dense(7)

    def backward(params, res, dy):
        dparams, dx = right.backward(params, res, dy)
        return dparams._replace(bias=factor * dparams.bias), dx

    return right._replace(backward=backward)


def test_certify_holds_for_correct_layer():
    certificate = certify_layer(dense(7), X)
    assert certificate.holds and certificate.check() is certificate
    assert {entry.number for entry in certificate.entries} == {1, 2, 3, 5, 6, 7}
    assert certificate.cost is not None and certificate.cost.holds
    assert "certified" in str(certificate)


def test_certify_locates_wrong_bias_gradient():
    certificate = certify_layer(wrong_bias(1.001), X, quick=True)
    assert not certificate.holds
    measurement = certificate.worst("autodiff")
    assert measurement is not None and measurement.leaf == "params.bias"
    assert measurement.got == pytest.approx(1.001 * measurement.expected, rel=1e-9)
    assert certificate.smallest_shape == "1×1"
    with pytest.raises(AssertionError, match=r"law 1 \(autodiff\): params.bias\[\d\]: expected"):
        certificate.check()


def test_certify_takes_key_for_random_layer():
    assert certify_layer(dropout(0.3), X, key=jax.random.key(0), quick=True).holds


def test_fixtures_pass_correct_and_fail_wrong_rules(certify, certify_vjp):
    certify(tanh(), X, quick=True)
    with pytest.raises(AssertionError, match="NOT certified"):
        certify(wrong_bias(0.999), X, quick=True)
    certify_vjp(square, lambda x: (x * x, x), lambda x, dy: (2 * x * dy,), jnp.arange(1.0, 4.0), quick=True)
    with pytest.raises(AssertionError, match="NOT certified"):
        certify_vjp(square, lambda x: (x * x, x), lambda x, dy: (x * dy,), jnp.arange(1.0, 4.0), quick=True)


def square(x):
    return x * x


def make_swish(factor: float = 1.0):
    """x σ(w x) with a scalar w, and labels and a key without derivative."""

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


def test_certify_vjp_compares_custom_vjp_with_wrapped_function():
    assert certify_rule(make_swish(), None, None, *ARGS, jax.random.key(0)).holds
    certificate = certify_rule(make_swish(1.001), None, None, *ARGS, jax.random.key(0), quick=True)
    assert not certificate.holds
    assert certificate.wrong_leaves == {"w"}


def test_certify_vjp_takes_pytrees_and_missing_cotangents():
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
    assert dropped.wrong_leaves == {"scale"}


def test_certify_vjp_fixes_nondiff_arguments():
    @functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
    def power(x, n):
        return x**n

    power.defvjp(lambda x, n: (x**n, x), lambda n, x, dy: (n * x ** (n - 1) * dy,))
    assert certify_rule(power, None, None, jnp.linspace(1.0, 2.0, 5), 3, quick=True).holds


def test_certify_vjp_measures_batch_laws_for_batched_arguments():
    rule = (square, lambda x: (x * x, x), lambda x, dy: (2 * x * dy,), jnp.ones((3, 2)))
    laws = {entry.law for entry in certify_rule(*rule, batched=(True,)).entries}
    assert {"sum over examples", "batch of one", "shard_map"} <= laws
    assert "sum over examples" not in {entry.law for entry in certify_rule(*rule).entries}


def test_certify_vjp_mutants_report_detection_by_laws_and_test():
    rule = (square, lambda x: (x * x, x), lambda x, dy: (2 * x * dy,), jnp.linspace(1.0, 2.0, 5))

    def lax_test(f):
        x = jnp.linspace(1.0, 2.0, 5)
        np.testing.assert_allclose(jax.grad(lambda x: f(x).sum())(x), 2 * x, rtol=0.05)

    certificate = certify_rule(*rule, quick=True, mutants=True, test=lax_test)
    assert len(certificate.mutants) >= 12 and all(planted.law for planted in certificate.mutants)
    detected = {planted.name: planted.detected for planted in certificate.mutants}
    assert detected["wrong sign"] is True and detected["factor 1.001"] is False
    assert "your test does NOT detect it" in str(certificate)


class Tokens(NamedTuple):
    """Token ids in rows of a fixed size, and how many of each row count."""

    ids: Any
    lengths: Any


TOKENS = Tokens(np.arange(21, dtype=np.int32).reshape(7, 3) % 11, np.asarray([1, 2, 3, 3, 2, 1, 2], np.int32))


def masked_embedding(factor: float = 1.0, with_zeros: bool = False) -> Layer:
    """Rows of a table for `Tokens`: {"values": (batch, time, 5), "lengths": (batch,)}, zero beyond each length."""

    def mask(x):
        return (jnp.arange(x.ids.shape[1], dtype=x.lengths.dtype)[None, :] < x.lengths[:, None])[..., None]

    def init(key, x):
        return {"table": jax.random.normal(key, (11, 5))}

    def forward(params, x, key):
        return {"values": jnp.where(mask(x), params["table"][x.ids], 0), "lengths": x.lengths}, x

    def backward(params, res, dy):
        assert dy["lengths"] is None
        table = jnp.zeros_like(params["table"])
        dtable = table.at[res.ids].add(factor * jnp.where(mask(res), dy["values"], 0))
        dx = jax.tree.map(jnp.zeros_like, res) if with_zeros else Tokens(None, None)
        return {"table": dtable}, dx

    return Layer(init, forward, backward, "masked_embedding")


def test_certify_takes_pytree_of_integers():
    certificate = certify_layer(masked_embedding(), TOKENS)
    assert not certificate.broken, certificate.failures
    assert {"sum over examples", "shard_map", "hessian"} <= {entry.law for entry in certificate.entries}
    assert "nan" not in {entry.law for entry in certificate.entries}
    assert certificate.cost is not None


def test_certify_draws_integers_for_shapes():
    shapes = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), TOKENS)
    assert certify_layer(masked_embedding(), shapes, quick=True).holds


def test_certify_locates_mistake_and_shrinks_pytree():
    certificate = certify_layer(masked_embedding(1.001), TOKENS, quick=True)
    measurement = certificate.worst("autodiff")
    assert measurement is not None and not measurement.holds and measurement.leaf == "params.table"
    assert certificate.smallest_shape == "ids 1×1, lengths 1"


def test_certify_refuses_zero_array_for_integers():
    certificate = certify_layer(masked_embedding(with_zeros=True), TOKENS, quick=True)
    assert [entry.law for entry in certificate.broken] == ["structure"]
    assert certificate.failures[0].startswith(
        "masked_embedding: law 1 (structure): x.ids: expected None for int32, got int32[7, 3]"
    )


def test_certify_takes_booleans_and_layer_without_derivatives():
    """A layer whose x holds booleans alone, and which has no parameters, has no gradient to compare."""
    layer = Layer(
        empty_init,
        lambda params, x, key: (jnp.where(x, 2.0, 3.0), None),
        lambda params, res, dy: ((), None),
        "float_of_bool",
    )
    certificate = certify_layer(layer, np.asarray([[True, False, True]] * 5), mutants=True, timed=False)
    assert certificate.holds, certificate.failures
    assert certificate.mutants == ()


def test_certify_takes_autodiff_layer_with_integers():
    layer = autodiff(lambda key, x: jnp.ones((11, 5)), lambda params, x, key: jnp.sin(params)[x])
    certificate = certify_layer(serial(embed=layer, head=dense(2)), TOKENS.ids, timed=False)
    assert certificate.holds, certificate.failures


def test_certify_takes_x_without_batch():
    """A graph: the features of 7 nodes, and the 5 edges between them."""
    edges = np.asarray([[0, 1], [1, 2], [2, 6], [6, 3], [4, 5]], np.int32)
    layer = autodiff(
        lambda key, x: jnp.ones((3,)),
        lambda params, x, key: (
            jnp.zeros_like(x["nodes"])
            .at[x["edges"][:, 1]]
            .add(jnp.tanh(params[None, :] * x["nodes"][x["edges"][:, 0]]))
        ),
    )
    graph = {"nodes": jax.ShapeDtypeStruct((7, 3), jnp.float32), "edges": edges}
    certificate = certify_layer(layer, graph, batched=False, timed=False)
    assert certificate.holds, certificate.failures
    assert "sum over examples" not in {entry.law for entry in certificate.entries}
    with pytest.raises(UserError, match=r"batch as their first axis, found shapes \(5, 2\), \(7, 3\); .*batched=False"):
        certify_layer(layer, graph)


def test_certify_refuses_x_without_shape():
    with pytest.raises(UserError, match=r"expected x as an array, .* found 3\.0"):
        certify_layer(tanh(), [3.0])


def test_certify_reports_gradient_of_wrong_structure():
    correct = dense(7)

    def backward(params, res, dy):
        dparams, dx = correct.backward(params, res, dy)
        return tuple(dparams), dx

    certificate = certify_layer(correct._replace(backward=backward), X)
    assert [entry.law for entry in certificate.entries] == ["structure"] and not certificate.holds
    assert "params: expected the structure PyTreeDef" in certificate.failures[0]


def test_cost_without_batch_counts_no_parameters():
    """With a key there is no batch axis to test, but the parameters stay parameters."""
    layer, key = serial(dense(7), dropout(0.3)), jax.random.key(0)
    args = layer_args(layer, (3, 5))
    mask = 3 * 7
    assert residual_bytes(layer_rule(layer, key), args)[0] == residual_bytes(layer_rule(layer), args)[0] + mask


def test_layer_replace_keeps_name_and_parts():
    """Certificates and summaries read both; a layer with another backward is still made of the same parts."""
    model = serial(hidden=dense(11), activation=tanh(), head=dense(5))
    replaced = model._replace(backward=lambda *args: model.backward(*args))
    assert replaced.name == "serial" and replaced.parts == model.parts
    assert [part.name for part in replaced.parts] == ["hidden", "activation", "head"]
    assert str(summary(replaced, X)) == str(summary(model, X))
    assert certify_layer(replaced, X, quick=True).name == "serial"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: certify_rule(square, square, None, jnp.ones(3)), "expected fwd and bwd together"),
        (lambda: certify_rule(square, square, square, jnp.arange(3)), "floating numbers, found none"),
        (lambda: certify_rule(square, square, square, "x"), "floating numbers, found none .'x'"),
        (lambda: certify_rule(square, square, square, jnp.ones(3), batched=(True, False)), "1 arguments, found 2"),
    ],
)
def test_certify_vjp_refuses(call, words):
    with pytest.raises(UserError, match=words):
        call()


@pytest.mark.parametrize(("slope", "holds"), [(1.0, True), (1.001, False)])
def test_finite_differences_avoid_kink_and_detect_mistake(slope, holds):
    """For an input of 1e-7 the kink of ReLU lies within the first step."""
    x = np.array([1e-7, -1.3, 0.7, 1.9])
    certificate = certify_rule(
        jax.nn.relu, lambda x: (jax.nn.relu(x), x), lambda x, dy: (jnp.where(x > 0, slope * dy, 0),), x, timed=False
    )
    measurement = certificate.worst("finite differences")
    assert measurement is not None and measurement.holds == holds


def test_cost_counts_residuals_without_parameters():
    rule = layer_rule(dense(7))
    params, x = jax.eval_shape(dense(7).init, jax.random.key(0), X), jnp.ones((3, 5), jnp.float32)
    params = jax.tree.map(lambda a: jnp.ones(a.shape, jnp.float32), params)
    costs = compare_cost(rule, (params, x), random_cotangent(0, rule, (params, x)))
    assert costs.hand_written.residual_bytes == costs.autodiff.residual_bytes == 4 * 3 * 5


def test_cost_comparison_detects_regressions():
    cost = Cost(100, 100, 100, 1.0)
    assert CostComparison(cost, cost).holds
    assert not CostComparison(cost._replace(residual_bytes=101), cost).holds
    assert not CostComparison(cost._replace(temporary_bytes=101), cost).holds
    assert CostComparison(cost._replace(temporary_bytes=101, seconds=0.5), cost).holds
    assert not CostComparison(cost._replace(seconds=2.0), cost).holds
