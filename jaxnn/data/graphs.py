"""Graphs whose nodes have classes: Zachary's karate club, .npz files, and a user's own list of edges.

One graph is one example. Its training, validation and test parts are the same graph, at other nodes.
"""

import os
from typing import Literal

import numpy as np
from jaxtyping import Int, Shaped

from jaxnn.data.data_dir import find_path
from jaxnn.data.dataset import Dataset, Part
from jaxnn.data.graph_file import Nodes, graph_from_arrays, graph_from_tables
from jaxnn.errors import UserError

#: The data sets of this module by name.
GRAPH_DATA = ("graph", "karate")
#: The share of features that are not 0 beyond which an array is shorter than lists.
MOST_FILLED = 0.3
#: Who met whom outside the club (Zachary 1977): for each member the higher ones that it met.
_KARATE = {
    0: (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 17, 19, 21, 31), 1: (2, 3, 7, 13, 17, 19, 21, 30),
    2: (3, 7, 8, 9, 13, 27, 28, 32), 3: (7, 12, 13), 4: (6, 10), 5: (6, 10, 16), 6: (16,), 8: (30, 32, 33), 9: (33,),
    13: (33,), 14: (32, 33), 15: (32, 33), 18: (32, 33), 19: (33,), 20: (32, 33), 22: (32, 33),
    23: (25, 27, 29, 32, 33), 24: (25, 27, 31), 25: (31,), 26: (29, 33), 27: (33,), 28: (31, 33), 29: (32, 33),
    30: (32, 33), 31: (32, 33), 32: (33,),
}  # fmt: skip
#: Four communities of greatest modularity, and the members that stayed with the instructor.
_COMMUNITIES = (1, 1, 1, 1, 3, 3, 3, 1, 0, 1, 3, 1, 1, 1, 0, 0, 3, 1, 0, 1, 0, 1, 0, 0, 2, 2, 0, 0, 2, 0, 0, 2, 0, 0)
_INSTRUCTOR = frozenset((0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 16, 17, 19, 21))


def karate(communities: Literal[2, 4] = 4) -> Dataset:
    """Zachary's karate club: 34 members, 78 friendships, and one labelled member of each community to learn from.

    communities: 4 by greatest modularity; 2: who went with the instructor, and who with the officer, when the club
        split, with these two labelled

    Every feature is 1 for one member and 0 for the others. Validation and test part are all other members.
    """
    edges = np.asarray([(a, b) for a, friends in _KARATE.items() for b in friends])
    labels = np.asarray(_COMMUNITIES if communities == 4 else [int(i not in _INSTRUCTOR) for i in range(34)])
    train = np.asarray([0, 4, 8, 24] if communities == 4 else [0, 33])
    others = np.setdiff1d(np.arange(34), train)
    each = np.arange(34)
    masks = {"train": train, "validation": others, "test": others}
    return make_dataset("karate", Nodes(each, each, np.ones(34), 34, edges, labels, masks), ())


def graph(
    file: str,
    nodes_file: str = "",
    label: str = "label",
    unlabelled: str = "",
    parts: Literal["fixed", "random"] = "fixed",
    per_class: int = 20,
    validation_nodes: int = 500,
    test_nodes: int = 1000,
    directed: bool = False,
    normalize: bool = True,
    seed: int = 0,
    data_dir: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Reads a graph whose nodes have classes, for `graph_conv` and `graph_attention`.

    file: an .npz file with features, edges and labels, or a text file with an edge in each line: two numbers of nodes
        from 0, with a comma, a tab or spaces between them. A relative path is tried in the current folder, then in the
        data folder
    nodes_file: with a list of edges, a CSV file with a row for each node: its features, and its class
    label: the column of the class in that file
    unlabelled: the word there of a node without a class; empty: every node has one
    parts: "fixed" takes those that an .npz file has; "random" draws nodes of each class to learn from, then others
    per_class: of random parts, the nodes of each class to learn from
    validation_nodes: of random parts, the nodes to choose by
    test_nodes: of random parts, the nodes to judge by
    directed: whether an edge leads one way; an edge that is given twice counts once
    normalize: whether the features of each node are divided by the sum of their sizes

    One graph is one example: x is a `jaxnn.Graph` (1, nodes, …), y its labels, of which the nodes of the part have
    weight 1. So the sizes of the parts are given here, and ``validation = 1`` and ``test = 1`` take them.

    Raises UserError for an edge that names no node, labels outside the classes, a part without nodes, and for a file
    that is none of these.
    """
    path = find_path(file, data_dir)
    names: tuple[str, ...] = ()
    if nodes_file:
        nodes, names = graph_from_tables(path, find_path(nodes_file, data_dir), label, unlabelled)
        if parts == "fixed":
            raise UserError('graph: expected parts = "random" with a list of edges, found "fixed"')
    else:
        nodes = graph_from_arrays(path)
    if parts == "random":
        nodes = nodes._replace(masks=random_parts(nodes.labels, per_class, validation_nodes, test_nodes, seed))
    if not nodes.masks:
        raise UserError(f'{path}: expected arrays train, validation and test, found none; set parts = "random"')
    if normalize:
        sums = np.bincount(nodes.node, np.abs(nodes.values), len(nodes.labels))
        total = sums[nodes.node]
        nodes = nodes._replace(values=nodes.values / np.where(total == 0, 1, total))
    return make_dataset("graph", nodes, names, directed=directed)


def random_parts(
    labels: Int[np.ndarray, "nodes"], per_class: int, validation: int, test: int, seed: int
) -> dict[str, Int[np.ndarray, "chosen"]]:
    """So many nodes of each class to learn from, then so many others to choose and to judge by, at random."""
    order = np.random.default_rng([seed, *b"nodes"]).permutation(len(labels))
    order = order[labels[order] >= 0]
    rare = [k for k in range(labels.max(initial=-1) + 1) if (labels == k).sum() < per_class]
    if rare:
        raise UserError(
            f"graph: expected at least per_class = {per_class} nodes of each class, found "
            f"{(labels == rare[0]).sum()} of class {rare[0]}; set a smaller per_class"
        )
    train = np.concatenate([order[labels[order] == k][:per_class] for k in range(labels.max(initial=0) + 1)])
    rest = order[~np.isin(order, train)]
    if per_class < 1 or min(validation, test) < 0 or len(rest) < validation + test:
        raise UserError(
            f"graph: expected validation_nodes and test_nodes of at most {len(rest)} together, found {validation} and "
            f"{test}; {len(train)} of {len(order)} nodes with a class are those to learn from"
        )
    return {"train": train, "validation": rest[:validation], "test": rest[validation : validation + test]}


def make_dataset(name: str, nodes: Nodes, names: tuple[str, ...], *, directed: bool = False) -> Dataset:
    """The data set of a graph. Raises UserError for edges, labels and parts that do not fit the nodes."""
    from jaxnn.graph import Graph, make_edges, make_sparse_features
    from jaxnn.targets import Weighted

    n = len(nodes.labels)
    if nodes.labels.min() < -1:
        raise UserError(f"{name}: expected labels from 0, or −1 for none, found {nodes.labels.min()}")
    known = np.unique(nodes.labels[nodes.labels >= 0])
    if not np.array_equal(known, np.arange(len(known))):
        gap = int(np.setdiff1d(np.arange(len(known)), known)[0])
        raise UserError(f"{name}: expected labels from 0 without gaps, found {known[-1]} and no {gap}")
    edges = make_edges(nodes.edges[:, 0], nodes.edges[:, 1], n, directed=directed)
    if len(nodes.node) > MOST_FILLED * n * nodes.features:
        dense = np.zeros((1, n, nodes.features), np.float32)
        dense[0, nodes.node, nodes.feature] = nodes.values
        x = Graph(dense, edges)
    else:
        x = Graph(make_sparse_features(nodes.node, nodes.feature, nodes.values, n, nodes.features), edges)
    chosen = {part: chosen_nodes(name, part, mask, n) for part, mask in nodes.masks.items()}

    def part(which: str) -> Part | None:
        if which not in chosen or (which != "train" and not len(chosen[which])):
            return None
        members = chosen[which]
        if not len(members):
            raise UserError(f"{name}: expected the {which} part as some of the nodes 0 … {n - 1}, found none")
        if (nodes.labels[members] < 0).any():
            node = members[nodes.labels[members] < 0][0]
            raise UserError(f"{name}: expected a class for every node of the {which} part, found none for node {node}")
        if which != "train" and np.isin(members, chosen["train"]).any():
            node = members[np.isin(members, chosen["train"])][0]
            raise UserError(f"{name}: expected other nodes in the {which} part than to learn from, found node {node}")
        weight = np.zeros((1, n), np.float32)
        weight[0, members] = 1
        return Part(x, Weighted(np.maximum(nodes.labels, 0).astype(np.int32)[None], weight))

    if "train" not in chosen:
        raise UserError(f"{name}: expected a train part, found none")
    train = part("train")
    assert train is not None
    classes = names or tuple(str(k) for k in range(len(known)))
    return Dataset(name, train, part("test"), classes, 1.0, validation=part("validation"))


def chosen_nodes(name: str, part: str, mask: Shaped[np.ndarray, "..."], n: int) -> Int[np.ndarray, "chosen"]:
    """The nodes of a part, from their numbers or from a boolean mask. Raises UserError for other arrays."""
    mask = np.asarray(mask)
    expected = f"{name}: expected the {part} part as some of the nodes 0 … {n - 1}, or true and false for each"
    if mask.ndim != 1 or (mask.dtype == bool and len(mask) != n) or (len(mask) and mask.dtype.kind not in "iub"):
        raise UserError(f"{expected}, found {mask.dtype} {mask.shape}")
    if mask.dtype == bool:
        return np.flatnonzero(mask)
    if len(np.unique(mask)) < len(mask):
        raise UserError(f"{expected}, found a node twice; a mask of 0 and 1 needs the type bool")
    if len(mask) and not (mask.min() >= 0 and mask.max() < n):
        raise UserError(f"{expected}, found node {mask.max() if mask.max() >= n else mask.min()}")
    return mask.astype(np.int64)
