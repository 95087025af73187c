"""Laws of the layers of generative, graph and modular nets beside those of the certificate, each with a control."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

import jaxnn
from jaxnn.errors import UserError
from jaxnn.graph import Graph, make_edges, make_lists, make_sparse_features, subgraph, without_integers
from jaxnn.layers import (
    conv,
    conv_transpose,
    dense,
    gaussian,
    graph_attention,
    graph_conv,
    graph_nodes,
    group_norm,
    part,
    upsample,
)
from jaxnn.layers.upsample import interpolation
from jaxnn.mixture_of_experts import mixture, shares
from tests.laws.compiled import compiled


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


def dot(a, b):
    return float((a * b).sum())


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("stride", [1, 2, (2, 3)])
def test_transposed_convolution_is_the_adjoint_of_the_convolution(stride, padding):
    """⟨conv u, x⟩ = ⟨u, convᵀ x⟩ for the same kernel."""
    x, kernel = normal(0, 2, 3, 5, 7), (3, 4)
    transposed = conv_transpose(2, kernel, stride, padding, bias=False)
    params = jax.tree.map(lambda a: normal(1, *a.shape), transposed.init(jax.random.key(0), x))
    y = transposed.apply(params, x)
    u = normal(2, *y.shape)
    there = conv(7, kernel, stride, padding, bias=False).apply(params, u)
    assert there.shape == x.shape
    assert dot(there, x) == pytest.approx(dot(u, y), rel=1e-12)
    assert dot(there, x) != pytest.approx(dot(u, y[:, ::-1]), rel=1e-3)  # control: another image


@pytest.mark.parametrize("method", ["nearest", "bilinear"])
def test_upsampling_backward_is_its_adjoint(method):
    layer, x = upsample((2, 3), method), normal(0, 2, 3, 5, 2)
    y, res = layer.forward((), x, None)
    u = normal(1, *y.shape)
    assert dot(y, u) == pytest.approx(dot(x, layer.backward((), res, u)[1]), rel=1e-12)
    assert np.allclose(layer.apply((), jnp.ones_like(x)), 1)
    if method == "bilinear":
        expected = jax.image.resize(x, y.shape, "bilinear")
        assert np.allclose(y, expected, atol=1e-12)


def test_interpolation_of_one_place_repeats_it():
    assert np.array_equal(interpolation(1, 3), np.ones((3, 1)))


@pytest.mark.parametrize("groups", [1, 3])
def test_group_norm_ignores_shift_and_scale_of_an_example(groups):
    layer, x = group_norm(groups, epsilon=0.0), normal(0, 2, 5, 6)
    params = layer.init(jax.random.key(0), x)
    y, res = layer.forward(params, x, None)
    assert np.allclose(y, layer.apply(params, 3 * x + 7), atol=1e-12)
    assert not np.allclose(y, layer.apply(params, x**2), atol=1e-3)  # control: no shift and scale
    _, dx = layer.backward(params, res, normal(1, *y.shape))
    assert np.allclose(dx.reshape(2, 5, groups, -1).sum((1, 3)), 0, atol=1e-12)
    far = (x + 1e4).astype(jnp.float32)
    exact = np.asarray(layer.apply(jax.tree.map(lambda a: a.astype(jnp.float64), params), far.astype(jnp.float64)))
    found = np.asarray(layer.apply(jax.tree.map(lambda a: a.astype(jnp.float32), params), far))
    assert np.abs(found - exact).max() < 1e-3


def test_gaussian_draws_the_stated_distribution():
    """A key fixes all; the mean and the variance are those of the code, within five standard errors."""
    layer, n = gaussian(), 200_000
    x = jnp.broadcast_to(jnp.asarray([0.7, np.log(0.25)]), (n, 2))
    z = layer.apply((), x, jax.random.key(1))
    assert np.array_equal(z, layer.apply((), x, jax.random.key(1)))
    assert not np.array_equal(z, layer.apply((), x, jax.random.key(2)))
    assert abs(float(z.mean()) - 0.7) < 5 * 0.5 / np.sqrt(n)
    assert abs(float(z.var()) - 0.25) < 5 * 0.25 * np.sqrt(2 / n)
    assert np.array_equal(layer.apply((), x), x[:, :1])


def test_divergence_is_its_monte_carlo_estimate():
    code, n = jnp.asarray([[0.7, -0.4, np.log(0.25), np.log(2.0)]]), 100_000
    divergence = dict(jaxnn.elbo().summands)["divergence"]((jnp.zeros((1, 1)), code), None)[0]
    z = gaussian().apply((), jnp.broadcast_to(code, (n, 4)), jax.random.key(0))
    mean, variance = (jnp.broadcast_to(a, z.shape) for a in (code[0, :2], jnp.exp(code[0, 2:])))
    terms = 0.5 * (z**2 - (z - mean) ** 2 / variance - jnp.log(variance)).sum(1)
    assert abs(float(terms.mean() - divergence)) < 5 * float(terms.std()) / np.sqrt(n)
    assert abs(float(terms.mean() - 2 * divergence)) > 0.1  # control


def test_elbo_refuses_what_is_no_code():
    for y in (jnp.zeros((3, 4)), (jnp.zeros((3, 4)), jnp.zeros((3, 3))), (jnp.zeros((3, 4)), jnp.zeros((2, 4)))):
        with pytest.raises(UserError, match="expected the output"):
            jaxnn.elbo()(y, jnp.zeros((3, 4)))
    with pytest.raises(UserError, match="expected targets of the logits' shape"):
        jaxnn.elbo()((jnp.zeros((3, 4)), jnp.zeros((3, 2))), jnp.zeros((3, 5)))


def test_mixture_is_a_mean_and_agreeing_experts_leave_the_gate_alone():
    model = mixture(dense(3), *(dense(2) for _ in range(3)))
    x = normal(0, 7, 5)
    params = model.init(jax.random.key(0), x)
    assert np.allclose(shares(model, params, x).sum(-1), 1)
    same = {**params, "expert_1": params["expert_0"], "expert_2": params["expert_0"]}
    y, res = model.forward(same, x, None)
    assert np.allclose(y, dense(2).apply(params["expert_0"], x))
    dparams, _ = model.backward(same, res, normal(1, *y.shape))
    assert max(np.abs(a).max() for a in jax.tree.leaves(dparams["gate"])) < 1e-12
    other, res = model.forward(params, x, None)
    control, _ = model.backward(params, res, normal(1, *other.shape))
    assert max(np.abs(a).max() for a in jax.tree.leaves(control["gate"])) > 1e-3


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda: mixture(dense(2)), "at least one expert"),
        (lambda: mixture(dense(3), dense(2), dense(2)).init(jax.random.key(0), normal(0, 7, 5)), "gate to give"),
        (
            lambda: mixture(dense(2), dense(2), dense(3)).init(jax.random.key(0), normal(0, 7, 5)),
            "outputs of one shape",
        ),
        (lambda: part([[2, 2]]), "bounds"),
        (lambda: part([[0, 9]]).apply((), normal(0, 7, 5)), "at least"),
        (lambda: conv_transpose(0, 3), "at least 1 channel"),
        (lambda: group_norm(4).init(jax.random.key(0), normal(0, 7, 6)), "divide into 4 groups"),
        (lambda: gaussian().apply((), normal(0, 7, 5)), "even"),
        (lambda: graph_conv(2).init(jax.random.key(0), normal(0, 7, 5)), "expected a Graph"),
        (lambda: make_edges([0, 5], [1, 2], 4), "edge 1 from 5 to 2"),
        (lambda: make_edges([0], [1, 2], 4), "a sender for each receiver"),
        (lambda: make_edges([], [], 0), "at least 1 node"),
    ],
)
def test_impossible_layers_are_refused(build, expected):
    with pytest.raises(UserError, match=expected) as error:
        build()
    assert "\n" not in str(error.value)


# Graphs.

SENDERS, RECEIVERS = [0, 1, 1, 2, 2, 2, 4], [1, 2, 3, 0, 3, 3, 2]


def attention_net():
    return jaxnn.serial(graph_attention(2, 3), jaxnn.tanh(), graph_conv(2), graph_nodes())


@pytest.mark.parametrize("net", [lambda: jaxnn.serial(graph_conv(3), graph_nodes()), attention_net])
def test_graph_nets_follow_a_permutation_of_the_nodes(net):
    """f(P x) = P f(x), the same dparams, and dx permuted; the order of the edges changes nothing."""
    model, n = compiled(net()), 6
    x, dy = normal(0, 1, n, 4), normal(1, 1, n, 2 if net is attention_net else 3)
    order = np.asarray([3, 0, 5, 1, 4, 2])
    place = np.argsort(order)

    def run(nodes, senders, receivers, dy):
        graph = Graph(nodes, make_edges(senders, receivers, n, directed=True))
        params = model.init(jax.random.key(3), graph)
        y, res = model.forward(params, graph, None)
        dparams, dx = model.backward(params, res, dy)
        return y, dparams, dx.nodes

    plain = run(x, SENDERS, RECEIVERS, dy)
    mixed = np.random.default_rng(2).permutation(len(SENDERS))
    moved = run(x[:, order], place[np.asarray(SENDERS)[mixed]], place[np.asarray(RECEIVERS)[mixed]], dy[:, order])
    for a, b in ((plain[0][:, order], moved[0]), (plain[2][:, order], moved[2])):
        assert np.allclose(a, b, atol=1e-12)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-11), plain[1], moved[1])
    assert not np.allclose(plain[0], moved[0], atol=1e-6)  # control: not permuted


def test_graph_conv_by_hand():
    """An isolated node keeps itself, an edge given twice or a loop counts once, and no edges are a graph too."""
    x = jnp.asarray([[[1.0], [2.0], [4.0]]])
    layer = graph_conv(1, weight_init="ones", bias=False)

    def y(senders, receivers, **options):
        graph = Graph(x, make_edges(senders, receivers, 3, **options))
        return layer.apply(layer.init(jax.random.key(0), graph), graph).nodes[0, :, 0]

    # The degrees of nodes 0 and 1 are 2 with their loops: (1 + 2) / 2 for both.
    expected = [1.5, 1.5, 4.0]
    assert np.allclose(y([0], [1]), expected)
    assert np.allclose(y([0, 1, 0], [1, 0, 1]), expected)
    assert np.allclose(y([0, 0], [1, 0]), expected)
    assert np.allclose(y([], []), [1, 2, 4])
    # One way: node 1 has two edges into it, node 0 its loop alone.
    assert np.allclose(y([0], [1], directed=True), [1.0, 1 / np.sqrt(2) + 2 / 2, 4.0])


def test_graph_attention_weights_sum_to_one():
    """Where all neighbours say the same, so does their mean, and neither side's numbers matter."""
    n = 6
    graph = Graph(jnp.broadcast_to(normal(0, 1, 1, 4), (1, n, 4)), make_edges(SENDERS, RECEIVERS, n, directed=True))
    layer = graph_attention(2, 3, bias=False)
    params = layer.init(jax.random.key(0), graph)
    y, res = layer.forward(params, graph, None)
    assert np.allclose(y.nodes, graph.nodes @ params.weight, atol=1e-12)
    dparams, _ = layer.backward(params, res, Graph(normal(1, *y.nodes.shape), without_integers(y.edges)))
    assert np.abs(dparams.sender).max() < 1e-12
    assert np.abs(dparams.receiver).max() < 1e-12


def test_attention_among_like_neighbours_is_as_exact_as_autodiff_in_float32():
    """Where all neighbours say nearly the same, ds is what remains of derivatives that nearly cancel."""
    n, rng = 60, np.random.default_rng(0)
    edges = make_edges(rng.integers(n, size=400), rng.integers(n, size=400), n)
    layer = graph_attention(2, 5, bias=False)
    errors = []

    @jax.jit
    def gradients(params, nodes, dy):
        x = Graph(nodes, edges)
        y, res = layer.forward(params, x, None)
        by_hand, _ = layer.backward(params, res, Graph(dy, without_integers(y.edges)))
        autodiff = jax.grad(lambda params: (layer.forward(params, x, None)[0].nodes * dy).sum())(params)
        return by_hand.sender, autodiff.sender

    for seed in range(5):
        nodes, dy = 1 + 1e-2 * normal(seed, 1, n, 8), normal(seed + 5, 1, n, 10)

        def gradients_in(dtype, nodes=nodes, dy=dy):
            values = layer.init(jax.random.key(1), Graph(nodes, edges)), nodes, dy
            rounded = jax.tree.map(lambda leaf: leaf.astype(np.float32).astype(dtype), values)
            return [np.asarray(gradient, np.float64) for gradient in gradients(*rounded)]

        true = gradients_in(np.float64)[1]
        errors.append([np.linalg.norm(a - true) for a in gradients_in(np.float32)])
    by_hand, autodiff = np.median(errors, axis=0)
    assert by_hand <= autodiff


def test_node_without_neighbours_gets_zero_from_attention():
    graph = Graph(normal(0, 1, 3, 4), make_edges([0], [1], 3, directed=True, loops=False))
    layer = compiled(graph_attention(2, 3, bias=False))
    y, res = layer.forward(params := layer.init(jax.random.key(0), graph), graph, None)
    assert np.array_equal(y.nodes[0, [0, 2]], np.zeros((2, 6)))
    _, dx = layer.backward(params, res, Graph(normal(1, 1, 3, 6), without_integers(y.edges)))
    assert np.isfinite(dx.nodes).all()
    assert np.array_equal(dx.nodes[0, 2], np.zeros(4))


def test_sparse_features_are_the_same_as_an_array():
    n, edges = 6, make_edges(SENDERS, RECEIVERS, 6)
    node, feature = np.asarray([0, 0, 2, 3, 5, 5]), np.asarray([1, 3, 0, 2, 1, 2])
    values = np.random.default_rng(0).normal(size=6)
    dense_features = np.zeros((1, n, 4))
    dense_features[0, node, feature] = values
    sparse = make_sparse_features(node, feature, values, n, 4)._replace(values=values[None])
    for layer in map(compiled, (graph_conv(3), graph_attention(2, 3))):
        params = layer.init(jax.random.key(0), Graph(jnp.asarray(dense_features), edges))
        outcomes = []
        for x in (jnp.asarray(dense_features), sparse):
            y, res = layer.forward(params, Graph(x, edges), None)
            dparams, dx = layer.backward(params, res, Graph(normal(1, *y.nodes.shape), without_integers(y.edges)))
            outcomes.append((y.nodes, dparams, dx.nodes))
        (y, dparams, dx), (sparse_y, sparse_dparams, sparse_dx) = outcomes
        assert np.allclose(y, sparse_y, atol=1e-12)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-12), dparams, sparse_dparams)
        assert np.allclose(np.asarray(dx)[0, node, feature], sparse_dx.values[0], atol=1e-12)
        assert sparse_dx.node is None


@pytest.mark.parametrize("is_sparse", [False, True])
def test_subgraph_has_the_features_of_its_nodes_and_the_edges_between_them(is_sparse):
    n, nodes = 6, np.asarray([4, 0, 2])
    node, feature = np.asarray([0, 3, 2, 0, 5, 4]), np.asarray([1, 2, 0, 3, 1, 2])
    values = np.arange(1.0, 7, dtype=np.float32)
    features = np.zeros((n, 4), np.float32)
    features[node, feature] = values
    edges = make_edges(SENDERS, RECEIVERS, n, directed=True)
    x = Graph(make_sparse_features(node, feature, values, n, 4) if is_sparse else features[None], edges)
    part = subgraph(x, nodes)
    assert np.array_equal(adjacency(part.edges), adjacency(edges)[np.ix_(nodes, nodes)])
    if is_sparse:
        found = np.zeros((len(nodes), 4), np.float32)
        found[part.nodes.node[0], part.nodes.feature[0]] = part.nodes.values[0]
    else:
        (found,) = part.nodes
    assert np.array_equal(found, features[nodes])
    # Its lists are those that the layers read.
    layer = compiled(graph_conv(2))
    params = layer.init(jax.random.key(0), part)
    y = layer.forward(params, part, None)[0].nodes[0]
    a = adjacency(part.edges)
    root = 1 / np.sqrt(a.sum(1, keepdims=True))
    assert np.allclose(y, root * a @ (root * (features[nodes] @ np.asarray(params.weight))), atol=1e-6)


def adjacency(edges) -> np.ndarray:
    """(nodes, nodes): 1 where there is an edge from the node of the column to that of the row."""
    n = edges.degrees.shape[-1]
    matrix = np.zeros((n, n))
    matrix[edges.receivers[0], edges.senders[0]] = 1
    return matrix


def test_layers_for_nodes_refuse_sparse_features():
    graph = Graph(make_sparse_features(np.asarray([0]), np.asarray([1]), np.ones(1), 3, 4), make_edges([0], [1], 3))
    with pytest.raises(UserError, match="SparseFeatures"):
        jaxnn.serial(dense(3)).init(jax.random.key(0), graph)


@pytest.mark.parametrize("n", [1, 5])
def test_lists_hold_every_entry_once(n):
    rng = np.random.default_rng(n)
    rows, columns = rng.integers(n, size=40), rng.integers(7, size=40)
    lists = make_lists(rows, columns, n)
    found = []
    for others, entries, members in zip(lists.others, lists.entries, lists.members, strict=True):
        for row, other, entry in zip(members[0], others[0], entries[0], strict=True):
            found += [(int(e), int(row), int(o)) for o, e in zip(other, entry, strict=True) if e >= 0]
    assert sorted(found) == [(i, int(rows[i]), int(columns[i])) for i in range(40)]
    padded = np.concatenate([group.ravel() for group in lists.entries])
    assert np.array_equal(padded[lists.places[0]], np.arange(40))
