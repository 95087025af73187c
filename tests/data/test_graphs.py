"""Graphs of files and of a user's own tables; digits on a canvas. What is wrong is one line."""

from typing import Any

import numpy as np
import pytest

from jaxnn.data import load, split
from jaxnn.data.canvas import free_corners
from jaxnn.errors import UserError
from jaxnn.graph import SparseFeatures


def edges_of(dataset):
    edges = dataset.train.x.edges
    pairs = zip(edges.senders[0].tolist(), edges.receivers[0].tolist(), strict=True)
    return {pair for pair in pairs if pair[0] != pair[1]}


def test_karate_club():
    dataset: Any = load("karate")
    assert len(edges_of(dataset)) == 2 * 78
    assert dataset.train.y.weight.sum() == 4
    assert dataset.test.y.weight.sum() == 30
    assert np.bincount(dataset.train.y.target[0]).tolist() == [13, 12, 4, 5]
    two = load("karate", {"communities": 2})
    assert np.bincount(two.train.y.target[0]).tolist() == [17, 17]
    parts = split(dataset, validation=1, test=1)
    assert parts.test is not None
    assert parts.test.num_examples == 1


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {
        "features": (rng.uniform(size=(30, 12)) < 0.2).astype(float),
        "edges": rng.integers(30, size=(50, 2)),
        "labels": np.arange(30) % 3,
        "train": np.arange(9),
        "validation": np.arange(9, 15),
        "test": np.arange(15, 30),
    }


def saved(folder, arrays):
    np.savez(folder / "graph.npz", **arrays)
    return str(folder / "graph.npz")


def test_arrays_of_a_graph(tmp_path, arrays):
    dataset: Any = load("graph", {"file": saved(tmp_path, arrays)})
    nodes = dataset.train.x.nodes
    assert isinstance(nodes, SparseFeatures)
    sums = np.bincount(nodes.node[0], nodes.values[0], 30)
    assert np.allclose(sums[arrays["features"].any(1)], 1)
    assert np.array_equal(np.flatnonzero(dataset.validation.y.weight[0]), arrays["validation"])
    wanted = {(int(a), int(b)) for a, b in arrays["edges"] if a != b}
    assert edges_of(dataset) == wanted | {(b, a) for a, b in wanted}
    assert edges_of(load("graph", {"file": saved(tmp_path, arrays), "directed": True})) == wanted


def test_random_parts_have_so_many_of_each_class(tmp_path, arrays):
    options = {
        "file": saved(tmp_path, arrays),
        "parts": "random",
        "per_class": 2,
        "validation_nodes": 5,
        "test_nodes": 10,
    }
    first: Any
    first, again, other = (load("graph", options, seed=seed) for seed in (0, 0, 1))
    chosen = np.flatnonzero(first.train.y.weight[0])
    assert np.bincount(arrays["labels"][chosen]).tolist() == [2, 2, 2]
    assert first.test.y.weight.sum() == 10
    assert np.array_equal(first.train.y.weight, again.train.y.weight)
    assert not np.array_equal(first.train.y.weight, other.train.y.weight)


def test_edges_and_nodes_of_tables(tmp_path):
    (tmp_path / "edges.csv").write_text("from,to\n0,1\n1 2\n2;3 # a comment\n\n3\t4\n", "utf-8")
    rows = "".join(f"{i}.5,{i % 2},{'unknown' if i == 4 else 'ab'[i % 2]}\n" for i in range(6))
    (tmp_path / "nodes.csv").write_text("height,flag,label\n" + rows, "utf-8")
    options = {
        "file": str(tmp_path / "edges.csv"),
        "nodes_file": str(tmp_path / "nodes.csv"),
        "unlabelled": "unknown",
        "parts": "random",
        "per_class": 1,
        "validation_nodes": 0,
        "test_nodes": 3,
    }
    dataset: Any = load("graph", options)
    assert dataset.classes == ("a", "b")
    assert {(0, 1), (1, 0), (3, 4)} <= edges_of(dataset)
    assert dataset.train.y.weight[0, 4] == dataset.test.y.weight[0, 4] == 0
    assert dataset.validation is None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"edges": np.asarray([[0, 30]])}, "expected edges between the nodes 0 … 29, found edge 0 from 0 to 30"),
        ({"labels": np.arange(30) - 5}, "expected labels from 0, or −1 for none, found -5"),
        ({"train": np.asarray([], int)}, "expected the train part as some of the nodes"),
        ({"test": np.asarray([40])}, "expected the test part as some of the nodes 0 … 29"),
        ({"labels": np.where(np.arange(30) == 3, -1, np.arange(30) % 3)}, "found none for node 3"),
        ({"edges": np.zeros((5, 3), int)}, "expected edges as whole numbers"),
        ({"train": np.zeros(30, bool)}, "expected the train part as some of the nodes 0 … 29, found none"),
        ({"train": np.ones(29, bool)}, r"true and false for each, found bool \(29,\)"),
        ({"train": np.arange(30) % 2}, "a mask of 0 and 1 needs the type bool"),
        ({"train": np.arange(9.0)}, "found float64"),
        ({"train": np.zeros((3, 3), int)}, "found int64"),
        ({"features": np.ones((20, 12))}, "expected features for each of 30 labelled nodes, found 20 rows"),
        ({"features": np.full((30, 12), "a")}, "expected features as finite numbers"),
        ({"features": np.full((30, 12), np.nan)}, "expected features as finite numbers"),
        ({"labels": np.where(np.arange(30) == 3, 10**9, np.arange(30) % 3)}, "without gaps, found 1000000000 and no 3"),
        ({"test": np.arange(8, 20)}, "expected other nodes in the test part than to learn from, found node 8"),
        ({"labels": np.zeros((30, 2), int)}, "expected labels as whole numbers"),
    ],
)
def test_impossible_graphs_are_refused(tmp_path, arrays, change, expected):
    with pytest.raises(UserError, match=expected) as error:
        load("graph", {"file": saved(tmp_path, arrays | change)})
    assert "\n" not in str(error.value)


def compressed(arrays):
    x = arrays["features"]
    node, feature = np.nonzero(x)
    return {
        **{name: arrays[name] for name in ("edges", "labels", "train", "validation", "test")},
        "feature_indptr": np.concatenate([[0], np.cumsum(np.bincount(node, minlength=30))]),
        "feature_indices": feature,
        "feature_values": x[node, feature],
        "feature_shape": np.asarray(x.shape),
    }


def test_compressed_rows_are_the_same_graph(tmp_path, arrays):
    plain = load("graph", {"file": saved(tmp_path, arrays)}).train.x
    other = load("graph", {"file": saved(tmp_path, compressed(arrays))}).train.x
    for a, b in zip(plain.nodes[:1] + plain.nodes[3:], other.nodes[:1] + other.nodes[3:], strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("feature_indices", lambda a: a + 12),
        ("feature_indices", lambda a: a - 5),
        ("feature_indices", lambda a: a[:-1]),
        ("feature_indptr", lambda a: a[::-1]),
        ("feature_indptr", lambda a: a[:-1]),
        ("feature_shape", lambda a: np.asarray([30, 10**10])),
        ("feature_values", lambda a: np.where(np.arange(len(a)) == 2, np.nan, a)),
        ("feature_values", lambda a: a.astype(str)),
    ],
)
def test_broken_compressed_rows_are_refused(tmp_path, arrays, name, change):
    broken = compressed(arrays)
    with pytest.raises(UserError, match="expected") as error:
        load("graph", {"file": saved(tmp_path, broken | {name: change(broken[name])})})
    assert "\n" not in str(error.value)
    del broken[name]
    with pytest.raises(UserError, match="expected"):
        load("graph", {"file": saved(tmp_path, broken)})


def test_features_of_either_sign_are_normalized_by_their_sizes(tmp_path, arrays):
    signs = arrays | {"features": np.tile([1.0, -1 + 1e-7, 0], (30, 4))}
    x = load("graph", {"file": saved(tmp_path, signs)}).train.x.nodes
    assert np.abs(x).max() < 1
    assert np.allclose(np.abs(x).sum(-1), 1)


def test_rare_class_of_random_parts_is_refused(tmp_path, arrays):
    options = {"file": saved(tmp_path, arrays), "parts": "random", "per_class": 11}
    with pytest.raises(UserError, match="expected at least per_class = 11 nodes of each class, found 10 of class 0"):
        load("graph", options)


def test_files_that_are_no_graph_are_refused(tmp_path, arrays):
    del arrays["features"]
    with pytest.raises(UserError, match=r"expected the arrays features .* found edges"):
        load("graph", {"file": saved(tmp_path, arrays)})
    (tmp_path / "edges.txt").write_text("0 1\n1 two\n", "utf-8")
    (tmp_path / "nodes.csv").write_text("x,label\n1,a\n2,b\n1,a\n2,b\n", "utf-8")
    options = {"file": str(tmp_path / "edges.txt"), "nodes_file": str(tmp_path / "nodes.csv"), "parts": "random"}
    with pytest.raises(UserError, match="line 2: expected two numbers of nodes"):
        load("graph", options)
    (tmp_path / "edges.txt").write_text("0 1\n1 7\n", "utf-8")
    with pytest.raises(UserError, match=r"expected a row for each node that .* names, up to 7, found 4"):
        load("graph", options)
    (tmp_path / "edges.txt").write_text("0 1\n", "utf-8")
    with pytest.raises(UserError, match='expected parts = "random"'):
        load("graph", options | {"parts": "fixed"})
    with pytest.raises(UserError, match="expected validation_nodes and test_nodes of at most"):
        load("graph", options | {"per_class": 1})


def test_canvas_has_the_class_of_each_pixel():
    dataset: Any = load("canvas", {"n": 40, "test_n": 10, "noise": 0.0})
    x, y = dataset.train
    assert x.shape == (40, 24, 24, 1)
    assert y.shape == (40, 24, 24)
    assert np.array_equal(y > 0, x[..., 0] >= 0.25)
    assert all(1 <= len(np.unique(labels)) - 1 <= 3 for labels in y)
    again = load("canvas", {"n": 40, "test_n": 10, "noise": 0.0})
    assert np.array_equal(x, again.train.x)


@pytest.mark.parametrize(("size", "count"), [(16, 2), (16, 4), (24, 3), (24, 9)])
def test_digits_on_a_canvas_do_not_overlap(size, count):
    rng = np.random.default_rng(0)
    for _ in range(50):
        corners = free_corners(rng, count, size)
        assert len(corners) == count
        for i, (top, left) in enumerate(corners):
            assert 0 <= top <= size - 8 and 0 <= left <= size - 8
            assert all(abs(top - t) >= 8 or abs(left - k) >= 8 for t, k in corners[:i])


def test_digits_of_the_test_canvases_are_others():
    """Without noise, no digit of a test canvas stands on a training canvas. Single digits are compared."""
    dataset: Any = load("canvas", {"n": 600, "test_n": 200, "size": 8, "digits": 1, "noise": 0.0})
    known = {image.tobytes() for image in dataset.train.x}
    assert not known & {image.tobytes() for image in dataset.test.x}


@pytest.mark.parametrize("options", [{"size": 7}, {"size": 8, "digits": 2}, {"digits": 0}, {"n": 0}, {"noise": -1.0}])
def test_impossible_canvas_is_refused(options):
    with pytest.raises(UserError, match="canvas: expected"):
        load("canvas", options)
