"""Processes that cannot train together: each must say why in one line, in time, and end with exit status 2."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

#: Seconds that the processes wait for each other.
WAIT = 3.0
#: Seconds beyond the wait in which all must have ended.
MARGIN = 2.0
CONFIG = """title = "points"
[data]
name = "csv"
path = "points.csv"
label = "y"
targets = "numbers"
[[net]]
layer = "dense"
units = 1
[loss]
name = "mean_squared_error"
[optimizer]
name = "sgd"
learning_rate = 0.1
[train]
epochs = 2
batch_size = 4
best = "train.loss"
"""


class Process(NamedTuple):
    """A process of a misconfigured run: what it adds to the command line and to the environment."""

    words: Sequence[str]
    environment: Mapping[str, str]


class Ended(NamedTuple):
    """How a process ended: its exit status, the lines that it printed, and the seconds that it took."""

    status: int
    lines: list[str]
    seconds: float

    @property
    def is_right(self) -> bool:
        return self.status == 2 and len(self.lines) == 1 and self.seconds <= WAIT + MARGIN


def misconfigurations(scratch: Path) -> Iterator[tuple[str, list[Process]]]:
    """What may be wrong, by name, and the processes that are started at once."""
    for i in range(2):
        (scratch / f"host{i}").mkdir(exist_ok=True)
        (scratch / f"host{i}" / "points.csv").write_text("x,y\n" + "".join(f"{j},{i + j}\n" for j in range(16)))
    (scratch / "points.toml").write_text(CONFIG)
    other = scratch / "packages" / "jaxlib-0.0.1.dist-info"
    other.mkdir(parents=True, exist_ok=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: jaxlib\nVersion: 0.0.1\n")
    points = [str(scratch / "points.toml")]
    slurm = {"SLURM_PROCID": "1", "SLURM_STEP_ID": "0", "SLURM_NTASKS": "2", "SLURM_STEP_NUM_NODES": "2"}
    digits = ["digits_mlp"]

    def pair(*differences: Process) -> list[Process]:
        """Ranks 0 and 1 which differ so."""
        port = _free_port()
        return [
            Process(words, {"JAXNN_RANKS": "2", "JAXNN_RANK": str(rank), "JAXNN_RENDEZVOUS": port} | dict(environment))
            for rank, (words, environment) in enumerate(differences)
        ]

    def alone(*words: str, **environment: str) -> list[Process]:
        return [Process([*digits, *words], environment)]

    same = Process(digits, {})
    yield "no rank 0", pair(same, same)[1:]
    yield "no rank 1", pair(same, same)[:1]
    yield "two ranks 0", pair(same, Process(digits, {"JAXNN_RANK": "0"}))
    yield "a rank beyond the last", pair(same, Process(digits, {"JAXNN_RANK": "2"}))[1:]
    yield "another jaxlib", pair(same, Process(digits, {"PYTHONPATH": str(other.parent)}))
    yield "another number of devices", pair(same, Process([*digits, "--devices", "2"], {}))
    yield "another config", pair(same, Process([*digits, "--net.1.units", "9"], {}))
    yield "other seeds", pair(same, Process([*digits, "--seed", "1"], {}))
    yield "other data", pair(*(Process([*points, "--data-dir", str(scratch / f"host{i}")], {}) for i in range(2)))
    yield (
        "data on one host alone",
        pair(
            Process([*points, "--data-dir", str(scratch / "host0")], {}),
            Process([*points, "--data-dir", str(scratch)], {}),
        ),
    )
    yield "a port that is taken", pair(same, same)[:1]
    yield "a loopback name", [Process([*digits, "--cluster", "slurm"], slurm | {"SLURM_STEP_NODELIST": "localhost"})]
    yield "no list of nodes", [Process([*digits, "--cluster", "slurm"], slurm | {"SLURM_STEP_NODELIST": ""})]
    yield "no srun", alone("--cluster", "slurm")
    yield "no mpirun", alone("--cluster", "mpi")
    yield "a meeting place of nobody", alone("--rendezvous", "host:99")
    yield "a meeting place for processes of this host", alone("--processes", "2", "--rendezvous", "a:1")
    yield "no process", alone("--processes", "0")
    yield "a batch of one example for two processes", alone("--processes", "2", "--train.batch-size", "1")


def outcome(name: str, processes: Sequence[Process], scratch: Path) -> list[Ended]:
    """Starts processes at once, and how each ends."""
    with ExitStack() as held:
        if name == "a port that is taken":
            host, _, port = processes[0].environment["JAXNN_RENDEZVOUS"].rpartition(":")
            held.enter_context(socket.create_server((host, int(port))))
        out = scratch / "run"
        shutil.rmtree(out, ignore_errors=True)
        started = [
            (
                time.monotonic(),
                subprocess.Popen(
                    [sys.executable, "-m", "jaxnn", "train", *words, "--wait", f"{WAIT:g}", "--out", str(out)],
                    env=os.environ | environment,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    text=True,
                ),
            )
            for words, environment in processes
        ]
        ends = []
        for begin, process in started:
            _, said = process.communicate(timeout=60)
            lines = [line for line in said.splitlines() if line and "waiting for" not in line]
            ends.append(Ended(process.returncode, lines, time.monotonic() - begin))
    return ends


def _free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"
