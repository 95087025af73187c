"""A run of an experiment in a Python file is killed, resumed and read by every command; its folder runs no code."""

import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import jaxnn
from jaxnn.errors import UserError
from jaxnn.runs import checkpoints
from jaxnn.runs.python_file import load_experiment
from jaxnn.storage.files import read_checksummed_json, sha256, write_checksummed_json
from tests.trust import kill
from tests.trust.damage import all_files, damages
from tests.trust.precision import cli_precision

#: An own layer, an own loss and data of NumPy. It saves within epochs, as often as the disk allows.
MINE = '''
"""Which points of the plane are far from the origin."""
import jax, jax.numpy as jnp, numpy as np, optax
import jaxnn
from jaxnn import Experiment, Plan, accuracy, in_memory, supervised

def scaled_dense(units):
    def init(key, x):
        weight = jax.random.normal(key, (x.shape[-1], units), x.dtype) * 0.3
        return {"weight": weight, "scale": jnp.ones(units, x.dtype), "bias": jnp.zeros(units, x.dtype)}
    def forward(params, x, key):
        z = x @ params["weight"]
        return z * params["scale"] + params["bias"], (x, z)
    def backward(params, res, dy):
        (x, z), dz = res, dy * params["scale"]
        return {"weight": x.T @ dz, "scale": (z * dy).sum(0), "bias": dy.sum(0)}, dz @ params["weight"].T
    return jaxnn.Layer(init, forward, backward, "scaled_dense")

def hinge(y, target):
    sign = 2.0 * jax.nn.one_hot(target, y.shape[-1]) - 1
    margin = jnp.maximum(0, 1 - sign * y)
    return margin.sum(-1).mean(), -sign * (margin > 0) / len(y)

rng = np.random.default_rng(0)
x = rng.normal(size=(1000, 2)).astype("float32")
far = (np.hypot(*x.T) > 1.2).astype("int32")
model = jaxnn.serial(hidden=scaled_dense(16), bend=jaxnn.tanh(), head=scaled_dense(2))
experiment = Experiment(
    lambda h: supervised(model, hinge, optax.adam(h["learning_rate"]), metrics={"accuracy": accuracy}),
    in_memory(x[:800], far[:800], batch_size=32),
    Plan(epochs=150, best="validation.accuracy", save_minutes=0.0004),
    validation=(x[800:], far[800:]), hyperparameters={"learning_rate": 0.01})
'''
SEEDS = 4


def write(folder: Path) -> Path:
    path = folder / "mine.py"
    path.write_text(MINE)
    return path


def target(mine: Path) -> str:
    return f"{mine}:experiment"


def command(mine: Path) -> tuple[object, ...]:
    """The command line that trains, without the folder."""
    return ("train", target(mine), "--seeds", SEEDS)


def refused(answer, *words: str) -> None:
    """A command refused something in one line, which contains these words."""
    assert answer["code"] == 2, answer
    assert len(answer["err"].strip().splitlines()) == 1 and all(word in answer["err"] for word in words), answer["err"]


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    return write(tmp_path_factory.mktemp("mine"))


@pytest.fixture(scope="module")
def trials(fork_server, mine, tmp_path_factory):
    """The folder of a run that was not killed, "whole", and of runs that were, "0" to "3"; what came of each."""
    folder = tmp_path_factory.mktemp("runs")
    return folder, kill.trials(fork_server, folder, 4, seed=0, max_kills=2, train=command(mine))


@pytest.fixture
def copy(trials, tmp_path):
    """A finished run, which was killed and resumed."""
    folder, results = trials
    killed = next(i for i, result in enumerate(results) if result.kills)
    return Path(shutil.copytree(folder / f"{killed}", tmp_path / "copy"))


def test_killed_python_runs_end_bit_equal_to_a_run_without_kills(trials):
    folder, results = trials
    last = int(checkpoints.paths(folder / "whole")[-1].name)
    assert last == 150 * (800 // 32)
    assert [trial for trial in results if not trial.equal] == []
    assert all(kill.left_nothing(folder / f"{i}") for i in range(len(results)))
    # Some were killed between the first step and the last, at different steps; otherwise the test would prove little.
    assert len({step for trial in results for step in trial.steps if 0 < step < last}) >= 3


def test_python_run_learns(trials):
    folder, _ = trials
    values = read_checksummed_json(folder / "whole" / "manifest.json")["values"]
    assert len(values["validation"]["accuracy"]) == SEEDS
    assert min(values["validation"]["accuracy"]) > 0.95


def test_every_command_reads_a_python_run(fork_server, copy, tmp_path):
    np.save(tmp_path / "points.npy", np.array([[0.0, 0.1], [2.0, -2.0]], np.float32))
    for words in (
        ("evaluate", copy, "--json", tmp_path / "scores.json"),
        ("predict", copy, tmp_path / "points.npy"),
        ("plot", copy),
        ("rerun", copy),
        ("checkpoint", "list", copy),
        ("checkpoint", "verify", copy),
        ("resume", copy),
    ):
        answer = fork_server.run(*words, figures=True)
        assert (answer["code"], answer["err"]) == (0, ""), words
    assert {path.name for path in (copy / "figures").iterdir()} >= {"confusion.png", "decision_boundary.png"}


def test_damage_to_a_python_run_is_detected(copy):
    tried = list(damages(copy, flips=75, cuts=25, seed=0))
    assert [damage for damage in tried if damage.undetected_by] == []
    assert {damage.file for damage in tried} == {path.relative_to(copy).as_posix() for path in all_files(copy)}


def test_resume_refuses_a_changed_file_unless_it_is_named(fork_server, trials, tmp_path):
    folder, _ = trials
    mine, run = write(tmp_path), tmp_path / "run"
    interrupted = fork_server.run(*command(mine), "--out", run, once=[run, signal.SIGTERM], step=100, later=0)
    assert interrupted["code"] == 143, interrupted
    mine.write_text(MINE + "# as before\n")
    before = {path: path.read_bytes() for path in all_files(run)}
    refused(fork_server.run("resume", run), f"{mine} has changed", f"--experiment {target(mine)}")
    assert {path: path.read_bytes() for path in all_files(run)} == before
    answer = fork_server.run("resume", run, "--experiment", target(mine))
    assert answer["code"] == 0, answer["err"]
    assert kill.result(run) == kill.result(folder / "whole")
    assert kill.state(run) == kill.state(folder / "whole")


def test_resume_refuses_a_missing_file_and_other_data(fork_server, tmp_path):
    mine, run = write(tmp_path), tmp_path / "run"
    interrupted = fork_server.run(*command(mine), "--out", run, once=[run, signal.SIGTERM], step=100, later=0)
    assert interrupted["code"] == 143, interrupted
    other = tmp_path / "other.py"
    other.write_text(MINE.replace("default_rng(0)", "default_rng(1)"))
    refused(fork_server.run("resume", run, "--experiment", target(other)), "expected the data that it was trained on")
    mine.unlink()
    refused(fork_server.run("resume", run), f"{mine}, found no such file", "--experiment")


READ = (("evaluate",), ("predict", "POINTS"), ("plot",), ("rerun",), ("resume",))


@pytest.mark.parametrize("words", READ, ids=[words[0] for words in READ])
@pytest.mark.parametrize("way", ["absolute", "relative", "dots", "a link", "/proc", "outside"])
def test_file_that_a_run_folder_brings_along_is_not_run(fork_server, copy, tmp_path, mine, way, words):
    """The folder names a file inside itself, with the right SHA-256 and under a right checksum."""
    name, ran, points = "evil.py", tmp_path / "ran", tmp_path / "points.npy"
    np.save(points, np.zeros((1, 2), np.float32))
    evil = copy / name
    evil.write_text(f"from pathlib import Path\nPath({str(ran)!r}).write_text('ran')\n{MINE}")
    (tmp_path / "link.py").symlink_to(evil)
    file = {
        "absolute": str(evil),
        "relative": f"{copy.name}/{name}",
        "dots": f"{copy.parent}/x/../{copy.name}/{name}",
        "a link": str(tmp_path / "link.py"),
        "/proc": f"/proc/self/cwd/{copy.name}/{name}",
        "outside": "outside.py",
    }[way]
    if way == "dots":
        (tmp_path / "x").mkdir()
    if way == "outside":  # beside the folder, as an archive unpacks it
        shutil.copy(evil, tmp_path / "outside.py")
    facts = read_checksummed_json(copy / "manifest.json")
    origin = {"file": file, "name": "experiment", "sha256": sha256(evil), "overrides": {}}
    status = {"status": "interrupted"} if words[0] == "resume" else {}
    write_checksummed_json(copy / "manifest.json", facts | {"experiment": origin} | status)
    answer = fork_server.run(words[0], copy, *([points] if len(words) > 1 else []), cwd=str(tmp_path))
    refused(answer, str(copy), Path(file).name)
    assert not ran.exists()
    # The file is one that would run, if the user named it.
    if words[0] == "evaluate":
        answer = fork_server.run("evaluate", copy, "--experiment", f"{evil}:experiment")
        assert answer["code"] == 0 and ran.exists(), answer["err"]


FACTS = {
    "a number as file": {"file": 7},
    "no name": {"name": None},
    "overrides of text": {"overrides": {"learning_rate": "0.1"}},
    "overrides as a list": {"overrides": [0.1]},
    "a hyper-parameter that there is not": {"overrides": {"momentum": 0.9}},
    "a name that there is not": {"name": "other"},
    "a name that is no experiment": {"name": "rng"},
    "a NUL in the file": {"file": "/tmp/a\0b.py"},
    "a line break in the name": {"name": "a\nb"},
    "a file name that is too long": {"file": "/" + "a" * 5000},
    "a folder as file": {"file": "/"},
    "a device as file": {"file": "/dev/zero"},
    "another sum": {"sha256": "0" * 64},
}


@pytest.mark.parametrize("case", FACTS)
def test_load_run_refuses_forged_facts_of_a_file(copy, case):
    facts = read_checksummed_json(copy / "manifest.json")
    write_checksummed_json(copy / "manifest.json", facts | {"experiment": facts["experiment"] | FACTS[case]})
    with cli_precision(), pytest.raises(UserError) as refusal:
        jaxnn.load_run(copy)
    assert "\n" not in str(refusal.value)


@pytest.fixture(scope="module")
def nameless(mine, tmp_path_factory):
    """A run that `jaxnn.fit` made in a process of its own, of an experiment that stands in no file."""
    run = tmp_path_factory.mktemp("nameless") / "run"
    code = f"""
        import sys
        sys.path.insert(0, {str(mine.parent)!r})
        import jaxnn
        from mine import experiment
        plan = experiment.plan._replace(epochs=20)
        jaxnn.fit(experiment._replace(plan=plan, seeds=(3, 4)), sys.argv[1])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(run)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return run


def test_run_of_fit_without_a_file_needs_the_file_named(fork_server, nameless, mine, tmp_path):
    points = tmp_path / "points.npy"
    np.save(points, np.zeros((1, 2), np.float32))
    for words in (("evaluate", nameless), ("predict", nameless, points), ("plot", nameless), ("rerun", nameless)):
        refused(fork_server.run(*words), str(nameless), "--experiment FILE.py:NAME")
    for words in (("evaluate", nameless), ("predict", nameless, points), ("plot", nameless)):
        answer = fork_server.run(*words, "--experiment", target(mine))
        assert (answer["code"], answer["err"]) == (0, ""), words
    answer = fork_server.run("checkpoint", "verify", nameless)
    assert answer["code"] == 0, answer["err"]


def test_load_run_of_fit_without_a_file_needs_the_experiment(nameless, mine):
    with cli_precision():
        with pytest.raises(UserError, match=r"--experiment FILE\.py:NAME, or pass it to jaxnn.load_run"):
            jaxnn.load_run(nameless)
        for experiment in (target(mine), load_experiment(target(mine))):
            run = jaxnn.load_run(nameless, experiment)
            assert run.experiment.seeds == (3, 4) and run.params["hidden"]["weight"].shape == (2, 2, 16)


def test_load_run_predicts_what_fit_s_run_predicts(mine, tmp_path):
    x = np.random.default_rng(1).normal(size=(1777, 2)).astype(np.float32)
    with cli_precision():
        experiment = load_experiment(target(mine))
        experiment = experiment._replace(plan=experiment.plan._replace(epochs=3), seeds=(0, 1, 2))
        in_memory, in_folder = jaxnn.fit(experiment), jaxnn.fit(experiment, tmp_path / "run")
        loaded = jaxnn.load_run(tmp_path / "run")
        for run in (in_folder, loaded):
            for seed in (None, 0, 1, 2):
                np.testing.assert_array_equal(run.predict(x, seed), in_memory.predict(x, seed), strict=True)
            assert run.history.keys() == in_memory.history.keys()
            for name, values in in_memory.history.items():
                np.testing.assert_array_equal(run.history[name], values)
            assert run.best_epoch == in_memory.best_epoch and run.scores.keys() == in_memory.scores.keys()
        # The seeds differ; otherwise a mean over them would prove nothing.
        assert not np.array_equal(loaded.predict(x, 0), loaded.predict(x, 1))


def test_load_run_takes_the_hyperparameters_of_the_command_line(fork_server, mine, tmp_path):
    run, rate = tmp_path / "run", "--hyperparameters.learning_rate"
    answer = fork_server.run("train", target(mine), rate, 0.003, "--out", run)
    assert answer["code"] == 0, answer["err"]
    with cli_precision():
        for experiment in (None, target(mine)):
            assert jaxnn.load_run(run, experiment).experiment.hyperparameters == {"learning_rate": 0.003}
    answer = fork_server.run("rerun", run)
    assert (answer["code"], answer["err"]) == (0, "")
