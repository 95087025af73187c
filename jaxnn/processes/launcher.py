"""Starts the processes of a run on this machine, ends them together, and starts the run again where one has died."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from jaxnn.processes.cluster import FOLDER_FILE, GROUP, PARENT, RANK, RANKS, RENDEZVOUS, free_port
from jaxnn.processes.peers import LOST

#: Seconds that the processes get to end by themselves once one has.
GRACE = 10.0
#: How a process ends because another one has died: by our hand, or by JAX's.
CONSEQUENCES = (LOST, -signal.SIGABRT)
#: What JAX's processes print when another one is gone, line by line, and what ours say of one that has said it itself.
NOISE = re.compile(
    rb"jaxnn: rank \d+: rank \d+ on .* has ended with an error(: .*)?; this process ends|"
    rb"\[Gloo\]|[EFIW]\d{4} [\d:.]+ +\d+ (coordination_service|preemption_sync|client\.h|distributed)|Additional GRPC|"
    rb":UNKNOWN:|RPC: /xla|\*\*\* Check failure|    @ +0x|\s*$"
)
#: Exit statuses after which nothing is started again: success, a mistake of the user, and a signal that asked to stop.
FINAL = (0, 2, 128 + signal.SIGINT, 128 + signal.SIGTERM)


class Launcher:
    """The processes of one run.

    A process that has ended two attempts in a row, as on a broken GPU, is left out of the next: the others go on.

    words(folder) -> the command line of each, after `jaxnn`; folder: of the run to resume, None at the first start
    """

    def __init__(self, words: Callable[[Path | None], Sequence[str]], processes: int, say: Callable[[str], None]):
        self._words, self._say = words, say
        # Of the processes that take part, by rank: the number of each at the first start.
        self._numbers = list(range(processes))
        self._children: list[subprocess.Popen[bytes]] = []
        self._signal: int | None = None
        self._errors: set[bytes] = set()
        self._lock = threading.Lock()

    def run(self, restarts: int) -> int:
        """Runs to the end, and returns the exit status: that of the process that ended first with an error."""
        previous = {number: signal.signal(number, self._forward) for number in (signal.SIGINT, signal.SIGTERM)}
        before: int | None = None
        try:
            with tempfile.TemporaryDirectory(prefix="jaxnn-") as scratch:
                file = Path(scratch) / "folder"
                while True:
                    status, rank = self._attempt(file)
                    if status in FINAL or self._signal is not None:
                        break
                    how = f"signal {-status}" if status < 0 else f"exit status {status}"
                    number, then = self._numbers[rank], "; starts again"
                    if not restarts:
                        then = "; no restart is left"
                    elif number == before and (left := len(self._numbers) - 1):
                        self._numbers.remove(number)
                        then = f", the second time; starts again with {left} process{'es' if left > 1 else ''}"
                    self._say(f"rank {rank} has ended with {how}{then}")
                    if not restarts:
                        break
                    restarts, before = restarts - 1, number
                return 128 - status if status < 0 else status
        finally:
            self._end()
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _forward(self, number: int, frame: object) -> None:
        del frame
        self._signal = number
        for child in self._children:
            with suppress(OSError):
                child.send_signal(number)

    def _attempt(self, file: Path) -> tuple[int, int]:
        """Starts all processes and waits for them. Returns the exit status and the rank of the first that failed."""
        folder = Path(file.read_text()) if file.exists() else None
        words = self._words(folder if folder is not None and (folder / "manifest.json").is_file() else None)
        port = free_port("127.0.0.1")
        pumps = []
        self._children, self._errors = [], set()
        for rank, number in enumerate(self._numbers):
            environment = os.environ | {
                RANK: str(rank),
                RANKS: str(len(self._numbers)),
                GROUP: str(number),
                RENDEZVOUS: f"127.0.0.1:{port}",
                FOLDER_FILE: str(file),
                PARENT: str(os.getpid()),
            }
            child = subprocess.Popen(
                [sys.executable, "-m", "jaxnn", *words],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # A Ctrl-C of the terminal comes through the launcher, once.
                start_new_session=True,
            )
            self._children.append(child)
            for source, target in ((child.stdout, sys.stdout), (child.stderr, sys.stderr)):
                pump = threading.Thread(target=self._copy, args=(rank, source, target), daemon=True)
                pump.start()
                pumps.append(pump)
        status, rank = self._wait()
        for pump in pumps:
            pump.join(GRACE)
        return status, rank

    def _wait(self) -> tuple[int, int]:
        """Waits for the end of all. The first that fails by itself, and not because it lost another, is the cause."""
        failed: list[tuple[int, int]] = []
        running, deadline = dict(enumerate(self._children)), None
        while running:
            for rank, child in list(running.items()):
                status = child.poll()
                if status is None:
                    continue
                del running[rank]
                if status:
                    failed.append((status, rank))
                    deadline = deadline or time.monotonic() + GRACE
            if deadline is not None and time.monotonic() > deadline:
                self._end()
            time.sleep(0.02)
        causes = [(status, rank) for status, rank in failed if status not in CONSEQUENCES] or failed
        return causes[0] if causes else (0, 0)

    def _end(self) -> None:
        for child in self._children:
            if child.poll() is None:
                child.kill()
                child.wait()

    def _copy(self, rank: int, source: IO[bytes], target: IO[str]) -> None:
        """Copies the lines of a process, each with its rank; an error that several have alike once."""
        for line in source:
            if NOISE.match(line):
                continue
            if target is sys.stderr:
                with self._lock:
                    known = line in self._errors
                    self._errors.add(line)
                if known:
                    continue
            with suppress(OSError, ValueError):
                target.write(f"[{rank}] {line.decode(errors='replace')}")
                target.flush()
