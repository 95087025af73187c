"""The same run in processes that share nothing, on one core or two: the sums of what came of it."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from tests.trust.kill import result, state

#: Convolution, pooling and dropout: what could add up in another order.
WORDS = (
    "train", "digits_cnn", "--train.epochs", "2", "--data.train", "331", "--seeds", "2",
)  # fmt: skip
RUN = """
import sys
from jaxnn.cli import main
from jaxnn.report import figures as run_figures
run_figures.pictures = lambda *a: iter(())
main(sys.argv[1:])
"""


def cores() -> list[int]:
    return sorted(os.sched_getaffinity(0))


def fingerprint(out: Path) -> str:
    """SHA-256 of parameters, history and the last state of a run."""
    total = hashlib.sha256()
    for name, content in sorted(result(out).items()):
        total.update(name.encode() + content)
    for name, sha256 in sorted(state(out).items()):
        total.update(f"{name} {sha256}".encode())
    return total.hexdigest()


def fresh(out: Path, count: int) -> str:
    """The fingerprint of a run made by a fresh process on so many cores."""
    some = set(cores()[:count])
    subprocess.run(
        [sys.executable, "-c", RUN, *WORDS, "--out", str(out)],
        check=True,
        capture_output=True,
        timeout=300,
        preexec_fn=lambda: os.sched_setaffinity(0, some),
        # Each compiles by itself: nothing that another computed is read.
        env=os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "false"},
    )
    return fingerprint(out)


def fingerprints(folder: Path, processes: int) -> list[str]:
    """Of so many processes, in turn on one core and on two."""
    return [fresh(folder / f"{i}", 1 + i % 2) for i in range(processes)]
