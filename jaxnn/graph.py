"""Graphs: nodes with features, and the edges between them as lists of neighbours that are made once, on the host.

A sum over neighbours is a gather from padded lists, and its backward pass is a gather from the lists of the other
direction. Nothing is scattered, so the sums have one order, on a GPU too. The nodes are grouped by their number of
neighbours, rounded up, so that a few nodes with many neighbours do not lengthen the lists of all.

Every array has a batch axis in front. One graph is a batch of one.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnn.errors import UserError
from jaxnn.shapes import describe_shapes, is_shape

#: A node of one group and its neighbours, or −1 where it has fewer.
Group = Int[Array | np.ndarray, "batch nodes width"]


#: The lengths that lists are padded to. Fewer of them compile faster, more of them pad less.
_WIDTHS = np.asarray([2, 4, 8, 16, *(4**k * 32 for k in range(12))])


class Lists(NamedTuple):
    """For each row of a sparse matrix its entries, in groups of rows with about as many entries.

    others: for each group (batch, rows, width): the column of each entry, −1 where a row has fewer
    entries: the same, with the position of each entry in the list of all
    members: for each group (batch, rows): its rows
    order: (batch, n): where row i stands in the groups, one after the other
    places: (batch, entries): where an entry stands in the padded lists of all groups, one after the other
    """

    others: tuple[Group, ...]
    entries: tuple[Group, ...]
    members: tuple[Int[Array | np.ndarray, "batch rows"], ...]
    order: Int[Array | np.ndarray, "batch n"]
    places: Int[Array | np.ndarray, "batch entries"]


class Edges(NamedTuple):
    """The edges of a graph, each of which carries something from its sender to its receiver.

    incoming: for each node the senders of its edges; outgoing: the receivers
    senders, receivers: (batch, edges)
    degrees: (batch, nodes), the number of edges into each node
    """

    incoming: Lists
    outgoing: Lists
    senders: Int[Array | np.ndarray, "batch edges"]
    receivers: Int[Array | np.ndarray, "batch edges"]
    degrees: Int[Array | np.ndarray, "batch nodes"]


class SparseFeatures(NamedTuple):
    """Features of nodes of which most are 0, such as the words of an article: the others alone.

    values: (batch, entries)
    rows: for each node its features; columns: for each feature its nodes
    node, feature: (batch, entries): of each value
    """

    values: Float[Array | np.ndarray, "batch entries"]
    rows: Lists
    columns: Lists
    node: Int[Array | np.ndarray, "batch entries"]
    feature: Int[Array | np.ndarray, "batch entries"]


class Graph(NamedTuple):
    """Nodes and the edges between them. A derivative with respect to one has None in place of the integers.

    nodes: features (batch, nodes, n), or `SparseFeatures`
    """

    nodes: Any
    edges: Any


def make_lists(rows: np.ndarray, columns: np.ndarray, n: int) -> Lists:
    """The lists of n rows, from the row and the column of each entry; with a batch axis of 1."""
    counts = np.bincount(rows, minlength=n)
    by_row = np.argsort(rows, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)])
    widths = _WIDTHS[np.searchsorted(_WIDTHS, counts)]
    others, entries, placed = [], [], []
    for width in np.unique(widths):
        group = np.flatnonzero(widths == width)
        places = starts[group][:, None] + np.arange(width)[None]
        real = np.arange(width)[None] < counts[group][:, None]
        entry = np.where(real, by_row[np.minimum(places, max(len(rows) - 1, 0))] if len(rows) else 0, -1)
        entries.append(entry.astype(np.int32)[None])
        others.append(np.where(entry >= 0, columns[entry] if len(columns) else 0, -1).astype(np.int32)[None])
        placed.append(group)
    order = np.empty(n, np.int32)
    order[np.concatenate(placed)] = np.arange(n, dtype=np.int32)
    members = tuple(rows_of_group.astype(np.int32)[None] for rows_of_group in placed)
    padded = np.concatenate([group.ravel() for group in entries])
    places = np.empty(len(rows), np.int32)
    places[padded[padded >= 0]] = np.flatnonzero(padded >= 0)
    return Lists(tuple(others), tuple(entries), members, order[None], places[None])


def make_edges(
    senders: Sequence[int] | np.ndarray,
    receivers: Sequence[int] | np.ndarray,
    nodes: int,
    *,
    directed: bool = False,
    loops: bool = True,
) -> Edges:
    """The edges of a graph of so many nodes, for `graph_conv` and `graph_attention`.

    directed: false adds each edge in the other direction too
    loops: whether each node gets one edge to itself, as both layers expect
    An edge that is given several times counts once.
    Raises `UserError` for edges that name no node, and for a graph without nodes.
    """
    sender, receiver = (np.asarray(a, np.int64).ravel() for a in (senders, receivers))
    if nodes < 1:
        raise UserError(f"graph: expected at least 1 node, found {nodes}")
    if len(sender) != len(receiver):
        raise UserError(f"graph: expected a sender for each receiver, found {len(sender)} and {len(receiver)}")
    for i, (a, b) in enumerate(zip(sender.tolist(), receiver.tolist(), strict=True)):
        if not (0 <= a < nodes and 0 <= b < nodes):
            raise UserError(f"graph: expected edges between the nodes 0 … {nodes - 1}, found edge {i} from {a} to {b}")
    if not directed:
        sender, receiver = np.concatenate([sender, receiver]), np.concatenate([receiver, sender])
    if loops:
        every = np.arange(nodes)
        sender, receiver = np.concatenate([sender, every]), np.concatenate([receiver, every])
    keys = np.unique(receiver * nodes + sender)
    receiver, sender = keys // nodes, keys % nodes
    return Edges(
        make_lists(receiver, sender, nodes),
        make_lists(sender, receiver, nodes),
        sender.astype(np.int32)[None],
        receiver.astype(np.int32)[None],
        np.bincount(receiver, minlength=nodes).astype(np.int32)[None],
    )


def make_sparse_features(
    node: np.ndarray, feature: np.ndarray, values: np.ndarray, nodes: int, features: int
) -> SparseFeatures:
    """Features of which most are 0, from the node, the feature and the value of each that is not."""
    return SparseFeatures(
        np.asarray(values, np.float32)[None],
        make_lists(node, feature, nodes),
        make_lists(feature, node, features),
        np.asarray(node, np.int32)[None],
        np.asarray(feature, np.int32)[None],
    )


def subgraph(x: Graph, nodes: np.ndarray) -> Graph:
    """Some nodes of one graph, with their features and the edges between them. Computed on the host.

    x: with arrays as `make_edges` and `make_sparse_features` make them, of a batch of one
    nodes: their numbers, each once, in the order that they get
    """
    number = np.full(x.edges.degrees.shape[-1], -1)
    number[nodes] = np.arange(len(nodes))
    senders, receivers = (number[np.asarray(ends)[0]] for ends in (x.edges.senders, x.edges.receivers))
    inside = (senders >= 0) & (receivers >= 0)
    edges = make_edges(senders[inside], receivers[inside], len(nodes), directed=True, loops=False)
    if not isinstance(x.nodes, SparseFeatures):
        return Graph(np.asarray(x.nodes)[:, nodes], edges)
    node, feature, values = (np.asarray(a)[0] for a in (x.nodes.node, x.nodes.feature, x.nodes.values))
    kept = number[node] >= 0
    features = x.nodes.columns.order.shape[-1]
    return Graph(make_sparse_features(number[node[kept]], feature[kept], values[kept], len(nodes), features), edges)


def without_integers(tree: Any) -> Any:
    """A tree of arrays or shapes with None in place of its integers: how a derivative has edges."""
    return jax.tree.map(lambda a: a if jnp.issubdtype(a.dtype, jnp.floating) else None, tree, is_leaf=is_shape)


def check_graph(name: str, x: Graph) -> None:
    """Raises `UserError` for a graph whose arrays do not fit each other, which JAX would broadcast or read wrongly."""
    edges, nodes = x.edges, x.nodes
    if not isinstance(edges, Edges):
        raise UserError(f"{name}: expected the edges that jaxnn.make_edges makes, found {type(edges).__name__}")
    count = tuple(edges.degrees.shape)
    fits = _is_list(edges.incoming, count, edges.senders) and _is_list(edges.outgoing, count, edges.senders)
    fits = fits and tuple(edges.receivers.shape) == tuple(edges.senders.shape)
    if isinstance(nodes, SparseFeatures):
        features = (count[0], nodes.columns.order.shape[-1])
        fits = fits and _is_list(nodes.rows, count, nodes.values) and _is_list(nodes.columns, features, nodes.values)
        fits = fits and tuple(nodes.node.shape) == tuple(nodes.feature.shape) == tuple(nodes.values.shape)
    else:
        fits = fits and len(nodes.shape) == 3 and tuple(nodes.shape[:2]) == count
    if not fits:
        raise UserError(
            f"{name}: expected a Graph whose arrays are of the same nodes and edges, found {describe_shapes(x)}"
        )


def _is_list(lists: Any, rows: tuple[int, ...], entries: Any) -> bool:
    """Whether lists are of rows (batch, n) and of so many entries (batch, entries)."""
    groups = tuple(zip(lists.others, lists.entries, lists.members, strict=False))
    same = all(tuple(a.shape) == tuple(b.shape) and tuple(a.shape[:2]) == tuple(m.shape) for a, b, m in groups)
    batches = all(len(a.shape) == 3 and a.shape[0] == rows[0] for a, _, _ in groups)
    whole = tuple(lists.order.shape) == rows and tuple(lists.places.shape) == tuple(entries.shape)
    of_batch = len(rows) == 2 and len(entries.shape) == 2 and entries.shape[0] == rows[0]
    return same and batches and whole and of_batch and sum(m.shape[1] for _, _, m in groups) == rows[1]


def node_values(name: str, x: Graph) -> Any:
    """The numbers that a layer for each node is applied to. Raises `UserError` for sparse features, but for dropout."""
    if not isinstance(x.nodes, SparseFeatures):
        return x.nodes
    if name != "dropout":
        raise UserError(
            f"{name or 'a layer'}: expected features of the nodes as an array, found SparseFeatures; only graph_conv, "
            "graph_attention and dropout take these"
        )
    return x.nodes.values


def with_values(x: Graph, values: Any) -> Graph:
    """The graph with other numbers at its nodes."""
    if isinstance(x.nodes, SparseFeatures):
        return x._replace(nodes=x.nodes._replace(values=values))
    return x._replace(nodes=values)
