"""Processes that cannot train together: each must say why in one line, in time, and end with exit status 2."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from jaxnn.processes.cluster import RANK, RANKS, RENDEZVOUS, free_port

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


class Misconfiguration(NamedTuple):
    """Processes that are started at once and cannot train together. taken: a port that another program listens at"""

    name: str
    processes: list[Process]
    taken: int | None = None


class Ended(NamedTuple):
    """How a process ended: its exit status, the lines that it printed, and the seconds that it took."""

    status: int
    lines: list[str]
    seconds: float

    @property
    def is_right(self) -> bool:
        return self.status == 2 and len(self.lines) == 1 and self.seconds <= WAIT + MARGIN


def misconfigurations(scratch: Path) -> list[Misconfiguration]:
    """All that are tried. scratch: a folder for what they need"""
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

    def pair(*differences: Process, port: int | None = None) -> list[Process]:
        """Ranks 0 and 1 which differ so."""
        own = {RANKS: "2", RENDEZVOUS: f"127.0.0.1:{port or free_port('127.0.0.1')}"}
        return [
            Process(words, own | {RANK: str(rank)} | dict(environment))
            for rank, (words, environment) in enumerate(differences)
        ]

    def on_host(folder: Path) -> Process:
        """A process that finds its data in this folder."""
        return Process([*points, "--data-dir", str(folder)], {})

    def under_slurm(nodes: str) -> list[Process]:
        return [Process([*digits, "--cluster", "slurm"], slurm | {"SLURM_STEP_NODELIST": nodes})]

    def alone(*words: str) -> list[Process]:
        return [Process([*digits, *words], {})]

    same, taken = Process(digits, {}), free_port("127.0.0.1")
    return [
        Misconfiguration("no rank 0", pair(same, same)[1:]),
        Misconfiguration("no rank 1", pair(same, same)[:1]),
        Misconfiguration("two ranks 0", pair(same, Process(digits, {RANK: "0"}))),
        Misconfiguration("a rank beyond the last", pair(same, Process(digits, {RANK: "2"}))[1:]),
        Misconfiguration("another jaxlib", pair(same, Process(digits, {"PYTHONPATH": str(other.parent)}))),
        Misconfiguration("another number of devices", pair(same, Process([*digits, "--devices", "2"], {}))),
        Misconfiguration("another config", pair(same, Process([*digits, "--net.1.units", "9"], {}))),
        Misconfiguration("other seeds", pair(same, Process([*digits, "--seed", "1"], {}))),
        Misconfiguration("other data", pair(on_host(scratch / "host0"), on_host(scratch / "host1"))),
        Misconfiguration("data on one host alone", pair(on_host(scratch / "host0"), on_host(scratch))),
        Misconfiguration("a port that is taken", pair(same, port=taken), taken),
        Misconfiguration("a loopback name", under_slurm("localhost")),
        Misconfiguration("no list of nodes", under_slurm("")),
        Misconfiguration("no srun", alone("--cluster", "slurm")),
        Misconfiguration("no mpirun", alone("--cluster", "mpi")),
        Misconfiguration("a meeting place of nobody", alone("--rendezvous", "host:99")),
        Misconfiguration("a meeting place on this host", alone("--processes", "2", "--rendezvous", "a:1")),
        Misconfiguration("no process", alone("--processes", "0")),
        Misconfiguration("a batch of one for two", alone("--processes", "2", "--train.batch-size", "1")),
    ]


def outcome(misconfiguration: Misconfiguration, scratch: Path) -> list[Ended]:
    """How each of the processes ends."""
    with ExitStack() as held:
        if misconfiguration.taken is not None:
            held.enter_context(socket.create_server(("127.0.0.1", misconfiguration.taken)))
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
            for words, environment in misconfiguration.processes
        ]
        ends = []
        for begin, process in started:
            _, said = process.communicate(timeout=60)
            lines = [line for line in said.splitlines() if line and "waiting for" not in line]
            ends.append(Ended(process.returncode, lines, time.monotonic() - begin))
    return ends
