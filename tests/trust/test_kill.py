"""A run that is killed, interrupted or out of disk space loses nothing, and ends as if nothing had happened."""

import shutil
import signal

import numpy as np
import pytest

from jaxnn.runs import folder as run_folder
from jaxnn.storage.files import read_checksummed_json, write_checksummed_json
from jaxnn.storage.locks import lock_file, locked
from tests.trust.kill import TRAIN, command, left_nothing, result, state, trials

#: A continued run, and a sweep of two programs whose rows train for a second or more.
SWEEP = (
    "sweep", "digits_mlp", "--train.epochs", 60, "--data.train", 331, "--train.batch_size", 7, "--keep", 2,
    "--over", "optimizer.learning_rate=0.001,0.003,1e30", "--over", "net.1.units=5,7",
)  # fmt: skip
LONG = ("train", "digits_mlp", "--train.epochs", 100_000, "--checkpoint.epochs", 1000)


@pytest.mark.parametrize("seed", [0, 1])
def test_killed_runs_end_bit_equal_to_a_run_without_kills(fork_server, tmp_path, seed):
    results = trials(fork_server, tmp_path, 10, seed=seed, max_kills=1)
    assert [t for t in results if not t.equal] == []
    assert sum(t.kills for t in results) >= 5
    # They were killed at different steps; otherwise the test would prove little.
    assert len({step for t in results for step in t.steps}) >= 3
    # The operating system has released every lock, and no lock file is left.
    assert not list(tmp_path.glob(".*.lock"))
    assert all(left_nothing(tmp_path / f"{i}") for i in range(len(results)))


def test_killed_continued_runs_end_bit_equal_to_a_run_of_all_epochs(fork_server, tmp_path):
    """60 epochs, then the rest of them, with kills: as 199 epochs at once."""
    epochs = TRAIN.index("--train.epochs") + 1
    short = (*TRAIN[:epochs], "60", *TRAIN[epochs + 1 :])
    assert fork_server.run(*short, "--out", tmp_path / "short")["code"] == 0
    assert fork_server.run(*command(tmp_path / "whole"))["code"] == 0
    more = ("train", "--from", tmp_path / "short", "--train.epochs", TRAIN[epochs])
    (tmp_path / "more").mkdir()
    results = trials(fork_server, tmp_path / "more", 6, seed=0, max_kills=2, train=more)
    assert [t for t in results if not t.equal] == [] and sum(t.kills for t in results) >= 3
    for name in ("whole", *(f"{i}" for i in range(len(results)))):
        assert result(tmp_path / "more" / name) == result(tmp_path / "whole")
        assert left_nothing(tmp_path / "more" / name)


def sweep_result(folder):
    """The table of a sweep, and the weights and histories of its runs."""
    files = [folder / "sweep.csv", *(folder / "members").glob("*/*.safetensors"), *(folder / "members").glob("*/*.csv")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_killed_sweeps_end_bit_equal_to_a_sweep_without_kills(fork_server, tmp_path):
    answer = fork_server.run(*SWEEP, "--out", tmp_path / "whole")
    assert answer["code"] == 0, answer["err"]
    expected, draw = sweep_result(tmp_path / "whole"), np.random.default_rng(0)
    assert len(expected) == 1 + 2 * 3
    kills, places = 0, set()
    for i in range(5):
        out = tmp_path / f"{i}"
        # Killed a moment after it has so many of its six trials, twice; then it goes on to its end.
        for after in (*sorted(int(number) for number in draw.integers(0, 6, 2)), None):
            words = ("resume", out) if (out / "sweep.json").exists() else (*SWEEP, "--out", out)
            when = (
                {} if after is None else {"trials": after, "once": [out, signal.SIGKILL], "later": draw.uniform(0, 0.1)}
            )
            ended = fork_server.run(*words, **when)
            if ended["code"] == 0:
                break
            assert ended["code"] == -signal.SIGKILL, ended["err"]
            kills += 1
            places.add(len(list((out / "trials").glob("*.json"))))
        assert sweep_result(out) == expected
        assert not list(out.rglob(".*")) and not (out / "running").exists()
    assert kills >= 5 and len(places) >= 2
    assert not list(tmp_path.glob(".*.lock"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signal_saves_the_run_within_5_seconds(fork_server, tmp_path, number, code):
    answer = fork_server.run(*LONG, "--out", tmp_path / "run", once=[tmp_path / "run", number])
    assert answer["code"] == code
    assert answer["after"] < 5
    assert "saved; `jaxnn resume" in answer["err"] and "Traceback" not in answer["err"]


def test_interrupted_run_resumes_bit_equal(fork_server, tmp_path):
    assert fork_server.run(*command(tmp_path / "whole"))["code"] == 0
    interrupted = fork_server.run(*command(tmp_path / "interrupted"), once=[tmp_path / "interrupted", signal.SIGTERM])
    assert interrupted["code"] == 143, interrupted
    assert fork_server.run("resume", tmp_path / "interrupted")["code"] == 0
    assert result(tmp_path / "interrupted") == result(tmp_path / "whole")
    assert state(tmp_path / "interrupted") == state(tmp_path / "whole")
    lock_file(tmp_path / "interrupted").touch()  # as of a process that was killed after its last write
    assert fork_server.run("resume", tmp_path / "interrupted")["code"] == 0  # the run has finished
    assert not lock_file(tmp_path / "interrupted").exists()


def test_run_without_a_checkpoint_resumes_from_the_start(fork_server, tmp_path):
    assert fork_server.run(*command(tmp_path / "whole"))["code"] == 0
    assert fork_server.run(*command(tmp_path / "cut"), once=[tmp_path / "cut", signal.SIGTERM])["code"] == 143
    shutil.rmtree(tmp_path / "cut" / "checkpoints")
    answer = fork_server.run("resume", tmp_path / "cut")
    assert answer["code"] == 0, answer["err"]
    assert result(tmp_path / "cut") == result(tmp_path / "whole")


def test_second_signal_stops_at_once(fork_server, tmp_path):
    run = tmp_path / "run"
    answer = fork_server.run(*LONG, "--out", run, once=[run, signal.SIGINT, signal.SIGINT])
    assert answer["code"] == 130 and answer["after"] < 1


def test_signal_before_the_first_step_leaves_nothing(fork_server, tmp_path):
    answer = fork_server.run("train", "digits_mlp", "--net.1.units", 11, "--out", tmp_path / "run", signals=[(1.2, 2)])
    assert answer["code"] in (130, 0)
    if "nothing was written" in answer["err"]:
        assert list(tmp_path.iterdir()) == []


def test_full_disk_leaves_the_old_checkpoint_intact(fork_server, tmp_path):
    run = tmp_path / "run"
    words = ("--net.1.units", 97, "--train.epochs", 9, "--checkpoint.epochs", 2)
    # The history grows, so a limit that suffices for the first checkpoints is too small for a later one.
    first = fork_server.run("train", "digits_mlp", *words, "--out", tmp_path / "whole")
    assert first["code"] == 0, first["err"]
    sizes = [(p / "state.safetensors").stat().st_size for p in sorted((tmp_path / "whole" / "checkpoints").iterdir())]
    answer = fork_server.run("train", "digits_mlp", *words, "--out", run, file_size=max(sizes) - 1)
    assert answer["code"] == 2 and "cannot write" in answer["err"]
    assert len(answer["err"].strip().splitlines()) == 1
    verified = fork_server.run("checkpoint", "verify", run)
    assert verified["code"] == 0, verified["err"]
    assert fork_server.run("resume", run)["code"] == 0
    assert result(run) == result(tmp_path / "whole")


@pytest.mark.parametrize("words", [("resume", "RUN"), ("train", "digits_mlp", "--out", "RUN", "--overwrite")])
def test_run_that_another_process_trains_is_refused_in_one_line(fork_server, finished, tmp_path, words):
    run = shutil.copytree(finished, tmp_path / "run")
    manifest = run / run_folder.MANIFEST
    write_checksummed_json(manifest, read_checksummed_json(manifest) | {"status": "running"})
    files = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with locked(run):
        answer = fork_server.run(*(run if word == "RUN" else word for word in words))
    assert answer["code"] == 2 and "found one that is; wait for that process to end" in answer["err"]
    assert len(answer["err"].strip().splitlines()) == 1
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == files
    assert list(tmp_path.iterdir()) == [run]
