"""Rows of the table of cases for layers of sequences and of graphs. Sizes are primes."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxnn.certify.case import Constructor
from jaxnn.certify.rows import TOKENS, Row, layer_row, without_arguments
from jaxnn.combine import serial
from jaxnn.graph import Graph, make_edges, make_sparse_features
from jaxnn.layer import Layer
from jaxnn.layers import dense, dropout, graph_nodes, recur, tanh
from jaxnn.layers.cells import CELLS
from jaxnn.sequence import Sequence

#: Sequences of different lengths, one of them without places.
LENGTHS = np.asarray([7, 0, 4, 1, 7], np.int32)
SEQUENCE = Sequence((5, 7, 2), LENGTHS)
TOKEN_TABLE = np.random.default_rng(3).integers(11, size=(5, 7), dtype=np.int32)
POOLS = ("mean", "max", "last")


def _recur(cell: str, **options: Any) -> Callable[[Constructor], Layer]:
    return lambda make: make({"name": cell, "units": 3}, **options)


def _pool(kind: str) -> Callable[[Constructor], Layer]:
    return lambda make: make(kind)


def _repeated(tree: Any, batch: int) -> Any:
    return jax.tree.map(lambda a: np.repeat(a, batch, axis=0), tree)


#: Three graphs of seven nodes, of which the last has no edge but its loop; some edges go one way.
EDGES = _repeated(make_edges([0, 1, 2, 0, 0, 4, 1, 2], [1, 2, 0, 3, 4, 5, 3, 3], 7, directed=True), 3)
GRAPH = Graph((3, 7, 5), EDGES)
_FEATURES = make_sparse_features(np.asarray([0, 0, 2, 3, 3, 3, 6]), np.asarray([1, 4, 0, 1, 2, 4, 3]), np.ones(7), 7, 5)
SPARSE_GRAPH = Graph(_repeated(_FEATURES, 3)._replace(values=(3, 7)), EDGES)


SEQUENCE_ROWS: tuple[Row, ...] = (
    layer_row("embedding", "", lambda make: make(11, 5), TOKENS),
    layer_row("embedding", "large table", lambda make: make(521, 3), TOKENS),
    layer_row("embedding", "a sequence", lambda make: serial(make(11, 5)), Sequence(TOKEN_TABLE, LENGTHS)),
    layer_row("unembedding", "", lambda make: make(11), (7, 5)),
    layer_row("positional_embedding", "", lambda make: make(7), (3, 5, 2)),
    *(layer_row("recur", "" if cell == "simple" else cell, _recur(cell), (3, 5, 7), full=True) for cell in CELLS),
    *(layer_row("recur", f"{cell}, reverse", _recur(cell, reverse=True), SEQUENCE) for cell in CELLS),
    *(layer_row("recur", f"{cell}, last", _recur(cell, last=True), SEQUENCE) for cell in CELLS),
    *(
        layer_row("recur", f"{cell}, state", _recur(cell, state=True), (SEQUENCE, ((5, 3),) * states))
        for cell, states in (("simple", 1), ("lstm", 2), ("gru", 1))
    ),
    layer_row("recur", "last and state", _recur("lstm", last=True, state=True), (SEQUENCE, ((5, 3), (5, 3)))),
    layer_row("bidirectional", "", lambda make: make({"name": "gru", "units": 3}), (3, 5, 7)),
    layer_row("bidirectional", "a sequence", lambda make: make({"name": "lstm", "units": 3}), SEQUENCE),
    layer_row("recompute", "a sequence", lambda make: make(recur({"name": "gru", "units": 3})), SEQUENCE),
    layer_row("layer_norm", "", without_arguments, (3, 5, 7)),
    layer_row("layer_norm", "no offset", lambda make: make(0.1, offset=False), (5, 7)),
    layer_row("rms_norm", "", without_arguments, (3, 5, 7)),
    layer_row("attention", "", lambda make: make(2), (3, 5, 6)),
    layer_row("attention", "causal", lambda make: make(2, True), (3, 5, 6)),
    layer_row("attention", "a sequence", lambda make: make(2), Sequence((5, 7, 6), LENGTHS)),
    layer_row("attention", "blocks of queries", lambda make: make(1, True), (2, 131, 3)),
    layer_row("attention", "rotary", lambda make: make(1, True, positions="rotary"), Sequence((5, 7, 6), LENGTHS)),
    layer_row("attention", "learned positions", lambda make: make(3, positions="learned", length=11), (3, 5, 6)),
    layer_row("attention", "dropout", lambda make: make(2, True, 0.3), (3, 5, 6), seed=2),
    layer_row("transformer", "", lambda make: make(1, 2, 6, 5), (3, 5, 6)),
    layer_row(
        "transformer",
        "a sequence, dropout",
        lambda make: make(2, 1, 6, 5, dropout=0.2, positions="rotary", norm="rms_norm"),
        Sequence((5, 7, 6), LENGTHS),
        seed=2,
    ),
    *(layer_row("pool_sequence", "" if kind == "mean" else kind, _pool(kind), SEQUENCE, full=True) for kind in POOLS),
)

GRAPH_ROWS: tuple[Row, ...] = (
    layer_row("graph_conv", "", lambda make: make(2), GRAPH),
    layer_row("graph_conv", "sparse features", lambda make: make(3, bias=False), SPARSE_GRAPH),
    layer_row(
        "graph_conv",
        "a net",
        lambda make: serial(dropout(0.4), make(3), tanh(), dense(11), make(2), graph_nodes()),
        SPARSE_GRAPH,
        seed=2,
    ),
    layer_row("graph_attention", "", lambda make: make(2, 3), GRAPH),
    layer_row("graph_attention", "mean of heads, dropout", lambda make: make(3, 2, 0.3, "mean"), GRAPH, seed=2),
    layer_row("graph_attention", "sparse features", lambda make: make(2, 3, bias=False), SPARSE_GRAPH),
    layer_row("graph_nodes", "", without_arguments, GRAPH),
)
