"""Runs of several processes for the tests: how they are started, and what they leave."""

import hashlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

#: A run with dropout, whose batches no number of processes divides.
TRAIN = [
    sys.executable, "-m", "jaxnn", "train", "digits_mlp", "--train.epochs", "60", "--checkpoint.epochs", "5",
    "--train.reduction", "ordered", "--train.batch-size", "30",
]  # fmt: skip


def run_alone(folder: Path) -> Path:
    """The run of one process."""
    subprocess.run([*TRAIN, "--out", str(folder)], check=True, capture_output=True)
    return folder


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of the weights and the history of a finished run, and of its last checkpoint."""
    files = [folder / name for name in ("best.safetensors", "last.safetensors", "history.csv")]
    files += sorted((folder / "checkpoints").glob("*/state.safetensors"))[-1:]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def children(launched: subprocess.Popen) -> list[int]:
    """The numbers of the processes of a launcher by their ranks."""
    ranks = {}
    for word in Path(f"/proc/{launched.pid}/task/{launched.pid}/children").read_text().split():
        try:
            entries = Path(f"/proc/{word}/environ").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
        for entry in entries:
            if entry.startswith(b"JAXNN_RANK="):
                ranks[int(entry.partition(b"=")[2])] = int(word)
    return [ranks[rank] for rank in sorted(ranks)]


def is_running(pid: int) -> bool:
    """Whether a process lives; one that only its parent has not asked about does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition: Callable[[], bool], launched: subprocess.Popen | None = None, seconds: float = 90) -> None:
    """Waits until a condition holds; fails where the launcher, if there is one, ends before."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert launched is None or launched.poll() is None, "the launcher has ended"
        assert time.monotonic() < deadline, "too late"
        time.sleep(0.05)
