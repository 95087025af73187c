"""Processes that start at once share no folder: each has one of its own, or one wins and the others say so."""

import os
import subprocess
import sys

import pytest

from jaxnn.cli.checkpoint import examine_files

PROCESSES = 5
TRAIN = ("train", "digits_mlp", "--net.1.units", "7", "--train.epochs", "2")
SWEEP = ("sweep", "digits_mlp", "--train.epochs", "1", "--over", "net.1.units=5")


def start_together(folder, words):
    """Exit status and last message of processes that run one command line at the same time.

    A process that takes long says before what it does.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "jaxnn", *words],
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    messages = [process.communicate()[1].splitlines() for process in processes]
    return [(process.returncode, (lines or [""])[-1]) for process, lines in zip(processes, messages, strict=True)]


@pytest.mark.parametrize(
    ("words", "name"), [(TRAIN, "digits_mlp"), (SWEEP, "digits_mlp-sweep")], ids=["train", "sweep"]
)
def test_processes_that_start_at_once_finish_in_folders_of_their_own(tmp_path, words, name):
    assert [code for code, _ in start_together(tmp_path, words)] == [0] * PROCESSES
    names = {name, *(f"{name}-{i}" for i in range(2, PROCESSES + 1))}
    assert {path.name for path in (tmp_path / "runs").iterdir()} == names
    if words is TRAIN:
        for run in (tmp_path / "runs").iterdir():
            assert all(row["state"] == "valid" for row in examine_files(run))


def test_one_of_the_processes_that_ask_for_the_same_folder_has_it(tmp_path):
    answers = start_together(tmp_path, (*TRAIN, "--out", "mine"))
    assert sorted(code for code, _ in answers) == [0] + [2] * (PROCESSES - 1)
    for code, message in answers:
        assert code == 0 or "mine: expected a" in message
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert all(row["state"] == "valid" for row in examine_files(tmp_path / "mine"))
