"""`jaxnn sweep`: what it writes, and its error messages."""

import csv
import json
import shutil

import numpy as np
import pytest

from jaxnn.config import load
from jaxnn.storage.files import read_checksummed_json, write_checksummed_json
from jaxnn.storage.locks import lock_file

SMALL = ["--data.train", 163, "--data.validation", 61, "--data.test", 59, "--net.1.units", 7, "--train.epochs", 3]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return tmp_path_factory.mktemp("sweep")


@pytest.fixture
def folder(made, jaxnn):
    """The folder of a finished sweep, which the first test that needs it makes; its table is in t.json beside it."""
    if not (made / "out").exists():
        over = ["--over", "optimizer.learning-rate=0.001,0.02,1e30", "--seeds", 2, "--json", made / "t.json"]
        code, out, err = sweep(jaxnn, made / "out", *over)
        assert code == 0 and not err
        (made / "printed.txt").write_text(out)
    return made / "out"


def sweep(jaxnn, folder, *words):
    return jaxnn("sweep", "digits_mlp", "--out", folder, *SMALL, *words)


def test_sweep_writes_a_table_figures_a_report_and_a_config_that_can_be_trained(folder):
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {name for name in names if name.split("/")[0] not in ("members", "trials")} == {
        "best.toml", "source.toml", "sweep.json", "sweep.csv", "report.html", "figures/sweep.png",
        "figures/learning_curves.png",
    }  # fmt: skip
    # A member that diverged is not kept.
    assert len(list((folder / "trials").iterdir())) == 3 and len(list((folder / "members").iterdir())) == 2
    with (folder / "sweep.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["optimizer.learning_rate"] for row in rows] == ["0.02", "0.001", "1e30"]
    means = [float(row["validation.loss"]) for row in rows[:2]]
    for row, mean in zip(rows, means, strict=False):
        np.testing.assert_allclose(np.mean([float(row[f"validation.loss, seed {i}"]) for i in (1, 2)]), mean)
    assert means == sorted(means) and rows[2]["validation.loss"] == "" and rows[2]["diverged seeds"] == "2"
    best = load(folder / "best.toml")
    overrides = [f"{name.removeprefix('--')}={value}" for name, value in zip(SMALL[::2], SMALL[1::2], strict=True)]
    assert best == load("digits_mlp", [*overrides, "optimizer.learning_rate=0.02"])
    assert "Command:  " in (folder / "best.toml").read_text().split("title")[0]
    assert json.loads((folder.parent / "t.json").read_text())["rows"][0]["rank"] == 1
    printed = " ".join((folder.parent / "printed.txt").read_text().split())
    assert "optimizer.learning_rate = 0.02; test accuracy %" in printed


def test_sweep_stands_for_its_best_member(jaxnn, folder, tmp_path):
    facts = json.loads((folder / "sweep.json").read_text())
    best = folder / "members" / facts["best"]
    assert facts["rows"][0]["member"] == facts["best"]
    np.save(tmp_path / "digits.npy", np.zeros((2, 8, 8, 1), np.uint8))
    for words in (("evaluate",), ("predict", tmp_path / "digits.npy")):
        (tables, out) = [], tmp_path / "t.json"
        for run in (folder, best):
            code, _, err = jaxnn(words[0], run, *words[1:], "--json", out)
            assert (code, err) == (0, "")
            tables.append(json.loads(out.read_text())["rows"])
        assert tables[0] == tables[1]
    code, out, _ = jaxnn("rerun", folder)
    assert code == 0 and "not bit-equal" not in out
    assert jaxnn("train", "--from", folder, "--train.epochs", 4, "--out", tmp_path / "more")[0] == 0
    origin = json.loads((tmp_path / "more" / "manifest.json").read_text())["from"]
    assert origin["name"] == facts["best"] and origin["epochs"] == 3
    lock_file(folder).touch()  # as of a process that was killed after its last write
    assert jaxnn("resume", folder)[1] == f"{folder} has finished: nothing is left to do\n"
    assert not lock_file(folder).exists()


def test_sweep_that_is_not_finished_or_leads_elsewhere_is_refused_in_one_line(jaxnn, folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    facts = read_checksummed_json(copy / "sweep.json")
    for change, message in (
        (
            {"status": "running"},
            f"expected a finished sweep, found one that is not; `jaxnn resume {copy}` continues it",
        ),
        ({"best": None}, "found one whose members all diverged"),
        ({"best": "../../../run"}, "expected the sweep of this version, found another"),
    ):
        write_checksummed_json(copy / "sweep.json", facts | change)
        code, _, err = jaxnn("evaluate", copy)
        assert code == 2 and message in err and len(err.strip().splitlines()) == 1
    write_checksummed_json(copy / "sweep.json", facts)
    (copy / "members").rename(tmp_path / "members")
    (copy / "members").symlink_to(tmp_path / "members")
    for command in ("evaluate", "resume"):
        status = {"status": "running"} if command == "resume" else {}
        write_checksummed_json(copy / "sweep.json", facts | status)
        code, _, err = jaxnn(command, copy)
        assert code == 2 and "found a symbolic link" in err and len(err.strip().splitlines()) == 1


def test_sweep_does_not_overwrite_a_sweep_without_the_option(jaxnn, folder):
    before = (folder / "sweep.csv").read_bytes()
    code, _, err = sweep(jaxnn, folder, "--over", "optimizer.learning-rate=0.01")
    assert code == 2 and "--overwrite" in err and (folder / "sweep.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "something to vary"),
        (("--over", "optimizer.learning-rat=0.1"), "did you mean learning_rate?"),
        (("--over", "optimizer.l2=-1,x", "--over", "net.1.units=0"), "at least 1 unit"),
        (("--draw", "optimizer.l2=log-unifrm(1,2)", "--search", "random"), "did you mean log-uniform?"),
        (("--over", "optimizer.l2=0,1", "--seeds", 0), "--seeds: expected from 1 to 1,000,000"),
        (("--sed", 3), "did you mean --seeds?"),
    ],
)
def test_sweep_refuses_mistakes_with_exit_code_2_and_writes_nothing(jaxnn, tmp_path, words, message):
    code, _, err = jaxnn("sweep", "digits_mlp", "--out", tmp_path / "new", *words)
    assert code == 2 and message in err and not (tmp_path / "new").exists()


MINE = """
import numpy as np
import optax

from jaxnn import Experiment, Plan, dense, in_memory, quadratic, supervised

x = np.random.default_rng(0).normal(size=(29, 3)).astype(np.float32)
model, loss, data = dense(1), quadratic(), in_memory(x[:, 1:], x[:, :1])


def update(values):
    return supervised(model, loss, optax.sgd(values["rate"]))


experiment = Experiment(update, data, Plan(epochs=3), hyperparameters={"rate": 0.1})
"""


def test_sweep_of_a_python_file_writes_the_table_and_names_the_best_value(jaxnn, tmp_path):
    file, out = tmp_path / "mine.py", tmp_path / "out"
    file.write_text(MINE)
    code, text, err = jaxnn("sweep", f"{file}:experiment", "--out", out, "--over", "rate=0.001,0.1,1e30", "--seeds", 2)
    assert code == 0 and not err
    names = {"sweep.json", "sweep.csv", "report.html", "figures", "members", "trials"}
    assert {path.name for path in out.iterdir()} == names
    with (out / "sweep.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert [row["rate"] for row in rows] == ["0.1", "0.001", "1e30"]
    assert rows[2]["train.loss"] == "" and rows[2]["diverged seeds"] == "2"
    assert "best: rate = 0.1" in text


@pytest.mark.parametrize("over", ["rate=0.1,fast", "speed=0.1"])
def test_sweep_of_a_python_file_refuses_mistakes_with_exit_code_2_in_one_line(jaxnn, tmp_path, over):
    (tmp_path / "mine.py").write_text(MINE)
    code, _, err = jaxnn("sweep", tmp_path / "mine.py", "--out", tmp_path / "new", "--over", over)
    assert code == 2 and len(err.splitlines()) == 1 and "expected a" in err and not (tmp_path / "new").exists()
