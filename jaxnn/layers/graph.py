"""Layers for graphs: a node sees its neighbours."""

from typing import Any

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaxnn.errors import UserError
from jaxnn.graph import Graph, SparseFeatures, check_graph, without_integers
from jaxnn.initializers import Init, initializer
from jaxnn.kernels.matmul import add_bias, bias_gradient, matmul, weight_gradient
from jaxnn.kernels.padded_lists import sum_rows, sum_weighted_rows
from jaxnn.layer import Key, Layer, Time
from jaxnn.layers.dense import DenseParams
from jaxnn.shapes import checked, shapes_of

Nodes = Float[Array, "batch nodes n"]


def graph_conv(units: int, weight_init: Init = "glorot_uniform", bias_init: Init = "zeros", bias: bool = True) -> Layer:
    """A graph convolution: each node gets the mean of its neighbours, weighed by the degrees of both.

    h = x W;  yᵢ = rᵢ Σⱼ rⱼ hⱼ + b  over the neighbours j of i, itself among them, with r = 1 / √degree
    dhⱼ = rⱼ Σᵢ rᵢ dyᵢ  over the nodes i that j is a neighbour of;  dW = xᵀ dh,  dx = dh Wᵀ,  db = Σ dy

    Derivation: y = Â h with Âᵢⱼ = rᵢ rⱼ for an edge from j to i, so dh = Âᵀ dy, the sum over the edges in their other
    direction. The rest is a dense layer. With few units W comes first: then the sums are over short rows.

    x a `Graph` with nodes (batch, nodes, n), or `SparseFeatures`, of which only the entries that are not 0 are
    multiplied; y a `Graph` with nodes (batch, nodes, units). Kept: x. (Kipf and Welling 2017.)
    Raises `UserError` for what is no graph.
    """
    make_weight, make_bias = initializer(weight_init), initializer(bias_init)
    if units < 1:
        raise UserError(f"graph_conv: expected at least 1 unit, found {units}")

    def init(key: PRNGKeyArray, x: Any) -> DenseParams:
        n, dtype = node_features("graph_conv", x)
        key_weight, key_bias = jax.random.split(key)
        weight = make_weight(key_weight, (n, units), dtype)
        return DenseParams(weight, make_bias(key_bias, (units,), dtype) if bias else None)

    def forward(params: DenseParams, x: Any, key: Key) -> tuple[Graph, Graph]:
        del key
        node_features("graph_conv", x, params.weight.shape[0])
        h = project(x.nodes, params.weight)
        y = jax.vmap(_normalized_sum)(x.edges.incoming, x.edges.degrees, h)
        return Graph(add_bias(y, params.bias), x.edges), x

    def backward(params: DenseParams, res: Graph, dy: Graph) -> tuple[DenseParams, Graph]:
        x = res
        dh = jax.vmap(_normalized_sum)(x.edges.outgoing, x.edges.degrees, dy.nodes)
        dnodes, dweight = project_backward(x.nodes, params.weight, dh)
        return DenseParams(dweight, bias_gradient(params.bias, dy.nodes)), Graph(dnodes, without_integers(x.edges))

    return checked(Layer(init, forward, backward, "graph_conv", time=Time()))


def graph_nodes() -> Layer:
    """The features of the nodes alone, (batch, nodes, n): what a loss compares with the labels of the nodes.

    y = x.nodes;  dx has dy at the nodes

    Derivation: y is a part of x, whose other part, the edges, holds integers and has no derivative.
    """

    def forward(params: tuple[()], x: Any, key: Key) -> tuple[Nodes, Any]:
        del params, key
        node_features("graph_nodes", x)
        return x.nodes, shapes_of(x.edges)

    def backward(params: tuple[()], res: Any, dy: Nodes) -> tuple[tuple[()], Graph]:
        del params
        return (), Graph(dy, without_integers(res))

    def init(key: PRNGKeyArray, x: Any) -> tuple[()]:
        del key
        node_features("graph_nodes", x)
        return ()

    return checked(Layer(init, forward, backward, "graph_nodes", time=Time()))


def node_features(name: str, x: Any, expected: int | None = None) -> tuple[int, Any]:
    """The number of features of each node, and their type. Raises `UserError` for what is no graph."""
    if not isinstance(x, Graph):
        raise UserError(f"{name}: expected a Graph, found {type(x).__name__}; make one with jaxnn.graph.make_edges")
    check_graph(name, x)
    if isinstance(x.nodes, SparseFeatures):
        found, dtype = x.nodes.columns.order.shape[-1], x.nodes.values.dtype
        if name == "graph_nodes":
            raise UserError("graph_nodes: expected features as an array, found SparseFeatures; use it after graph_conv")
    else:
        found, dtype = x.nodes.shape[-1], x.nodes.dtype
    if expected is not None and found != expected:
        raise UserError(f"{name}: expected {expected} features of each node, found {found}")
    return found, dtype


def _normalized_sum(lists: Any, degrees: Any, h: Any) -> Any:
    root = jax.lax.rsqrt(jnp.maximum(degrees, 1).astype(h.dtype))[:, None]
    return root * sum_rows(lists, root * h)


def project(nodes: Any, weight: Any) -> Nodes:
    """x W."""
    if not isinstance(nodes, SparseFeatures):
        return matmul(nodes, weight)
    return jax.vmap(lambda rows, values: sum_weighted_rows(rows, values, weight))(nodes.rows, nodes.values)


def project_backward(nodes: Any, weight: Any, dh: Nodes) -> tuple[Any, Any]:
    """dx = dh Wᵀ, of sparse features at their entries alone, and dW = xᵀ dh."""
    if not isinstance(nodes, SparseFeatures):
        return matmul(dh, weight.T), weight_gradient(nodes, dh)
    dweight = jax.vmap(sum_weighted_rows)(nodes.columns, nodes.values, dh).sum(0)
    dvalues = jax.vmap(lambda node, feature, dh: (dh[node] * weight[feature]).sum(-1))(nodes.node, nodes.feature, dh)
    return without_integers(nodes)._replace(values=dvalues), dweight
