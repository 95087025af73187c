"""The commands, as a user types them: what they leave behind, and how they refuse."""

import csv
import hashlib
import json
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxnn.config.shipped import shipped_configs
from jaxnn.report.figures import run_figures
from jaxnn.runs.manifest import environment
from jaxnn.storage.arrays import load_arrays

SHORT = ("--train.epochs", "3")
FILES = {
    "best.safetensors",
    "checkpoints",
    "config.toml",
    "figures",
    "history.csv",
    "last.safetensors",
    "manifest.json",
    "report.html",
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run of two seeds, which the first test that needs it trains."""
    return tmp_path_factory.mktemp("runs") / "digits"


@pytest.fixture
def run(trained, jaxnn, monkeypatch):
    if not trained.exists():
        monkeypatch.setattr("jaxnn.runs.recorder.run_figures", run_figures)
        code, _, err = jaxnn("train", "--out", trained, "--seeds", 2, "--seed", 5, *SHORT)
        assert code == 0, err
    return trained


def test_train_writes_the_whole_folder(run):
    assert {path.name for path in run.iterdir()} == FILES
    assert {path.name for path in (run / "figures").iterdir()} == {
        "learning_curves.png", "confusion.png", "misclassified.png", "weights.png"
    }  # fmt: skip
    assert not [path for path in run.parent.iterdir() if path != run]


def test_history_has_a_row_for_each_seed_epoch_and_part(run):
    with (run / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["seed", "epoch", "split", "loss", "accuracy"]
    places = {(int(row["seed"]), int(row["epoch"]), row["split"]) for row in rows}
    assert places == {(s, e, p) for s in (5, 6) for e in (1, 2, 3) for p in ("train", "validation")}
    assert all(0 < float(row["loss"]) < 10 and 0 <= float(row["accuracy"]) <= 1 for row in rows)


def test_manifest_holds_what_a_repetition_needs(run):
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["format"] == 4
    assert manifest["seeds"] == [5, 6]
    assert manifest["config"]["train"]["epochs"] == 3
    assert manifest["grad"] == "hand"
    assert len(manifest["data"]["sha256"]) == len(hashlib.sha256().hexdigest())
    assert {"prng", "versions", "git", "devices", "xla_flags", "command", "start", "end"} <= set(manifest)


def test_environment_names_a_source_tree_that_is_not_installed(monkeypatch):
    def version(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", version)
    assert environment()["versions"]["jaxnn"] == "unknown (not installed)"


def test_train_with_the_formulations_of_a_gpu_equals_that_of_a_cpu(jaxnn, tmp_path, monkeypatch):
    """The formulations and the vectorized seeds are those of a GPU; the platform is the CPU."""
    words = ("train", "digits_cnn", "--data.train", 96, "--train.epochs", 2, "--seeds", 2)
    assert jaxnn(*words, "--out", tmp_path / "cpu")[0] == 0
    monkeypatch.setattr("jaxnn.kernels.backend.platform", lambda: "gpu")
    code, _, err = jaxnn(*words, "--out", tmp_path / "gpu")
    assert code == 0, err
    gpu, cpu = (np.genfromtxt(tmp_path / name / "history.csv", delimiter=",")[1:, 3:] for name in ("gpu", "cpu"))
    assert len(gpu) == 8
    np.testing.assert_allclose(gpu, cpu, rtol=1e-5)


def test_report_is_one_file_without_network(run):
    page = (run / "report.html").read_text()
    assert "http://" not in page and "https://" not in page and "<script" not in page
    # The learning curves are no picture: the page draws them, so that they can be read off.
    assert page.count("data:image/png;base64,") == 3 and page.count('<figure class="curves">') == 2


def test_evaluate_gives_the_scores_that_training_gave(run, jaxnn, tmp_path):
    code, out, _ = jaxnn("evaluate", run, "--json", tmp_path / "scores.json")
    assert code == 0 and "test" in out
    again = json.loads((tmp_path / "scores.json").read_text())["rows"]
    first = json.loads((run / "manifest.json").read_text())["scores"]
    for a, b in zip(again, first, strict=True):
        assert a["loss"]["mean"] == pytest.approx(b["loss"]["mean"], rel=1e-5)
        assert a["accuracy %"] == b["accuracy %"]


def test_plot_draws_the_same_figures_again(run, jaxnn):
    before = {path.name: path.read_bytes() for path in (run / "figures").iterdir()}
    for path in (run / "figures").iterdir():
        path.unlink()
    assert jaxnn("plot", run)[0] == 0
    assert {path.name: path.read_bytes() for path in (run / "figures").iterdir()} == before


def test_predict_reads_a_digit_drawn_on_white_paper(run, jaxnn, tmp_path):
    page = np.full((60, 60), 255, np.uint8)
    page[10:50, 27:33] = 0
    Image.fromarray(page).save(tmp_path / "one.png")
    Image.fromarray(page).convert("RGB").save(tmp_path / "one.jpg", quality=95)
    code, out, err = jaxnn("predict", run, tmp_path / "one.png", tmp_path / "one.jpg", "--json", tmp_path / "p.json")
    assert code == 0, err
    rows = json.loads((tmp_path / "p.json").read_text())["rows"]
    assert len(rows) == 2 and "mean of 2 seeds" in " ".join(out.split())
    for row in rows:
        assert sum(row["probability"].values()) == pytest.approx(1, abs=1e-5)


def test_train_twice_gives_the_same_weights(run, jaxnn, tmp_path):
    assert jaxnn("train", "--out", tmp_path / "again", "--seeds", 2, "--seed", 5, *SHORT)[0] == 0
    for name in ("best", "last"):
        first, second = (load_arrays(folder / f"{name}.safetensors") for folder in (run, tmp_path / "again"))
        assert all(np.array_equal(first[key], second[key]) for key in first | second)


def test_train_by_hand_and_by_autodiff_agree_over_the_first_steps(jaxnn, tmp_path):
    """The losses of the first epochs agree to 1e-5.

    Plain gradient descent, because Adam divides by the size of a gradient and so enlarges the rounding of a small one.
    """
    histories = []
    for grad in ("hand", "auto"):
        descent = ("--optimizer.name", "sgd", "--optimizer.learning_rate", 0.1)
        assert jaxnn("train", "--out", tmp_path / grad, "--grad", grad, *descent, *SHORT)[0] == 0
        with (tmp_path / grad / "history.csv").open(newline="") as file:
            histories.append([float(row["loss"]) for row in csv.DictReader(file)])
    np.testing.assert_allclose(*histories, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("mnist_cnn", 289_630), ("mnist_sigmoid_mse", 23_860), ("mnist_tanh_softmax", 23_860)],
)
def test_summary_counts_the_course_s_parameters(name, parameters, jaxnn, tmp_path):
    code, _, err = jaxnn("summary", name, "--json", tmp_path / "summary.json")
    assert code == 0, err
    assert json.loads((tmp_path / "summary.json").read_text())["parameters"] == parameters


def test_configs_lists_every_shipped_config(jaxnn, tmp_path):
    assert jaxnn("configs", "--json", tmp_path / "configs.json")[0] == 0
    rows = json.loads((tmp_path / "configs.json").read_text())["rows"]
    names = {row["config"] for row in rows}
    assert {
        "digits_mlp", "digits_cnn", "blobs_neuron", "circles_mlp", "mnist_sigmoid_mse", "mnist_tanh_softmax",
        "mnist_cnn", "cosine_denoise",
    } <= names  # fmt: skip
    data = {row["config"]: row["data"] for row in rows}
    assert (data["digits_mlp"], data["mnist_cnn"], data["vowels_gru"]) == ("", "mnist", "vowels")


def test_config_that_cannot_be_read_is_listed_and_described_by_load(jaxnn, monkeypatch, tmp_path):
    (tmp_path / "broken.toml").write_text("title = [")
    (tmp_path / "half.toml").write_text('title = 3\ndata = "digits"')
    monkeypatch.setattr("jaxnn.config.shipped.config_dir", lambda: tmp_path)
    assert shipped_configs() == {"broken": ("", ()), "half": ("", ())}
    assert jaxnn("configs")[0] == 0


def test_files_that_the_configs_read_are_described_in_the_guide():
    guide = (Path(__file__).parents[2] / "docs" / "guide" / "data_sets.md").read_text("utf-8")
    missing = [file for config in shipped_configs().values() for file in config.files if f"`{file}" not in guide]
    assert not missing


@pytest.mark.figures
@pytest.mark.parametrize("name", ["blobs_neuron", "circles_mlp", "cosine_denoise", "digits_cnn"])
def test_train_draws_the_figures_of_every_small_config(name, jaxnn, tmp_path):
    epochs = {"blobs_neuron": 200, "circles_mlp": 200, "cosine_denoise": 20, "digits_cnn": 1}[name]
    code, _, err = jaxnn(
        "train", name, "--out", tmp_path / name, "--train.epochs", epochs, "--train.seeds", 1,
        "--train.eval_every", 1 if name == "digits_cnn" else 10,
    )  # fmt: skip
    assert code == 0, err
    drawn = {path.stem for path in (tmp_path / name / "figures").iterdir()}
    special = {"cosine_denoise": "denoised", "digits_cnn": "filters"}.get(name, "decision_boundary")
    assert {"learning_curves", special} <= drawn


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("train", "nosuch"), "unknown config"),
        (("train", "--seeds", 0), "at least 1, found 0"),
        (("train", "--optimizer.learning-rte", 1), "did you mean learning_rate"),
        (("train", "--train.batch_size", 9999), "batch size of 1 …"),
        (("train", "digits_cnn", "--net.0.padding", "VALID", "--net.0.kernel", 99), "99×99"),
        (("train", "--sedes", 3), "did you mean --seeds"),
        (("train", "--train.epochs"), "expected dotted.name=value"),
        (("train", "mnist_cnn"), "the data set digits needs no files"),
        (("evaluate", "."), "expected a run's folder"),
        (("plot", "nosuch"), "expected a run's folder"),
        (("evaluate", ".", "--net.0.units", 3), "unexpected argument"),
    ],
)
def test_mistake_is_one_line_and_leaves_nothing(words, message, jaxnn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JAXNN_DATA_DIR", raising=False)
    code, _, err = jaxnn(*words)
    assert code == 2
    assert message in err and len(err.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_train_overwrites_no_run_unless_asked(run, jaxnn, tmp_path):
    before = (run / "best.safetensors").read_bytes()
    code, _, err = jaxnn("train", "--out", run, *SHORT)
    assert code == 2 and "--overwrite" in err
    assert (run / "best.safetensors").read_bytes() == before
    (tmp_path / "notes.txt").write_text("mine")
    code, _, err = jaxnn("train", "--out", tmp_path, "--overwrite", *SHORT)
    assert code == 2 and "no run" in err and (tmp_path / "notes.txt").read_text() == "mine"


def test_overwrite_replaces_a_run(jaxnn, tmp_path):
    out = tmp_path / "run"
    assert jaxnn("train", "--out", out, "--seed", 1, "--train.epochs", 1)[0] == 0
    first = (out / "best.safetensors").read_bytes()
    assert jaxnn("train", "--out", out, "--seed", 2, "--train.epochs", 1, "--overwrite")[0] == 0
    assert (out / "best.safetensors").read_bytes() != first
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_predict_refuses_a_file_that_is_no_image_in_one_line(run, jaxnn, tmp_path):
    (tmp_path / "no.png").write_text("no image")
    code, _, err = jaxnn("predict", run, tmp_path / "no.png")
    assert code == 2 and "no.png" in err and len(err.strip().splitlines()) == 1


def test_evaluate_detects_damage_to_the_weights(jaxnn, tmp_path):
    out = tmp_path / "run"
    assert jaxnn("train", "--out", out, "--train.epochs", 1)[0] == 0
    weights = bytearray((out / "best.safetensors").read_bytes())
    weights[-100] ^= 1
    (out / "best.safetensors").write_bytes(weights)
    code, _, err = jaxnn("evaluate", out)
    assert code == 2 and "damaged" in err
