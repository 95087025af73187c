"""A run that is killed, told to leave or out of disk loses nothing, and ends as if nothing had happened."""

import shutil
import signal

import pytest

from tests.trust.kill import command, result, state, trials

LONG = ("train", "digits_mlp", "--train.epochs", 100_000, "--checkpoint.epochs", 1000)


@pytest.mark.parametrize("seed", [0, 1])
def test_killed_runs_end_bit_equal_to_the_run_never_killed(fork_server, tmp_path, seed):
    found = trials(fork_server, tmp_path, 10, seed=seed, most=1)
    assert [t for t in found if not t.equal] == []
    assert sum(t.kills for t in found) >= 5
    # Killed at more than one place of the run, or the law would say little.
    assert len({step for t in found for step in t.steps}) >= 3


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_run_that_is_told_to_leave_is_saved_within_5_seconds_and_goes_on(fork_server, tmp_path, number, code):
    answer = fork_server.run(*LONG, "--out", tmp_path / "run", once=[tmp_path / "run", number])
    assert answer["code"] == code
    assert answer["after"] < 5
    assert "saved; `jaxnn resume" in answer["err"] and "Traceback" not in answer["err"]


def test_a_run_that_left_and_was_resumed_is_bit_equal(fork_server, tmp_path):
    assert fork_server.run(*command(tmp_path / "whole"))["code"] == 0
    left = fork_server.run(*command(tmp_path / "left"), once=[tmp_path / "left", signal.SIGTERM])
    assert left["code"] == 143, left
    assert fork_server.run("resume", tmp_path / "left")["code"] == 0
    assert result(tmp_path / "left") == result(tmp_path / "whole")
    assert state(tmp_path / "left") == state(tmp_path / "whole")
    assert fork_server.run("resume", tmp_path / "left")["code"] == 0  # nothing is left to do


def test_a_run_killed_before_its_first_checkpoint_begins_again(fork_server, tmp_path):
    assert fork_server.run(*command(tmp_path / "whole"))["code"] == 0
    assert fork_server.run(*command(tmp_path / "cut"), once=[tmp_path / "cut", signal.SIGTERM])["code"] == 143
    shutil.rmtree(tmp_path / "cut" / "checkpoints")
    answer = fork_server.run("resume", tmp_path / "cut")
    assert answer["code"] == 0, answer["err"]
    assert result(tmp_path / "cut") == result(tmp_path / "whole")


def test_the_second_signal_leaves_at_once(fork_server, tmp_path):
    run = tmp_path / "run"
    answer = fork_server.run(*LONG, "--out", run, once=[run, signal.SIGINT, signal.SIGINT])
    assert answer["code"] == 130 and answer["after"] < 1


def test_a_signal_before_the_first_step_leaves_nothing(fork_server, tmp_path):
    answer = fork_server.run("train", "digits_mlp", "--net.1.units", 11, "--out", tmp_path / "run", signals=[(1.2, 2)])
    assert answer["code"] in (130, 0)
    if "nothing was written" in answer["err"]:
        assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_checkpoint_intact(fork_server, tmp_path):
    run = tmp_path / "run"
    words = ("--net.1.units", 97, "--train.epochs", 9, "--checkpoint.epochs", 2)
    # The history grows: what can still be written of the first checkpoints is too little for a later one.
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
