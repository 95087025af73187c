"""Runs of several processes that are killed: they end bit-equal to the run of one process that was never stopped."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.scale.processes import TRAIN, children, digests, is_running, run_alone, wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the tests read /proc")


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The bits of the run of one process."""
    return digests(run_alone(tmp_path_factory.mktemp("alone") / "run"))


@pytest.mark.parametrize("rank", [0, 1])
def test_run_of_which_a_process_is_killed_starts_again_and_ends_alike(rank, alone, tmp_path):
    folder = tmp_path / "run"
    launched = subprocess.Popen(
        [*TRAIN, "--processes", "2", "--out", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    wait_for(lambda: (folder / "manifest.json").exists(), launched)
    time.sleep(random.Random(rank).uniform(0.5, 3))
    os.kill(children(launched)[rank], signal.SIGKILL)
    output, _ = launched.communicate(timeout=240)
    assert launched.returncode == 0, output
    assert f"rank {rank} has ended with signal 9; starts again" in output
    assert digests(folder) == alone


def test_process_that_dies_twice_in_a_row_is_left_out(alone, tmp_path):
    folder = tmp_path / "run"
    launched = subprocess.Popen(
        [*TRAIN, "--processes", "3", "--out", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    wait_for(lambda: (folder / "manifest.json").exists(), launched)
    first = children(launched)
    os.kill(first[1], signal.SIGKILL)
    wait_for(lambda: len(started := children(launched)) == 3 and not set(started) & set(first), launched)
    os.kill(children(launched)[1], signal.SIGKILL)  # the new rank 1
    output, _ = launched.communicate(timeout=240)
    assert launched.returncode == 0, output
    assert "rank 1 has ended with signal 9, the second time; starts again with 2 processes" in output
    assert digests(folder) == alone


def test_signal_to_one_process_stops_all_at_one_step_and_the_run_resumes_with_fewer(alone, tmp_path):
    folder = tmp_path / "run"
    launched = subprocess.Popen(
        [*TRAIN, "--processes", "3", "--out", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    wait_for(lambda: (folder / "manifest.json").exists(), launched)
    time.sleep(1)
    os.kill(children(launched)[2], signal.SIGTERM)
    output, _ = launched.communicate(timeout=120)
    assert launched.returncode == 128 + signal.SIGTERM, output
    assert "and saved; `jaxnn resume" in output
    resumed = subprocess.run(
        [sys.executable, "-m", "jaxnn", "resume", str(folder), "--processes", "2"], capture_output=True, text=True
    )
    assert resumed.returncode == 0, resumed.stderr
    assert digests(folder) == alone


def test_launcher_that_is_killed_leaves_no_process(tmp_path):
    folder = tmp_path / "run"
    launched = subprocess.Popen(
        [*TRAIN, "--processes", "2", "--out", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_for(lambda: (folder / "manifest.json").exists(), launched)
    started = children(launched)
    launched.kill()
    launched.wait()
    assert len(started) == 2
    deadline = time.monotonic() + 10
    while any(map(is_running, started)):
        assert time.monotonic() < deadline, "a process is left"
        time.sleep(0.1)
    shutil.rmtree(folder)


def test_mistake_is_one_line_and_no_restart(tmp_path):
    done = subprocess.run(
        [*TRAIN, "--processes", "3", "--train.batch-size", "2", "--out", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line]
    assert len(lines) == 1
    assert "expected a batch of at least" in lines[0]
    assert not Path(tmp_path / "run").exists()
    assert os.listdir(tmp_path) == []
