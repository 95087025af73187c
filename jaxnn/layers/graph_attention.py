"""Attention over the neighbours of a node in a graph."""

from typing import Any, Literal, NamedTuple

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaxnn.errors import UserError
from jaxnn.graph import Edges, Graph, without_integers
from jaxnn.initializers import Init, initializer
from jaxnn.kernels.matmul import add_bias, bias_gradient
from jaxnn.kernels.padded_lists import by_entry, gather_rows, map_lists
from jaxnn.layer import Key, Layer, Time
from jaxnn.layers.graph import node_features, project, project_backward
from jaxnn.shapes import checked


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
        n, dtype = node_features("graph_attention", x)
        keys = jax.random.split(key, 4)
        weight = make_weight(keys[0], (n, heads * units), dtype)
        sender, receiver = (make_weight(k, (heads, units), dtype) for k in keys[1:3])
        return AttentionParams(weight, sender, receiver, make_bias(keys[3], (width,), dtype) if bias else None)

    def projected(params: AttentionParams, x: Graph) -> tuple[Any, Any, Any]:
        """h in heads, and what each node says as a sender and as a receiver, (batch, nodes, heads)."""
        h = project(x.nodes, params.weight)
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
        node_features("graph_attention", x, params.weight.shape[0])
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
        dnodes, dweight = project_backward(x.nodes, params.weight, dh.reshape(*dh.shape[:2], -1))
        dparams = AttentionParams(dweight, dsender, dreceiver, bias_gradient(params.bias, dy.nodes))
        return dparams, Graph(dnodes, without_integers(x.edges))

    return checked(Layer(init, forward, backward, "graph_attention", time=Time()))


def _like(vector: Any, h: Any) -> Any:
    """(heads, units) in the shape of h."""
    return jnp.broadcast_to(vector, h.shape)


def _batched(function: Any, mask: Any) -> Any:
    """`function` for a batch of graphs, whose last argument may be None."""
    if mask is not None:
        return jax.vmap(function)
    return lambda *args: jax.vmap(lambda *inner: function(*inner, None))(*args[:-1])
