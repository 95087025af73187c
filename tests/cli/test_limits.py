"""What limits a command: the range of its numbers, the home folder, the command line, the devices."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jaxnn.errors import UserError
from jaxnn.experiment.seeds import seed_range
from jaxnn.storage.files import expand_user
from tests.cli.process import jaxnn_process, own_lines


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("train", "--seed", 2**32 - 1, "--seeds", 2), "found 4294967295 to 4294967296"),
        (("train", "--train.seed", 2**32 - 1, "--train.seeds", 2), "found 4294967295 to 4294967296"),
        (("train", "--seed", 2**32), "32 bits"), (("train", "--seed", -1), "found -1"),
        (("train", "--seeds", -1), "found -1"), (("train", "--seeds", 10**9), "to 1,000,000 seeds"),
        (("train", "--seeds", 10**30), "32 bits"), (("train", "--train.epochs", 2**31), "32 bits"),
        (("train", "--train.patience", 2**31), "32 bits"), (("train", "--optimizer.accumulate", 10**14), "32 bits"),
        (("train", "--net.1.units", 2**63 - 1), "32 bits"), (("train", "--optimizer.clip_norm", 1e300), "float32"),
        (("train", "digits_cnn", "--net.0.kernel", 10**12), "32 bits"), (("train", "--optimizer.l2", "nan"), "finite"),
        (("train", "--train.batch_size", -3), "found -3"), (("train", "--data.seed", 2**32), "32 bits"),
        (("sweep", "--over", "optimizer.l2=0,1", "--seeds", 10**14), "from 1 to 1,000,000, found"),
        (("sweep", "--over", "optimizer.l2=0,1", "--train.seed", 2**32 - 1, "--seeds", 2), "found 4294967295 to"),
        (("sweep", "--over", "optimizer.l2=0,1", "--batch", 0), "--batch: expected from 1 to 100,000, found 0"),
        (("sweep", "--over", "optimizer.l2=0,1", "--trials", 10**12), "--trials: expected from 1 to 100,000"),
        (("sweep", "--over", "optimizer.l2=0,1", "--draw-seed", 2**32), "--draw-seed: expected from 0 to 4,294"),
        (("sweep", "--over", "optimizer.l2=0,1", "--draw-seed", -1), "--draw-seed: expected from 0 to 4,294"),
        (("sweep", "--over", "optimizer.l2=0,1", "--eta", 1), "--eta: expected from 2"),
        (("reproduce", "S03", "--seeds", 10**14), "from 1 to 1,000,000"), (("reproduce", "S03", "--seeds", -1), "-1"),
        (("certify", "jaxnn:tanh", "--shape", "99999999999,9999999999"), "at most 16,777,216 numbers"),
        (("certify", "jaxnn:tanh", "--shape", "-3"), "positive sizes"),
    ],
)  # fmt: skip
def test_number_beyond_its_limits_is_one_line(jaxnn, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    code, _, err = jaxnn(*words)
    assert code == 2 and message in err and len(err.splitlines()) == 1, err
    assert not list(tmp_path.iterdir())


def test_seed_range_has_every_seed_of_32_bits():
    assert seed_range(2**32 - 2, 2) == (2**32 - 2, 2**32 - 1) and seed_range(0, 1) == (0,)


HOME_WORDS = [
    ("train", "--out=~/x"), ("train", "~/mine.toml"), ("train", "~/mine.py:f"), ("evaluate", "~/run"),
    ("configs", "--json=~/x.json"), ("plot", "filters", "--out=~/x"), ("predict", "run", "~/x.png"),
    ("certify", "~/mine.py:f"), ("train", "--data.name=csv", "--data.path=~/x.csv"),
    ("config", "new", "--out=~/x.toml"),
    ("sweep", "~/mine.toml"), ("train", "mnist_cnn", "--data-dir=~/x"), ("summary", "~/x.toml"),
]  # fmt: skip


@pytest.mark.parametrize("words", HOME_WORDS, ids=" ".join)
def test_path_of_a_home_that_is_unknown_is_one_line_and_makes_no_folder(jaxnn, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", os.fspath)  # as where no account is known either
    code, _, err = jaxnn(*words)
    lines = [line for line in err.splitlines() if "compiled programs are not cached" not in line]
    assert code == 2 and len(lines) == 1 and "expected a home folder for ~, found none; set HOME" in lines[0], err
    assert not list(tmp_path.iterdir())


def test_path_options_expand_the_home_folder_in_the_same_way(jaxnn, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert jaxnn("config", "new", "--from", "digits_mlp", "--out=~/mine.toml")[0] == 0
    words = ("train", "~/mine.toml", "--train.epochs=1", "--out=~/run", "--json=~/t.json")
    code, _, err = jaxnn(*words)
    assert code == 0, err
    assert jaxnn("evaluate", "~/run")[0] == 0
    rows = [f"{i / 10},{i % 3},{'ab'[i % 2]}" for i in range(40)]
    (tmp_path / "data.csv").write_text("\n".join(["x,y,class", *rows]))
    for path, folder in (("~/data.csv", None), ("data.csv", "~")):
        monkeypatch.setenv("JAXNN_DATA_DIR", folder or "")
        text = (
            f"--data.name=csv --data.path={path} --data.label=class --data.test=4 --data.validation=4 --net.4.units=2"
            " --data.preprocess=normalize"
        )
        code, _, err = jaxnn(
            "train", *text.split(), "--train.epochs=1", "--train.batch_size=8", "--out=~/csv", "--overwrite"
        )
        assert code == 0, err
    assert {path.name for path in tmp_path.iterdir()} >= {"mine.toml", "run", "t.json", "csv"}
    assert not list((tmp_path / "here").iterdir())


@pytest.mark.parametrize("home", ["", "relative", "~"])
def test_expand_user_refuses_a_home_that_is_no_whole_path(monkeypatch, home):
    monkeypatch.setenv("HOME", home)
    with pytest.raises(UserError, match="set HOME"):
        expand_user("~/x")
    assert expand_user("./~/x") == Path("~/x") and expand_user("x~") == Path("x~") and expand_user("") == Path()


def test_manifest_has_the_command_that_main_was_given(jaxnn, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["notebook", "--of", "another program"])
    assert jaxnn("train", "--train.epochs", 1, "--out", tmp_path / "run")[0] == 0
    command = json.loads((tmp_path / "run" / "manifest.json").read_text())["command"]
    assert command == ["jaxnn", "train", "--train.epochs", "1", "--out", str(tmp_path / "run")]
    words = ("--over", "optimizer.l2=0,1", "--train.epochs", 1, "--out", tmp_path / "sweep")
    assert jaxnn("sweep", "digits_mlp", *words)[0] == 0
    request = json.loads((tmp_path / "sweep" / "sweep.json").read_text())["request"]
    assert request["command"][:4] == ["jaxnn", "sweep", "digits_mlp", "--over"]


@pytest.mark.parametrize(
    ("platforms", "option", "message"),
    [
        ("cuda", None, "JAX_PLATFORMS=cuda: expected such a device, found none; unset JAX_PLATFORMS"),
        ("nonsense", None, "JAX_PLATFORMS=nonsense: expected such a device, found none; unset JAX_PLATFORMS"),
        ("", "gpu", "--device gpu: expected such a device, found none; omit --device"),
        ("cpu", "tpu", "--device tpu: expected such a device, found none; omit --device"),
    ],
)
def test_device_that_is_missing_is_one_line(tmp_path, platforms, option, message):
    words = ["train", *(["--device", option] if option else [])]
    environment = os.environ | {"JAX_PLATFORMS": platforms, "CUDA_VISIBLE_DEVICES": ""}
    done = jaxnn_process(words, cwd=tmp_path, env=environment)
    assert done.returncode == 2 and message in done.stderr and len(own_lines(done.stderr)) == 1, done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no processor can be chosen here")
def test_machine_line_counts_the_processors_that_the_process_may_use(tmp_path):
    first = min(os.sched_getaffinity(0))
    code = f"""
import os
os.sched_setaffinity(0, [{first}])
from jaxnn.cli import device
print(device.select_device(None))"""
    environment = os.environ | {"JAX_PLATFORMS": "", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.startswith("CPU × 1, jax")
