"""The page of a run says when and where it ran, and links to the files beside it."""

import html
import json
import re
from pathlib import Path
from urllib.parse import unquote

import jax
import pytest

import jaxnn
from jaxnn.config import load
from jaxnn.config.experiment import make_experiment
from jaxnn.report.run_page import headline, machine_name


@pytest.fixture
def run_folder(tmp_path) -> Path:
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):  # optax promotes implicitly
        jaxnn.fit(make_experiment(load("circles_mlp", ["train.epochs=2", "train.eval_every=1"])), tmp_path / "run")
    return tmp_path / "run"


def test_run_page_links_lead_to_files(run_folder):
    page = (run_folder / "report.html").read_text(encoding="utf-8")
    links = [unquote(link) for link in re.findall(r'<a href="\./([^"]+)">', page)]
    assert {"config.toml", "history.csv", "best.safetensors", "manifest.json"} <= set(links)
    assert [link for link in links if not (run_folder / link).is_file()] == []


def test_run_page_has_its_date_and_machine(run_folder):
    page = (run_folder / "report.html").read_text(encoding="utf-8")
    manifest = json.loads((run_folder / "manifest.json").read_text(encoding="utf-8"))
    cards = {html.unescape(k): html.unescape(v) for k, v in re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page)}
    assert cards["started"] == manifest["start"][:19].replace("T", " ") + " UTC"
    assert cards["machine"].startswith(f"CPU × {jax.local_device_count()}, ")


@pytest.mark.figures
def test_run_page_begins_with_the_result_and_ends_with_how_to_repeat_it(run_folder):
    page = (run_folder / "report.html").read_text(encoding="utf-8")
    headings = re.findall(r"<h2>(.*?)</h2>", page)
    assert headings == ["Learning curves", "Results", "Figures", "How to repeat it"]
    row = json.loads((run_folder / "manifest.json").read_text(encoding="utf-8"))["scores"][-1]
    mean, count = row["accuracy %"]["mean"], row["examples"]
    value, note = re.findall(r'<p class="figure"><b>Test accuracy</b><strong>(.*?)</strong><span>(.*?)</span>', page)[0]
    assert value == f"{mean:.4g} %"
    error = 100 * (mean / 100 * (1 - mean / 100) / count) ** 0.5
    assert note == f"± {error:.2g} by chance, of {count} examples"
    assert "Net: dense 10 → sigmoid → dense 2 → sigmoid" in page
    assert page.index("headline") < page.index("<svg") < page.index("Confusion matrix") < page.index("manifest.json")


def test_machine_name_counts_devices_of_a_kind():
    assert machine_name(["cpu:cpu"] * 2, "Linux-6.18-x86_64") == "CPU × 2, Linux"
    assert machine_name(["gpu:NVIDIA H100 80GB"], "Linux-6.18") == "NVIDIA H100 80GB × 1, Linux"


@pytest.mark.parametrize(
    ("metric", "support", "note"),
    [
        ("balanced_accuracy", [10.0, 15.0], "± 8 by chance, of 25 answers"),  # nodes or pixels that have a class
        ("balanced_accuracy", [3.0, 1.0], "± 20 by chance, of 4 examples"),
        ("balanced_accuracy", [0.5, 1.7], "± 20 by chance, of 4 examples"),  # weights
        ("f1_micro", [10.0, 15.0], "± 20 by chance, of 4 examples"),  # several labels of an example
    ],
)
def test_error_by_chance_is_that_of_the_answers(metric, support, note):
    row = {"part": "test", "examples": 4, "accuracy %": {"mean": 80.0, "sd": None}}
    manifest = {"seeds": [0], "data": {"name": "karate", "split": {}}}
    assert headline("accuracy %", row, {metric: [0.8], "support_per_class": [support]}, manifest).note == note
