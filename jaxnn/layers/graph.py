"""Layers for graphs: a node sees its neighbours."""

from typing import Any, Literal, NamedTuple

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaxnn.errors import UserError
from jaxnn.graph import Edges, Graph, SparseFeatures, check_graph, without_integers
from jaxnn.initializers import Init, initializer
from jaxnn.kernels.matmul import add_bias, bias_gradient, matmul, weight_gradient
from jaxnn.kernels.padded_lists import by_entry, gather_rows, map_lists, sum_rows, sum_weighted_rows
from jaxnn.layer import Key, Layer, Time
from jaxnn.layers.dense import DenseParams
from jaxnn.shapes import checked, shapes_of

Nodes = Float[Array, "batch nodes n"]


class AttentionParams(NamedTuple):
    """weight (n, heads · units); sender, receiver (heads, units): what a node says as either; bias."""

    weight: Float[Array, "n width"]
    sender: Float[Array, "heads units"]
    receiver: Float[Array, "heads units"]
    bias: Any


class AttentionResiduals(NamedTuple):
    """x; mask: what dropout kept of each edge and head, or None."""

    x: Graph
    mask: Any


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
        n, dtype = _features("graph_conv", x)
        key_weight, key_bias = jax.random.split(key)
        weight = make_weight(key_weight, (n, units), dtype)
        return DenseParams(weight, make_bias(key_bias, (units,), dtype) if bias else None)

    def forward(params: DenseParams, x: Any, key: Key) -> tuple[Graph, Graph]:
        del key
        _features("graph_conv", x, params.weight.shape[0])
        h = _project(x.nodes, params.weight)
        y = jax.vmap(_normalized_sum)(x.edges.incoming, x.edges.degrees, h)
        return Graph(add_bias(y, params.bias), x.edges), x

    def backward(params: DenseParams, res: Graph, dy: Graph) -> tuple[DenseParams, Graph]:
        x = res
        dh = jax.vmap(_normalized_sum)(x.edges.outgoing, x.edges.degrees, dy.nodes)
        dnodes, dweight = _project_backward(x.nodes, params.weight, dh)
        return DenseParams(dweight, bias_gradient(params.bias, dy.nodes)), Graph(dnodes, without_integers(x.edges))

    return checked(Layer(init, forward, backward, "graph_conv", time=Time()))


def graph_attention(
    heads: int,
    units: int,
    dropout: float = 0.0,
    combine: Literal["concatenate", "mean"] = "concatenate",
    slope: float = 0.2,
    weight_init: Init = "glorot_uniform",
    bias_init: Init = "zeros",
    bias: bool = True,
) -> Layer:
    """Attention over neighbours: each node gets a mean of its neighbours, with weights that both nodes decide.

    h = x W, in heads;  eᵢⱼ = LeakyReLU(s·hⱼ + t·hᵢ);  α = softmax of e over the neighbours j of i;  yᵢ = Σⱼ αᵢⱼ hⱼ
    dαᵢⱼ = ⟨dyᵢ, hⱼ⟩;  Dᵢ = Σⱼ αᵢⱼ dαᵢⱼ;  deᵢⱼ = αᵢⱼ (dαᵢⱼ − Dᵢ), times the slope where s·hⱼ + t·hᵢ < 0
    dhⱼ = Σᵢ αᵢⱼ dyᵢ + s Σᵢ deᵢⱼ + t Σₖ deⱼₖ;  ds = Σ deᵢⱼ hⱼ,  dt = Σ deᵢⱼ hᵢ;  dW = xᵀ dh,  dx = dh Wᵀ

    Derivation: the softmax's derivative is α ∘ (dα − Σ α dα). hⱼ stands in the sums of all its receivers and in the
    numbers of both sides. The weights into each receiver are computed again. Each sender then looks up those of its
    edges, so nothing is scattered.

    dropout: of the weights, after the softmax; each edge and head by itself. With m its mask, y = Σ α m h / (1 − rate),
        and dα gets the same factor
    combine: heads side by side, (batch, nodes, heads · units), or their mean, (batch, nodes, units)
    x and y are a `Graph`; a node without neighbours gets 0. Kept: x and the mask. (Veličković et al. 2018.)
    Raises `UserError` for impossible numbers and what is no graph.
    """
    make_weight, make_bias = initializer(weight_init), initializer(bias_init)
    if heads < 1 or units < 1 or combine not in ("concatenate", "mean"):
        raise UserError(
            f"graph_attention: expected at least 1 head and unit, and combine 'concatenate' or 'mean', found {heads} "
            f"heads, {units} units and {combine!r}"
        )
    if isinstance(dropout, float | int) and not 0 <= dropout < 1:
        raise UserError(f"graph_attention: expected a dropout in [0, 1), found {dropout}")
    width = heads * units if combine == "concatenate" else units

    def init(key: PRNGKeyArray, x: Any) -> AttentionParams:
        n, dtype = _features("graph_attention", x)
        keys = jax.random.split(key, 4)
        weight = make_weight(keys[0], (n, heads * units), dtype)
        sender, receiver = (make_weight(k, (heads, units), dtype) for k in keys[1:3])
        return AttentionParams(weight, sender, receiver, make_bias(keys[3], (width,), dtype) if bias else None)

    def projected(params: AttentionParams, x: Graph) -> tuple[Any, Any, Any]:
        """h in heads, and what each node says as a sender and as a receiver, (batch, nodes, heads)."""
        h = _project(x.nodes, params.weight)
        h = h.reshape(*h.shape[:2], heads, units)
        return h, (h * _like(params.sender, h)).sum(-1), (h * _like(params.receiver, h)).sum(-1)

    def leaky(a: Any) -> Any:
        return jnp.where(a >= 0, a, slope * a)

    def factor(mask: Any, entries: Any) -> Any:
        """What dropout multiplies each weight by; 1 without a mask."""
        return 1 if mask is None else gather_rows(mask, entries) / (1 - dropout)

    def shares(sent: Any, received: Any, others: Any, rows: Any) -> tuple[Any, Any]:
        """α of the edges into a group of nodes, (rows, width, heads), and their scores before the LeakyReLU."""
        seen = (others >= 0)[..., None]
        scores = gather_rows(sent, others) + received[rows][:, None]
        rectified = leaky(scores)
        largest = jnp.where(seen, rectified, -jnp.inf).max(1, keepdims=True)
        largest = jnp.where(jnp.isfinite(largest), largest, 0)
        weights = jnp.where(seen, jnp.exp(rectified - largest), 0)
        total = weights.sum(1, keepdims=True)
        return weights / jnp.where(total > 0, total, 1), scores

    def attend(edges: Edges, h: Any, sent: Any, received: Any, mask: Any) -> Any:
        def group(others: Any, entries: Any, rows: Any) -> Any:
            share, _ = shares(sent, received, others, rows)
            return jnp.einsum("rwk,rwku->rku", share * factor(mask, entries), gather_rows(h, others))

        return map_lists(edges.incoming, group)

    def forward(params: AttentionParams, x: Any, key: Key) -> tuple[Graph, AttentionResiduals]:
        _features("graph_attention", x, params.weight.shape[0])
        h, sent, received = projected(params, x)
        mask = None
        if key is not None and not (isinstance(dropout, float | int) and dropout == 0):
            kept = jax.random.bernoulli(key, 1 - dropout, (*x.edges.senders.shape, heads))
            mask = kept.astype(h.dtype)
        y = _batched(attend, mask)(x.edges, h, sent, received, mask)
        joined = y.reshape(*y.shape[:2], -1) if combine == "concatenate" else y.mean(2)
        return Graph(add_bias(joined, params.bias), x.edges), AttentionResiduals(x, mask)

    def back(edges: Edges, h: Any, sent: Any, received: Any, dy: Any, mask: Any) -> Any:
        """dh of the sums, and the sums of de over the edges out of and into each node, (nodes, heads)."""

        def edge(others: Any, entries: Any, rows: Any) -> tuple[Any, Any]:
            """α with its dropout, and de, of the edges into a group of nodes."""
            share, score = shares(sent, received, others, rows)
            dropped = factor(mask, entries)
            dshare = jnp.einsum("rku,rwku->rwk", dy[rows], gather_rows(h, others)) * dropped
            # The second mean is the rounding error of the first, which ds would be full of where dα hardly varies.
            centred = dshare - (share * dshare).sum(1, keepdims=True)
            de = share * (centred - (share * centred).sum(1, keepdims=True))
            return share * dropped, jnp.where(score >= 0, de, slope * de)

        weights, derivatives = by_entry(edges.incoming, edge)

        def out_of(others: Any, entries: Any, rows: Any) -> tuple[Any, Any]:
            del rows
            weight, de = gather_rows(weights, entries), gather_rows(derivatives, entries)
            return jnp.einsum("rwk,rwku->rku", weight, gather_rows(dy, others)), de.sum(1)

        dh, dsent = map_lists(edges.outgoing, out_of)
        into = map_lists(edges.incoming, lambda others, entries, rows: gather_rows(derivatives, entries).sum(1))
        return dh, dsent, into

    def backward(params: AttentionParams, res: AttentionResiduals, dy: Graph) -> tuple[AttentionParams, Graph]:
        x = res.x
        h, sent, received = projected(params, x)
        if combine == "concatenate":
            dheads = dy.nodes.reshape(h.shape)
        else:
            dheads = jnp.broadcast_to(dy.nodes[:, :, None] / heads, h.shape)
        dh, dsent, dreceived = _batched(back, res.mask)(x.edges, h, sent, received, dheads, res.mask)
        dh = dh + dsent[..., None] * _like(params.sender, h) + dreceived[..., None] * _like(params.receiver, h)
        dsender, dreceiver = ((a[..., None] * h).sum((0, 1)) for a in (dsent, dreceived))
        dnodes, dweight = _project_backward(x.nodes, params.weight, dh.reshape(*dh.shape[:2], -1))
        dparams = AttentionParams(dweight, dsender, dreceiver, bias_gradient(params.bias, dy.nodes))
        return dparams, Graph(dnodes, without_integers(x.edges))

    return checked(Layer(init, forward, backward, "graph_attention", time=Time()))


def graph_nodes() -> Layer:
    """The features of the nodes alone, (batch, nodes, n): what a loss compares with the labels of the nodes.

    y = x.nodes;  dx has dy at the nodes

    Derivation: y is a part of x, whose other part, the edges, holds integers and has no derivative.
    """

    def forward(params: tuple[()], x: Any, key: Key) -> tuple[Nodes, Any]:
        del params, key
        _features("graph_nodes", x)
        return x.nodes, shapes_of(x.edges)

    def backward(params: tuple[()], res: Any, dy: Nodes) -> tuple[tuple[()], Graph]:
        del params
        return (), Graph(dy, without_integers(res))

    def init(key: PRNGKeyArray, x: Any) -> tuple[()]:
        del key
        _features("graph_nodes", x)
        return ()

    return checked(Layer(init, forward, backward, "graph_nodes", time=Time()))


def _features(name: str, x: Any, expected: int | None = None) -> tuple[int, Any]:
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


def _project(nodes: Any, weight: Any) -> Nodes:
    """x W."""
    if not isinstance(nodes, SparseFeatures):
        return matmul(nodes, weight)
    return jax.vmap(lambda rows, values: sum_weighted_rows(rows, values, weight))(nodes.rows, nodes.values)


def _project_backward(nodes: Any, weight: Any, dh: Nodes) -> tuple[Any, Any]:
    """dx = dh Wᵀ, of sparse features at their entries alone, and dW = xᵀ dh."""
    if not isinstance(nodes, SparseFeatures):
        return matmul(dh, weight.T), weight_gradient(nodes, dh)
    dweight = jax.vmap(sum_weighted_rows)(nodes.columns, nodes.values, dh).sum(0)
    dvalues = jax.vmap(lambda node, feature, dh: (dh[node] * weight[feature]).sum(-1))(nodes.node, nodes.feature, dh)
    return without_integers(nodes)._replace(values=dvalues), dweight


def _like(vector: Any, h: Any) -> Any:
    """(heads, units) in the shape of h."""
    return jnp.broadcast_to(vector, h.shape)


def _batched(function: Any, mask: Any) -> Any:
    """`function` for a batch of graphs, whose last argument may be None."""
    if mask is not None:
        return jax.vmap(function)
    return lambda *args: jax.vmap(lambda *inner: function(*inner, None))(*args[:-1])
