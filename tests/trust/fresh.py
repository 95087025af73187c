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
#: SHA-256 of products alone, as `jaxnn` compiles them: of a convolution's patches, and of many terms.
PRODUCTS = """
import hashlib, jax, jaxnn, numpy
draw, found = numpy.random.default_rng(0).normal, hashlib.sha256()
for m, k, n in ((512, 144, 32), (64, 1024, 64)):
    arrays = draw(size=(m, k)).astype("float32"), draw(size=(k, n)).astype("float32")
    product = jax.jit(lambda a, b: a @ b).lower(*arrays).compile(jaxnn.compiler_options())
    found.update(numpy.asarray(product(*arrays)).tobytes())
print(found.hexdigest())
"""
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


def products_depend_on_cores() -> bool:
    """Whether the matrix library of this machine rounds products of its own otherwise on two cores than on one.

    It cuts a product by the sizes of the caches and the number of cores. Where it does, no training can be the same.
    """
    one, two = (_in_new_process(PRODUCTS, core_count) for core_count in (1, 2))
    return one != two


def train_in_new_process(out: Path, core_count: int) -> str:
    """The fingerprint of a run that a new process trains on so many cores."""
    _in_new_process(RUN, core_count, *WORDS, "--out", str(out))
    return fingerprint(out)


def fingerprints(folder: Path, processes: int) -> list[str]:
    """The fingerprints of so many processes, alternately on one core and on two; on two where products depend on it."""
    fewest = 2 if products_depend_on_cores() else 1
    return [train_in_new_process(folder / f"{i}", max(fewest, 1 + i % 2)) for i in range(processes)]


def _in_new_process(code: str, core_count: int, *words: str) -> str:
    """What a new process prints that runs the code on so many cores."""
    allowed = set(cores()[:core_count])
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=lambda: os.sched_setaffinity(0, allowed),
        # Each process compiles its own programs, so that it reads nothing that another computed.
        env=os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "false"},
    ).stdout
