"""A run whose data changed, moved or vanished: one policy for all commands that open it, in one line each."""

import csv
import json
import shutil

import numpy as np
import pytest

from jaxnn.config import load
from jaxnn.storage.files import read_checksummed_json, sha256, write_checksummed_json

CONFIG = """
title = "Points"

[data]
name = "csv"
path = "points.csv"
label = "side"
validation = 0.2
test = 0.2
preprocess = "normalize"

[[net]]
layer = "dense"
units = 2

[loss]
name = "softmax_cross_entropy"

[optimizer]
name = "adam"
learning_rate = 0.05

[train]
epochs = 4
batch_size = 8
best = "validation.loss"
"""
#: The names of the classes, sorted.
LEFT, RIGHT = "left", "right"


def write_points(file, seed, n=60, columns=2, names=(LEFT, RIGHT), scale=1.0):
    """Points right or left of 5, by their first coordinate."""
    points = np.random.default_rng(seed).normal(5.0, 2.0, (n, columns)) * scale
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([*(f"x{i}" for i in range(columns)), "side"])
        writer.writerows([*(f"{value:.4f}" for value in row), names[int(row[0] > 5 * scale)]] for row in points)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return tmp_path_factory.mktemp("made")


@pytest.fixture
def place(made, jaxnn, monkeypatch, tmp_path):
    """A folder with a config, its data beside it, and a finished run, which the first test trains from elsewhere."""
    monkeypatch.delenv("JAXNN_DATA_DIR", raising=False)
    if not (made / "run").exists():
        (made / "points.toml").write_text(CONFIG)
        write_points(made / "points.csv", seed=0)
        (made / "elsewhere").mkdir()
        monkeypatch.chdir(made / "elsewhere")
        code, _, err = jaxnn("train", "../points.toml", "--out", made / "run")
        assert code == 0, err
    copy = tmp_path / "place"
    shutil.copytree(made, copy)
    # The run names the data by their whole path: here, those of the copy.
    config = (copy / "run" / "config.toml").read_text().replace(str(made), str(copy))
    (copy / "run" / "config.toml").write_text(config)
    manifest = read_checksummed_json(copy / "run" / "manifest.json")
    manifest["files"]["config.toml"] = sha256(copy / "run" / "config.toml")
    write_checksummed_json(copy / "run" / "manifest.json", manifest)
    monkeypatch.chdir(tmp_path)
    return copy


def interrupt(run):
    """Makes a finished run one that can be resumed."""
    write_checksummed_json(
        run / "manifest.json", read_checksummed_json(run / "manifest.json") | {"status": "interrupted"}
    )


CHANGES = {
    "unchanged": lambda file: None,
    "changed": lambda file: write_points(file, seed=1),
    "more rows": lambda file: write_points(file, seed=1, n=80),
    "missing": lambda file: file.unlink(),
    "other shape": lambda file: write_points(file, seed=1, columns=1),
    "other classes": lambda file: write_points(file, seed=1, names=("north", "south")),
}
#: What each change of the data says, and the remedy that every refusal names.
FINDINGS = {
    "changed": "found others: SHA-256 ",
    "more rows": "found others: 48 train, 16 validation, 16 test examples instead of 36 train, 12 validation, 12 test",
    "missing": "found none that can be read (found no ",
    "other shape": "examples of shape (1,) float32 instead of (2,) float32",
    "other classes": "the classes north, south instead of left, right",
}
REMEDY = "by --data.path FILE"
#: What the reader of the run says of a table of another form, which `evaluate` reads by it.
MISFITS = {
    "other shape": "expected the columns of the training table, found no 'x1' among 'x0', 'side'",
    "other classes": "expected a class of the training",
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("command", ["predict", "evaluate", "plot", "rerun", "resume"])
def test_command_reads_a_run_whose_data_changed_or_refuses_it_in_one_line(command, change, place, jaxnn):
    run = place / "run"
    np.save(place / "new.npy", np.array([[1.0, 5.0], [9.0, 5.0]], np.float32))
    CHANGES[change](place / "points.csv")
    if command == "resume":
        interrupt(run)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    code, out, err = jaxnn(command, run, *([place / "new.npy"] if command == "predict" else []))
    if change == "unchanged" or command == "predict":
        assert (code, err) == (0, "")
    elif command == "evaluate" and change in ("changed", "more rows"):
        assert code == 0 and "test" not in out.split("run")[-1]
        assert err.startswith("jaxnn: warning: ") and FINDINGS[change] in err and "are evaluated together" in err
        assert len(err.strip().splitlines()) == 1
    else:
        assert code == 2 and len(err.strip().splitlines()) == 1, err
        assert REMEDY in err
        if command == "evaluate" and change in MISFITS:
            assert "expected data of the form that it was trained on, found others: " in err and MISFITS[change] in err
        else:
            assert "expected the data that it was trained on (csv, SHA-256 " in err and FINDINGS[change] in err
        assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("command", ["evaluate", "plot", "rerun", "resume"])
@pytest.mark.parametrize("where", ["--data.path", "--data-dir"])
def test_command_finds_data_that_moved(command, where, place, jaxnn):
    (place / "data").mkdir()
    (place / "points.csv").rename(place / "data" / "points.csv")
    if command == "resume":
        interrupt(place / "run")
    value = place / "data" if where == "--data-dir" else "place/data/points.csv"
    code, out, err = jaxnn(command, place / "run", where, value)
    assert (code, err) == (0, "")
    assert command != "rerun" or "bit-equal" in out


def test_evaluate_scores_other_data_with_the_classes_and_the_preprocessing_of_the_run(place, jaxnn):
    """On a table like that of the training, and on one with ten times its numbers."""
    run = place / "run"
    weights = json.loads((run / "manifest.json").read_text())["values"]["test"]["accuracy"]
    write_points(place / "other.csv", seed=2, n=500)
    code, _, err = jaxnn("evaluate", run, "--data.path", place / "other.csv", "--json", place / "scores.json")
    assert (code, err) == (0, "") and weights  # other data that were asked for need no warning
    (row,) = json.loads((place / "scores.json").read_text())["rows"]
    assert row["part"] == "all" and row["examples"] == 500 and row["accuracy %"]["mean"] > 85
    # Other means: the run divides at its own 5, so nearly all points are right of it.
    write_points(place / "far.csv", seed=2, n=500, scale=10.0)
    assert jaxnn("evaluate", run, "--data.path", place / "far.csv", "--json", place / "scores.json")[0] == 0
    (row,) = json.loads((place / "scores.json").read_text())["rows"]
    share = np.mean(np.random.default_rng(2).normal(5.0, 2.0, (500, 2))[:, 0] > 5)
    assert abs(row["accuracy %"]["mean"] - 100 * share) < 4


def test_evaluate_reads_other_tables_as_the_training_did(place, jaxnn):
    """A table of one class alone, with its columns in another order and one that the run does not know."""
    points = np.random.default_rng(3).normal(8.0, 0.5, (20, 2))
    rows = [f"{y:.3f},right,{x:.3f},note" for x, y in points]
    (place / "other.csv").write_text("\n".join(["x1,side,x0,remark", *rows]))
    code, _, err = jaxnn("evaluate", place / "run", "--data.path", place / "other.csv", "--json", place / "scores.json")
    assert (code, err) == (0, "")
    (row,) = json.loads((place / "scores.json").read_text())["rows"]
    assert row["examples"] == 20 and row["accuracy %"]["mean"] == 100
    code, _, err = jaxnn("evaluate", place / "run", "--data.path", place / "other.csv", "--data.delimiter", ";")
    assert code == 2 and "--data.delimiter: expected --data.path alone" in err and len(err.strip().splitlines()) == 1


def test_relative_path_is_found_from_the_config_then_from_the_current_folder(tmp_path, monkeypatch):
    config, current = tmp_path / "config", tmp_path / "current"
    for folder in (config, current):
        folder.mkdir()
        write_points(folder / "points.csv", seed=0)
    (config / "points.toml").write_text(CONFIG)
    monkeypatch.chdir(current)
    assert load(config / "points.toml").data.options["path"] == str(config / "points.csv")
    # An option is typed in the current folder.
    assert load(config / "points.toml", ["data.path=points.csv"]).data.options["path"] == str(current / "points.csv")
    (config / "points.csv").unlink()
    assert load(config / "points.toml").data.options["path"] == str(current / "points.csv")
    (current / "points.csv").unlink()
    assert load(config / "points.toml").data.options["path"] == "points.csv"  # the data folder may have it


def test_option_of_another_table_is_unexpected(place, jaxnn):
    code, _, err = jaxnn("evaluate", place / "run", "--net.0.units", 3)
    assert code == 2 and "unexpected argument" in err
