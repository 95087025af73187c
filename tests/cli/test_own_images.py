"""A folder of one's own images, from the command line: `predict` sees an image as the training saw it."""

import json

import numpy as np
import pytest
from PIL import Image

CONFIG = """
title = "Own images"

[data]
name = "images"
path = "images"
size = [12, 12]
validation = 0.25
preprocess = "normalize"

[[net]]
layer = "flatten"

[[net]]
layer = "dense"
units = 8

[[net]]
layer = "tanh"

[[net]]
layer = "dense"
units = 2

[loss]
name = "softmax_cross_entropy"

[optimizer]
name = "adam"
learning_rate = 0.01

[train]
epochs = 30
batch_size = 10
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Bars on white paper, dark or faint, all over the page: whoever inverts, crops or centres them loses the class."""
    root = tmp_path_factory.mktemp("own")
    rng = np.random.default_rng(0)
    for name in ("left", "right"):
        (root / "images" / name).mkdir(parents=True)
        for i in range(20):
            page = np.full((40, 40), 250, np.uint8)
            column = rng.integers(2, 14) + (20 if name == "right" else 0)
            page[rng.integers(0, 10) : rng.integers(25, 40), column : column + 4] = rng.integers(0, 200)
            Image.fromarray(page).save(root / "images" / name / f"{i:02d}.png")
        (root / "images" / name / "Thumbs.db").write_bytes(b"no image")
    (root / "own.toml").write_text(CONFIG)
    return root


@pytest.fixture
def run(folder, jaxnn, monkeypatch):
    monkeypatch.chdir(folder)
    if not (folder / "run").exists():
        code, _, err = jaxnn("train", "own.toml", "--out", "run")
        assert code == 0, err
    return folder / "run"


def predicted(folder):
    return json.loads((folder / "p.json").read_text())


def test_predict_is_right_as_often_as_the_run(folder, run, jaxnn):
    files = sorted((folder / "images").glob("*/*.png"))
    code, _, err = jaxnn("predict", run, *files, "--json", folder / "p.json")
    assert code == 0, err
    rows = predicted(folder)["rows"]
    assert [row["file"] for row in rows] == [str(file) for file in files]
    right = sum(row["class"] == file.parent.name for row, file in zip(rows, files, strict=True))
    values = json.loads((run / "manifest.json").read_text())["values"]
    correct = sum(values[part]["accuracy"][0] * count for part, count in (("train", 30), ("validation", 10)))
    assert right == round(correct)
    assert right >= 36  # the classes can be learnt, and are told apart by the place on the page alone


def test_predict_predicts_the_other_files_beside_one_that_is_no_image(folder, run, jaxnn):
    files = [folder / "images" / name / "00.png" for name in ("left", "right")]
    bad = [folder / "images" / "left" / "Thumbs.db", folder / "missing.png"]
    words = (files[0], *bad, files[1], "--json", folder / "p.json", "--out", folder / "p.csv")
    code, out, err = jaxnn("predict", run, *words)
    assert code == 2
    lines = [line for line in err.splitlines() if "expected" in line]
    assert [str(file) in line for file, line in zip(bad, lines, strict=True)] == [True, True]
    assert [row["file"] for row in predicted(folder)["rows"]] == [str(file) for file in files]
    assert len(predicted(folder)["unreadable"]) == 2
    assert len((folder / "p.csv").read_text().splitlines()) == 3
    assert "left" in out and "right" in out


def test_predict_of_a_folder_has_a_row_for_each_image_within_it(tmp_path, run, folder, jaxnn):
    for place in ("b.png", "inner/a.png", "inner/deep/c.png"):
        (tmp_path / "new" / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "new" / place).write_bytes((folder / "images" / "left" / "00.png").read_bytes())
    for place in ("inner/Thumbs.db", ".hidden", "inner/bad.png"):
        (tmp_path / "new" / place).write_bytes(b"no image")
    (tmp_path / "empty").mkdir()
    last = folder / "images" / "right" / "00.png"
    code, _, err = jaxnn("predict", run, tmp_path / "new", tmp_path / "empty", last, "--json", folder / "p.json")
    assert code == 2
    rows = predicted(folder)["rows"]
    images = [str(tmp_path / "new" / place) for place in ("b.png", "inner/a.png", "inner/deep/c.png")]
    assert [row["file"] for row in rows] == [*images, str(last)]
    lines = [line for line in err.splitlines() if "expected" in line]
    assert len(lines) == 2 == len(predicted(folder)["unreadable"])
    assert "empty: expected a folder with files to predict" in lines[0] and "bad.png" in lines[1]
    (tmp_path / "new" / "inner" / "bad.png").unlink()
    assert jaxnn("predict", run, tmp_path / "new")[0] == 0


def test_predict_of_many_images_is_one_program(folder, run, jaxnn, monkeypatch):
    from jaxnn.runs.run import Run

    sizes, predict = [], Run.predict
    monkeypatch.setattr(Run, "predict", lambda self, x: sizes.append(len(x)) or predict(self, x))
    assert jaxnn("predict", run, *[folder / "images" / "left" / "00.png"] * 50)[0] == 0
    assert sizes == [50]


EXPERIMENT = """
import numpy as np
import optax

import jaxnn
from jaxnn.data import ImageReader

x = np.random.default_rng(0).integers(0, 256, (20, 6, 6, 3), dtype="uint8")
source = jaxnn.in_memory(x, (x.mean((1, 2, 3)) > 127).astype("int32"), batch_size=10)
model = jaxnn.serial(jaxnn.flatten(), jaxnn.dense(2))
update = jaxnn.supervised(model, jaxnn.softmax_cross_entropy(), optax.sgd(1e-4))
plan = jaxnn.Plan(epochs=1, best="train.loss")
bare = jaxnn.Experiment(update, source, plan)
reading = bare._replace(data=jaxnn.DataInfo(reader=ImageReader((6, 6), "rgb")))
misread = bare._replace(data=jaxnn.DataInfo(reader=ImageReader((7, 6), "rgb")))
"""


def test_predict_of_an_experiment_in_python_uses_its_reader(tmp_path, folder, jaxnn, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(EXPERIMENT)
    image = folder / "images" / "left" / "00.png"
    assert jaxnn("train", "mine.py:reading", "--out", "run")[0] == 0
    for name, expected in (
        ("bare", "needs a reader: data=DataInfo(reader=jaxnn.data.ImageReader((6, 6), 'rgb'))"),
        ("misread", "expected the run's reader to give examples of shape (6, 6, 3), found (7, 6, 3)"),
        ("reading", ""),
    ):
        code, _, err = jaxnn("predict", "run", image, "--experiment", f"mine.py:{name}")
        assert (code, expected in err) == (2 if expected else 0, True), err
