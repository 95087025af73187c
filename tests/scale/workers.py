"""Workers that share work over a folder, killed and stopped at random: what comes of it."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from jaxnn.sweep.folder import SWEEP_FILE, read_facts
from tests.trust import fork_server


class Storm(NamedTuple):
    """What came of workers that were killed and stopped. failed: how workers ended that nothing was done to."""

    kills: int
    stops: int
    seconds: float
    failed: tuple[str, ...]


def shared_sweep(
    scratch: Path, *, members: int, seeds: int, workers: int, every: float, silence: float
) -> tuple[Storm, bool, int]:
    """A sweep whose workers are killed and stopped, whether its table is that of one worker, and how many results."""
    words = [*sweep_words(members, seeds), "--silence", str(silence), "--join"]
    whole, out = scratch / "whole", scratch / "storm"
    subprocess.run([sys.executable, "-m", "jaxnn", *words, str(whole)], check=True, capture_output=True)

    def is_finished() -> bool:
        return (out / SWEEP_FILE).exists() and read_facts(out).status == "finished"

    came = storm([*words, str(out)], is_finished, scratch, workers=workers, every=every, silence=silence)
    equal = (out / "sweep.csv").read_bytes() == (whole / "sweep.csv").read_bytes()
    return came, equal, len(list((out / "trials").glob("*.json")))


def sweep_words(members: int, seeds: int) -> list[str]:
    """The command of a sweep of short runs, but for the folder."""
    words = ["sweep", "digits_mlp", "--train.epochs", "2", "--search", "random", "--trials", str(members)]
    return [*words, "--seeds", str(seeds), "--draw", "optimizer.learning_rate=log-uniform(0.0001,0.1)"]


def storm(
    words: Sequence[str],
    is_finished: Callable[[], bool],
    scratch: Path,
    *,
    workers: int,
    every: float,
    silence: float,
    seed: int = 0,
    limit: float = 1200,
) -> Storm:
    """Runs the command in so many processes until the work is done; one of them is killed or stopped every few seconds.

    Each that is killed is replaced by another; each that is stopped goes on after others have taken over its work.
    """
    code = (
        "import sys; from tests.scale.workers import _storm; "
        "_storm(sys.argv[6:], sys.argv[1], *map(float, sys.argv[2:6]))"
    )
    log = scratch / "storm.txt"
    numbers = map(str, (workers, every, silence, seed))
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", code, str(log), *numbers, *words], cwd=Path(__file__).parents[2])
    while process.poll() is None and time.monotonic() - started < limit:
        if is_finished():
            log.with_suffix(".end").touch()
        time.sleep(0.1)
    assert process.wait(10) == 0, "the storm has failed"
    lines = log.read_text().splitlines()
    kills, stops = (sum(line == name for line in lines) for name in ("kill", "stop"))
    return Storm(kills, stops, time.monotonic() - started, tuple(line for line in lines if line.startswith("failed")))


def _storm(words: list[str], log: str, workers: float, every: float, silence: float, seed: float) -> None:
    """Starts, kills, stops and replaces the workers, which are forks of this process, and writes a line for each."""
    fork_server.import_everything()
    rng, lines = random.Random(int(seed)), []
    living: dict[int, float] = {}
    errors = os.open(f"{log}.err", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def start() -> None:
        child = os.fork()
        if child == 0:
            fork_server.run({"words": words, "cwd": str(Path(log).parent), "figures": True}, errors)
        living[child] = 0.0

    for _ in range(int(workers)):
        start()
    end, signalled = Path(log).with_suffix(".end"), time.monotonic()
    while living:
        now = time.monotonic()
        for child in list(living):
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                del living[child]
                code = os.waitstatus_to_exitcode(status)
                if code not in (0, -signal.SIGKILL):
                    lines.append(f"failed with {code}")
                elif code and not end.exists():
                    start()
            elif 0 < living[child] < now or (living[child] and end.exists()):
                os.kill(child, signal.SIGCONT)
                living[child] = 0.0
        free = [child for child, until in living.items() if not until]
        if now - signalled > every and free and not end.exists():
            signalled, chosen = now, rng.choice(free)
            kind = rng.choice(("kill", "stop"))
            os.kill(chosen, signal.SIGKILL if kind == "kill" else signal.SIGSTOP)
            living[chosen] = now + 3 * silence if kind == "stop" else 0.0
            lines.append(kind)
        time.sleep(0.05)
    Path(log).write_text("\n".join(lines))
