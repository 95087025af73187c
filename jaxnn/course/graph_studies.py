"""What graph attention reads: the share of each edge in the mean of its receiver."""

import numpy as np

from jaxnn.graph import Graph, SparseFeatures
from jaxnn.layers.graph_attention import AttentionParams


def attention_shares(params: AttentionParams, x: Graph, slope: float = 0.2) -> np.ndarray:
    """α of the edges of the first graph of x, for each head: (edges, heads), in the order of `x.edges.senders`.

    params: of a `graph_attention` with this slope. The shares of the edges into a node are 1 in sum.
    """
    nodes = x.nodes
    if isinstance(nodes, SparseFeatures):
        dense = np.zeros((x.edges.degrees.shape[-1], params.weight.shape[0]))
        dense[np.asarray(nodes.node)[0], np.asarray(nodes.feature)[0]] = np.asarray(nodes.values)[0]
    else:
        dense = np.asarray(nodes)[0]
    senders, receivers = (np.asarray(a)[0] for a in (x.edges.senders, x.edges.receivers))
    h = (dense @ np.asarray(params.weight)).reshape(len(dense), *params.sender.shape)
    sent, received = ((h * np.asarray(a)).sum(-1) for a in (params.sender, params.receiver))
    score = sent[senders] + received[receivers]
    weight = np.exp(np.where(score >= 0, score, slope * score))
    total = np.zeros_like(sent)
    np.add.at(total, receivers, weight)
    return weight / total[receivers]
