"""Runs under a real Slurm and a real Open MPI, and on two hosts whose link is cut, where this machine has them."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.scale.processes import TRAIN, wait_for

SETUP = Path(__file__).with_name("slurm_cluster.sh")
#: Where `jaxnn` is, for the scripts of Slurm.
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
HAS_MPI = shutil.which("mpirun") is not None
#: Seconds that a job may take; Slurm lets one that was queued again wait for two minutes.
QUEUE = 480
#: Seconds without a word after which a process is given up, in the runs whose link is cut.
HEARTBEAT = 4
#: The exit status of a script that finds no network namespaces here.
NO_NAMESPACES = 77


class CannotRunError(Exception):
    """What this machine lacks."""


class Cut(NamedTuple):
    """How a rank ended whose link was cut: its exit status, the seconds from the cut to its end, its last line."""

    rank: int
    status: int
    seconds: float
    line: str

    @property
    def is_right(self) -> bool:
        """Whether it ended in time, and named the other rank and its host."""
        other = 1 - self.rank
        named = f"rank {other} on host{other} has said nothing for {HEARTBEAT} seconds" in self.line
        return self.status == 75 and self.seconds <= HEARTBEAT + 5 and named


def check_slurm() -> None:
    """Raises `CannotRunError` where this machine cannot run a Slurm cluster."""
    if not all(map(shutil.which, ("slurmctld", "slurmd", "munged", "sbatch"))) or os.geteuid():
        raise CannotRunError("needs root, slurm-wlm and munge")


@contextmanager
def slurm_cluster(folder: Path) -> Iterator[dict[str, str]]:
    """A Slurm cluster of one host: the environment of its commands. Raises `CannotRunError` where there is none."""
    check_slurm()
    started = subprocess.run([SETUP, "start", folder], capture_output=True, text=True, timeout=60)
    try:
        if started.returncode:
            raise CannotRunError(f"Slurm does not start here: {started.stdout[-300:]}{started.stderr[-300:]}")
        yield os.environ | {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": PATH}
    finally:
        subprocess.run([SETUP, "stop", folder], check=True)


def submit(folder: Path, environment: Mapping[str, str]) -> str:
    """Submits a run of two tasks into a folder, and returns the number of its job."""
    words = [sys.executable, "-m", "jaxnn", "slurm", *TRAIN[3:], "--tasks", "2", "--submit", "--out", "run"]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()[-1]


def requeue(folder: Path, job: str, environment: Mapping[str, str], later: float) -> None:
    """Sends a job back to the queue, so many seconds after its run has begun."""
    wait_for((folder / "run" / "manifest.json").exists, seconds=QUEUE)
    time.sleep(later)
    subprocess.run(["scontrol", "requeue", job], env=environment, check=True)


def wait_for_job(job: str, environment: Mapping[str, str]) -> None:
    """Waits until a job has left the queue."""

    def has_left() -> bool:
        asked = ["squeue", "-h", "-j", job]
        return not subprocess.run(asked, env=environment, capture_output=True, text=True, check=False).stdout.strip()

    try:
        wait_for(has_left, seconds=QUEUE)
    finally:  # so that it does not stand in the way of the next one
        subprocess.run(["scancel", job], env=environment, check=False)


def run_on_two_nodes(folder: Path) -> Path:
    """The run of a task on each of two nodes of a Slurm cluster, which is one host in a network namespace.

    Raises `CannotRunError` where this machine has no Slurm or gives no network namespace.
    """
    check_slurm()
    words = [sys.executable, "-m", "jaxnn", "slurm", *TRAIN[3:], "--nodes", "2", "--submit", "--out", "run"]
    script = Path(__file__).with_name("two_nodes.sh")
    environment = os.environ | {"PATH": PATH}
    done = subprocess.run([script, folder, *words], cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode == NO_NAMESPACES:
        raise CannotRunError(f"no network namespaces here: {done.stderr[-200:]}")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "run"


def run_by_mpi(folder: Path) -> Path:
    """The run of two processes of two devices each, under Open MPI."""
    command = ["mpirun", "-n", "2", "--allow-run-as-root", "--oversubscribe", *TRAIN]
    words = [*command, "--devices", "2", "--cluster", "mpi", "--out", str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return folder


def cut_link(folder: Path) -> list[Cut]:
    """Trains on two hosts, cuts the link between them in mid-epoch, and how each rank ends.

    Raises `CannotRunError` where this machine gives no network namespaces.
    """
    if os.geteuid() or shutil.which("ip") is None:
        raise CannotRunError("needs root and ip")
    train = [*TRAIN, "--train.epochs", "100000", "--heartbeat", str(HEARTBEAT), "--wait", "60"]
    script = Path(__file__).with_name("two_hosts.sh")
    done = subprocess.run(
        [script, folder, *train, "--out", str(folder / "run")], capture_output=True, text=True, timeout=200
    )
    if done.returncode == NO_NAMESPACES:
        raise CannotRunError(f"no network namespaces here: {done.stderr[-200:]}")
    cuts = []
    for line in done.stdout.splitlines():
        rank, status, milliseconds, text = line.split(" ", 3)
        cuts.append(Cut(int(rank), int(status), int(milliseconds) / 1000, text))
    return cuts
