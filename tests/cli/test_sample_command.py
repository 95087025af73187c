"""`jaxnn sample` makes pictures that a classifier judges; a run of a graph says the class of each node."""

import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture
def runs(trained, jaxnn):
    for config, epochs in (("digits_vae", 20), ("digits_gan", 2), ("digits_mlp", 3)):
        if not (trained / config).exists():
            words = ["train", config, "--train.epochs", epochs, "--train.eval-every", 1, "--out", trained / config]
            code, _, err = jaxnn(*words)
            assert code == 0, err
    return trained


def test_sample_writes_an_array_and_pictures(runs, jaxnn, tmp_path):
    words = ["sample", runs / "digits_vae", "--count", 12, "--seed", 3]
    code, out, err = jaxnn(*words, "--out", tmp_path / "a")
    assert (code, err) == (0, "")
    assert out.split() == [str(tmp_path / "a" / name) for name in ("grid.png", "samples.npy")]
    samples = np.load(tmp_path / "a" / "samples.npy", allow_pickle=False)
    assert samples.shape == (12, 8, 8, 1)
    picture = np.asarray(Image.open(tmp_path / "a" / "sample_0007.png"))
    assert np.array_equal(picture, np.round(255 * samples[7, ..., 0]).astype(np.uint8))
    assert jaxnn(*words, "--out", tmp_path / "b")[0] == 0
    assert np.array_equal(np.load(tmp_path / "b" / "samples.npy"), samples)
    code, _, err = jaxnn(*words, "--out", tmp_path / "a")
    assert code == 2
    assert "found earlier samples; choose another --out, or --overwrite" in err
    assert jaxnn(*words, "--out", tmp_path / "a", "--overwrite")[0] == 0
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep", "utf-8")
    code, _, err = jaxnn(*words, "--out", tmp_path / "mine", "--overwrite")
    assert code == 2
    assert "found something else" in err
    assert (tmp_path / "mine" / "notes.txt").read_text("utf-8") == "keep"


def test_sample_of_a_class_is_judged(runs, jaxnn, tmp_path):
    words = ["sample", runs / "digits_gan", "--class", 3, "--judge", runs / "digits_mlp", "--out", tmp_path / "s"]
    code, out, err = jaxnn(*words, "--json", tmp_path / "judged.json")
    assert (code, err) == (0, "")
    said = {
        row["what the judge says"]: row["number"] for row in json.loads((tmp_path / "judged.json").read_text())["rows"]
    }
    assert said["classes covered"].endswith("of 10")
    assert {"share taken for the class", "judge distance to real test examples"} <= set(said)
    assert "judged by Digits, embedded: multi-layer perceptron" in out


@pytest.mark.parametrize(
    ("config", "words", "expected"),
    [
        ("digits_mlp", [], "expected a generative net"),
        ("digits_vae", ["--class", 3], "expected no class, found 3"),
        ("digits_gan", ["--class", 11], "expected a class from 0 to 9, found 11"),
        ("digits_gan", ["--class", "cat"], "--class: expected one of 0, 1"),
        ("digits_vae", ["--count", 0], "expected a count from 1"),
        ("digits_vae", ["--run-seed", 4], "expected the position of one of 1 seeds"),
        ("digits_vae", ["--seed", -1], "expected a number from 0"),
    ],
)
def test_sample_mistakes_are_one_line(runs, jaxnn, tmp_path, config, words, expected):
    code, out, err = jaxnn("sample", runs / config, *words, "--out", tmp_path / "s")
    assert (code, out) == (2, "")
    assert expected in err
    assert err.count("\n") == 1
    assert not (tmp_path / "s").exists()


GRAPH = """
title = "two groups"
[data]
name = "graph"
file = "{folder}/edges.csv"
nodes_file = "{folder}/nodes.csv"
parts = "random"
per_class = 3
validation_nodes = 4
test_nodes = 8
validation = 1
test = 1
[[net]]
layer = "graph_conv"
units = 8
[[net]]
layer = "relu"
[[net]]
layer = "graph_conv"
units = "classes"
[[net]]
layer = "graph_nodes"
[loss]
name = "softmax_cross_entropy"
[optimizer]
name = "adam"
learning_rate = 0.05
[train]
epochs = 60
best = "train.loss"
"""


def test_run_of_a_graph_is_evaluated_and_predicts_each_node(jaxnn, tmp_path):
    rng = np.random.default_rng(0)
    pairs = [(a, b) for a in range(20) for b in range(a) if a % 2 == b % 2 and rng.uniform() < 0.5]
    (tmp_path / "edges.csv").write_text("from,to\n" + "".join(f"{a},{b}\n" for a, b in pairs), "utf-8")
    rows = "".join(f"{rng.uniform():.3f},{rng.uniform():.3f},{('even', 'odd')[i % 2]}\n" for i in range(20))
    (tmp_path / "nodes.csv").write_text("a,b,label\n" + rows, "utf-8")
    (tmp_path / "mine.toml").write_text(GRAPH.format(folder=tmp_path), "utf-8")
    code, out, err = jaxnn("train", tmp_path / "mine.toml", "--out", tmp_path / "run")
    assert code == 0, err
    code, again, err = jaxnn("evaluate", tmp_path / "run")
    assert code == 0, err
    assert next(line for line in out.splitlines() if "accuracy" in line).split("│")[-2] in again
    code, out, err = jaxnn("predict", tmp_path / "run", tmp_path / "edges.csv", "--json", tmp_path / "nodes.json")
    assert code == 0, err
    predicted = json.loads((tmp_path / "nodes.json").read_text())["rows"]
    assert len(predicted) == 20
    assert {row["class"] for row in predicted} <= {"even", "odd"}
