"""The same run in processes that share nothing, on one core or two, and a hash of its results."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from tests.trust.kill import result, state

#: Convolution, pooling and dropout: operations that could add in another order.
WORDS = (
    "train", "digits_cnn", "--train.epochs", "2", "--data.train", "331", "--seeds", "2",
)  # fmt: skip
RUN = """
import sys
from jaxnn.cli import main
from jaxnn.runs import recorder
recorder.run_figures = lambda *a: iter(())
main(sys.argv[1:])
"""


def cores() -> list[int]:
    return sorted(os.sched_getaffinity(0))


def fingerprint(out: Path) -> str:
    """SHA-256 of the parameters, the history and the last state of a run."""
    total = hashlib.sha256()
    for name, content in sorted(result(out).items()):
        total.update(name.encode() + content)
    for name, sha256 in sorted(state(out).items()):
        total.update(f"{name} {sha256}".encode())
    return total.hexdigest()


def train_in_new_process(out: Path, core_count: int) -> str:
    """The fingerprint of a run that a new process trains on so many cores."""
    allowed = set(cores()[:core_count])
    subprocess.run(
        [sys.executable, "-c", RUN, *WORDS, "--out", str(out)],
        check=True,
        capture_output=True,
        timeout=300,
        preexec_fn=lambda: os.sched_setaffinity(0, allowed),
        # Each process compiles its own programs, so that it reads nothing that another computed.
        env=os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "false"},
    )
    return fingerprint(out)


def fingerprints(folder: Path, processes: int) -> list[str]:
    """The fingerprints of so many processes, alternately on one core and on two."""
    return [train_in_new_process(folder / f"{i}", 1 + i % 2) for i in range(processes)]
