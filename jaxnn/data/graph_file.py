"""Reads a graph from a file: an .npz file of arrays or compressed rows, or a list of edges and a table of nodes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int, Shaped

from jaxnn.data.array_reader import read_arrays
from jaxnn.data.csv_file import csv_file
from jaxnn.data.tokens import file_text
from jaxnn.errors import UserError

_MAX_FEATURES = 1_000_000


class Nodes(NamedTuple):
    """A graph as it is read. Features are given by the node, the feature and the value of each that is not 0.

    labels: (nodes,), −1 where a node has none
    masks: part -> the nodes that belong to it
    """

    node: Int[np.ndarray, "entries"]
    feature: Int[np.ndarray, "entries"]
    values: Shaped[np.ndarray, "entries"]
    features: int
    edges: Int[np.ndarray, "edges 2"]
    labels: Int[np.ndarray, "nodes"]
    masks: Mapping[str, Int[np.ndarray, "chosen"]]


def graph_from_arrays(file: Path) -> Nodes:
    """A graph of an .npz file: arrays, or compressed rows by one of two sets of names."""
    arrays = read_arrays(file)
    parts = {part: arrays[part] for part in ("train", "validation", "test") if part in arrays}
    if "feature_indptr" in arrays:
        node, feature, values, features = _compressed(
            file, arrays, "feature_indptr", "feature_indices", "feature_values"
        )
        rows, edges = len(arrays["feature_indptr"]) - 1, _array(file, arrays, "edges")
    elif "adj_indptr" in arrays:
        sender, receiver, _, _ = _compressed(file, arrays, "adj_indptr", "adj_indices", "adj_data")
        edges = np.stack([sender, receiver], axis=1)
        node, feature, values, features = _compressed(file, arrays, "attr_indptr", "attr_indices", "attr_data")
        rows, parts = len(arrays["attr_indptr"]) - 1, {}
    elif {"features", "edges", "labels"} <= set(arrays):
        x = arrays["features"]
        if x.ndim != 2 or x.dtype.kind not in "fiub" or not np.isfinite(x).all():
            raise UserError(f"{file}: expected features as finite numbers (nodes, n), found {x.dtype} {x.shape}")
        node, feature = np.nonzero(x)
        values, features, rows, edges = x[node, feature], x.shape[1], len(x), arrays["edges"]
    else:
        raise UserError(
            f"{file}: expected the arrays features (nodes, n), edges (edges, 2) and labels (nodes), found "
            f"{', '.join(arrays) or 'none'}; np.savez(FILE, features=…, edges=…, labels=…) names them"
        )
    labels, edges = _array(file, arrays, "labels"), np.asarray(edges)
    if edges.ndim != 2 or edges.shape[1] != 2 or edges.dtype.kind not in "iu":
        raise UserError(f"{file}: expected edges as whole numbers (edges, 2), found {edges.dtype} {edges.shape}")
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or not len(labels):
        raise UserError(f"{file}: expected labels as whole numbers (nodes,), found {labels.dtype} {labels.shape}")
    if rows != len(labels):
        raise UserError(f"{file}: expected features for each of {len(labels)} labelled nodes, found {rows} rows")
    return Nodes(node, feature, values.astype(np.float64), features, edges, labels.astype(np.int64), parts)


def _array(file: Path, arrays: Mapping[str, np.ndarray], name: str) -> Shaped[np.ndarray, "..."]:
    if name not in arrays:
        raise UserError(f"{file}: expected an array {name}, found {', '.join(arrays)}")
    return arrays[name]


def _compressed(
    file: Path, arrays: Mapping[str, np.ndarray], starts: str, columns: str, values: str
) -> tuple[Any, Any, Any, int]:
    """The row, the column and the value of each entry of a matrix in compressed rows, and the number of its columns.

    Raises UserError for arrays that are no such matrix.
    """
    shape_name = starts.replace("_indptr", "_shape")
    names = (starts, columns, values, shape_name)
    start, column, value, shape = (_array(file, arrays, name) for name in names)
    whole = all(a.ndim == 1 and a.dtype.kind in "iu" for a in (start, column, shape))
    if not whole or value.ndim != 1 or value.dtype.kind not in "fiub" or len(shape) != 2 or not len(start):
        raise UserError(f"{file}: expected {', '.join(names)} as rows of numbers, found others")
    width = int(shape[1])
    fits = start[0] == 0 and (np.diff(start.astype(np.int64)) >= 0).all() and start[-1] == len(column) == len(value)
    if (
        not fits
        or not 1 <= width <= _MAX_FEATURES
        or (len(column) and not (column.min() >= 0 and column.max() < width))
    ):
        raise UserError(
            f"{file}: expected {starts} to end at the {len(column)} entries of {columns} and {values}, of columns "
            f"0 … {width - 1}, at most {_MAX_FEATURES:,}, found others"
        )
    if not np.isfinite(value).all():
        raise UserError(f"{file}: expected finite {values}, found NaN or infinity")
    return _rows(start.astype(np.int64)), column.astype(np.int64), value, width


def _rows(starts: Int[np.ndarray, "rows_and_one"]) -> Int[np.ndarray, "entries"]:
    """The row of each entry of a matrix in compressed rows."""
    return np.repeat(np.arange(len(starts) - 1), np.diff(starts))


def graph_from_tables(edges_file: Path, nodes_file: Path, label: str, unlabelled: str) -> tuple[Nodes, tuple[str, ...]]:
    """A graph of a list of edges and a table of nodes, and the names of its classes."""
    table = csv_file(str(nodes_file), label=label, targets="classes")
    x, labels, names = table.train.x, table.train.y.astype(int), table.classes
    if unlabelled:
        if unlabelled not in names:
            raise UserError(f"{nodes_file}: expected nodes of the class {unlabelled!r}, which have none, found none")
        missing = names.index(unlabelled)
        labels = np.where(labels == missing, -1, labels - (labels > missing))
        names = tuple(name for name in names if name != unlabelled)
    node, feature = np.nonzero(x)
    edges = read_edges(edges_file)
    if len(edges) and edges.max() >= len(x):
        raise UserError(
            f"{nodes_file}: expected a row for each node that {edges_file} names, up to {edges.max()}, found {len(x)} "
            "rows, which are the nodes from 0"
        )
    return Nodes(node, feature, x[node, feature].astype(np.float64), x.shape[1], edges, labels, {}), names


def read_edges(file: Path) -> Int[np.ndarray, "edges 2"]:
    """The edges of a text file, one in each line. A first line of words, empty lines and those after # are skipped."""
    rows = []
    for number, line in enumerate(file_text(file, "utf-8").splitlines(), 1):
        cells = line.split("#")[0].replace(",", " ").replace(";", " ").split()
        if not cells or (not rows and number == 1 and not any(cell.lstrip("-").isdecimal() for cell in cells)):
            continue
        if len(cells) != 2 or not all(cell.isdecimal() for cell in cells):
            raise UserError(f"{file} line {number}: expected two numbers of nodes, found {line.strip()[:40]!r}")
        rows.append((int(cells[0]), int(cells[1])))
    return np.asarray(rows, np.int64).reshape(-1, 2)
