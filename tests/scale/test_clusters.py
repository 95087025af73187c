"""Runs under a real Slurm and a real Open MPI, where this machine has them: bit-equal to the run of one process."""

import random
import socket
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest

from jaxnn.cli.run_arguments import Slurm
from jaxnn.cli.slurm import batch_script
from jaxnn.errors import UserError
from jaxnn.processes.cluster import Place
from jaxnn.processes.join import check_own_name
from tests.scale import clusters
from tests.scale.processes import digests, run_alone, wait_for


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The bits of the run of one process."""
    return digests(run_alone(tmp_path_factory.mktemp("alone") / "run"))


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """The environment of a Slurm cluster of one host."""
    with ExitStack() as running:
        try:
            environment = running.enter_context(clusters.slurm_cluster(tmp_path_factory.mktemp("slurm")))
        except clusters.CannotRunError as reason:
            pytest.skip(str(reason))
        yield environment


def test_job_that_slurm_requeues_ends_as_the_run_that_was_never_stopped(slurm, alone, tmp_path):
    job = clusters.submit(tmp_path, slurm)
    clusters.requeue(tmp_path, job, slurm, random.Random(1).uniform(0.5, 3))
    clusters.wait_for_job(job, slurm)
    output = (tmp_path / f"slurm-{job}.out").read_text()
    assert digests(tmp_path / "run") == alone, output
    assert "continues after step" in output


def test_jobs_of_an_array_share_a_sweep_though_one_is_requeued(slurm, tmp_path):
    sweep = ["sweep", "digits_mlp", "--train.epochs", "20", "--over", "optimizer.learning_rate=0.001,0.003,0.01,0.03"]
    sweep += ["--seeds", "2", "--part", "1", "--silence", "5"]
    whole = [sys.executable, "-m", "jaxnn", *sweep, "--join", str(tmp_path / "whole")]
    subprocess.run(whole, check=True, capture_output=True, cwd=tmp_path)
    words = [sys.executable, "-m", "jaxnn", "slurm", *sweep, "--array", "3", "--submit", "--out", "shared"]
    done = subprocess.run(words, cwd=tmp_path, env=slurm, capture_output=True, text=True, check=True)
    job = done.stdout.split()[-1]
    claims, deadline = tmp_path / "shared" / "claims", time.monotonic() + clusters.QUEUE
    wait_for(lambda: bool(list(claims.glob("*.0"))), seconds=deadline - time.monotonic())
    subprocess.run(["scontrol", "requeue", f"{job}_2"], env=slurm, check=True)
    # The other jobs do its part meanwhile: Slurm lets a job that goes back to the queue wait for two minutes.
    wait_for(lambda: not claims.exists(), seconds=deadline - time.monotonic())
    subprocess.run(["scancel", job], env=slurm, check=True)
    said = "".join(file.read_text() for file in sorted(tmp_path.glob(f"slurm-{job}_*.out")))
    assert (tmp_path / "shared" / "sweep.csv").read_bytes() == (tmp_path / "whole" / "sweep.csv").read_bytes(), said


def test_run_on_two_nodes_of_slurm_is_that_of_one_process(alone, tmp_path):
    try:
        run = clusters.run_on_two_nodes(tmp_path)
    except clusters.CannotRunError as reason:
        pytest.skip(str(reason))
    assert digests(run) == alone


@pytest.mark.skipif(not clusters.HAS_MPI, reason="needs Open MPI")
def test_two_processes_of_two_devices_under_open_mpi_are_as_one(alone, tmp_path):
    assert digests(clusters.run_by_mpi(tmp_path / "run")) == alone


def test_script_has_a_task_for_each_gpu_and_goes_on():
    script = batch_script(Slurm("train", nodes=2, gpus=4, time="4:00:00"), ["mine.py:net", "--seeds", "2"])
    for line in (
        "#SBATCH --nodes=2", "#SBATCH --ntasks-per-node=4", "#SBATCH --gpus-per-task=1", "#SBATCH --time=4:00:00",
        "#SBATCH --requeue", "run=runs/mine-$SLURM_JOB_ID", 'scontrol requeue "$SLURM_JOB_ID"',
        '  srun --kill-on-bad-exit=1 jaxnn train mine.py:net --seeds 2 --out "$run" --cluster slurm',
        '  srun --kill-on-bad-exit=1 jaxnn resume "$run" --cluster slurm',
    ):  # fmt: skip
        assert line in script.splitlines() or f"  {line}" in script.splitlines()
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0
    array = batch_script(Slurm("sweep", array=32), ["C", "--over", "a=1,2", "--join", "there"])
    for line in ("#SBATCH --array=1-32", "srun jaxnn sweep C --over a=1,2 --join there"):
        assert line in array.splitlines()
    seeds = batch_script(Slurm("train", array=2, gpus=1), ["C", "--seeds", "9"])
    assert "srun jaxnn train C --seeds 9 --join runs/C-$SLURM_ARRAY_JOB_ID" in seeds.splitlines()
    hostile = batch_script(Slurm("train"), ["a; rm -rf b.toml", "--out=x y"])
    assert "run='x y'" in hostile
    assert "train 'a; rm -rf b.toml' --out" in hostile


@pytest.mark.parametrize(
    ("command", "words", "expected"),
    [
        (Slurm("train", nodes=0), [], "--nodes: expected at least 1"),
        (Slurm("train", gpus=-1), [], "--gpus"),
        (Slurm("train", gpus=2, tasks=3), [], "a task for each of 2 GPUs"),
        (Slurm("train"), ["C", "--processes=2"], "expected no --processes"),
        (Slurm("sweep", array=0), [], "--array: expected at least 1"),
        (Slurm("sweep", array=2, nodes=2), [], "--array: expected jobs of one task"),
        (Slurm("sweep"), ["--workers", "2"], "expected no --workers"),
        (Slurm("train"), ["--join", "there"], "--join: expected --array N"),
    ],
)
def test_script_that_cannot_be_is_refused(command, words, expected):
    with pytest.raises(UserError, match=expected):
        batch_script(command, words)


def test_link_between_two_hosts_that_is_cut_ends_both_which_name_each_other(tmp_path):
    try:
        cuts = clusters.cut_link(tmp_path)
    except clusters.CannotRunError as reason:
        pytest.skip(str(reason))
    assert [cut.rank for cut in cuts] == [0, 1]
    assert all(cut.is_right for cut in cuts), cuts


def test_host_that_does_not_know_its_own_address_is_named(monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "lost")
    monkeypatch.setattr(socket, "gethostbyname", lambda name: "127.0.1.1")
    with pytest.raises(UserError, match="rank 1 on lost: expected the name of this host to be an address"):
        check_own_name(Place(1, 2, "192.0.2.1", 4000))
    check_own_name(Place(1, 2, "127.0.0.1", 4000))
