"""A data set 8 times the memory that a process may still take: `python -m tests.scale.memory [MEGABYTES [TURNS]]`.

The examples are in an .npy file. Under the limit a process may take so much memory beyond what it has already. The
limit is `RLIMIT_DATA`, which counts what a program allocates and not what is mapped from a file.
"""

import gc
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

import jaxnn
from jaxnn.errors import UserError
from jaxnn.train.random_access import WINDOW_BYTES

#: The memory that is allowed, and how many times of it the set has.
MEGABYTES = 64
TIMES = 8
SIDE = 96
#: glibc before 2.38 leaves holes between aligned blocks of its heap, tens of megabytes that the limit would count.
#: Blocks from this size on are mapped one by one instead; that is slow, so no time is measured with it.
WITHOUT_HOLES = {"MALLOC_MMAP_THRESHOLD_": "1000000"}


MODEL = jaxnn.serial(jaxnn.flatten(), jaxnn.dense(32), jaxnn.relu(), jaxnn.dense(10))
UPDATE = jaxnn.supervised(MODEL, jaxnn.softmax_cross_entropy(), jaxnn.optimizer("adam", 0.001))


def main(megabytes: int = MEGABYTES, turns: int = 4) -> dict[str, Any]:
    """Trains with the examples in their file under the limit, then with them there and in memory, in turns."""
    allowed = megabytes << 20
    count = TIMES * allowed // (SIDE * SIDE)
    with tempfile.TemporaryDirectory() as scratch:
        write_examples(Path(scratch), count)
        command = [sys.executable, "-m", "tests.scale.memory", "--limit", str(megabytes), scratch]
        under_limit = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=os.environ | WITHOUT_HOLES)
        seconds, made = dict[str, list[float]](stream=[], device=[]), set()
        for turn in range(turns):
            for where, times in seconds.items():
                trained = experiment(*examples(Path(scratch)), where)
                started = time.perf_counter()
                run = jaxnn.fit(trained)
                if turn:  # the first one compiles
                    times.append(time.perf_counter() - started)
                made.add(digest(run))
    limited = json.loads(under_limit.stdout)
    return {
        "bytes": count * SIDE * SIDE,
        "allowed": allowed,
        "equal": made == {limited["digest"]},
        "in memory under the limit": limited["in memory"],
        "times the time in memory": min(seconds["stream"]) / min(seconds["device"]),
        "seconds": seconds,
    }


def train_under_limit(megabytes: int, folder: Path) -> dict[str, str]:
    """The digest of a run whose examples stay in their file, and what one says that takes them into memory."""
    x, y = examples(folder)
    window = megabytes << 15
    # The limit counts the whole stack of a thread, which is 8 MB otherwise; a busy machine starts more threads.
    threading.stack_size(1 << 20)
    jaxnn.fit(experiment(x, y, "stream", window))  # what it compiles is found again
    gc.collect()
    resource.setrlimit(resource.RLIMIT_DATA, (allocated() + (megabytes << 20), resource.RLIM_INFINITY))
    stream = jaxnn.fit(experiment(x, y, "stream", window))
    try:
        jaxnn.fit(experiment(x, y, "device"))
        refused = "not refused"
    except UserError as error:
        refused = str(error)
    return {"digest": digest(stream), "in memory": refused}


def write_examples(folder: Path, count: int) -> None:
    """Images of random pixels and their classes, in two .npy files."""
    draw = np.random.default_rng(0)
    file = np.lib.format.open_memmap(folder / "x.npy", "w+", np.uint8, (count, SIDE, SIDE, 1))
    for start in range(0, count, 4096):
        file[start : start + 4096] = draw.integers(0, 256, file[start : start + 4096].shape, np.uint8)
    file.flush()
    np.save(folder / "y.npy", draw.integers(0, 10, count).astype(np.int32))


def examples(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The images, mapped from their file, and their classes."""
    return np.load(folder / "x.npy", mmap_mode="r"), np.load(folder / "y.npy")


def experiment(x: np.ndarray, y: np.ndarray, where: str, window: int = WINDOW_BYTES) -> jaxnn.Experiment:
    """A small net on images that are in their file, or in memory. window: bytes that are read at a time"""
    if where == "stream":
        source = jaxnn.random_access((x, y), batch_size=128, window_bytes=window)
    else:
        source = jaxnn.in_memory(np.asarray(x), y, batch_size=128)
    return jaxnn.Experiment(UPDATE, source._replace(rows=128), jaxnn.Plan(epochs=1))


def digest(run: jaxnn.Run) -> str:
    """SHA-256 of the parameters and the history."""
    sha = hashlib.sha256()
    for leaf in (*jax.tree.leaves(run.params), run.history["train_loss"]):
        sha.update(np.ascontiguousarray(leaf).tobytes())
    return sha.hexdigest()


def allocated() -> int:
    """The bytes that this process has allocated."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmData")) << 10


if __name__ == "__main__":
    if sys.argv[1:2] == ["--limit"]:
        print(json.dumps(train_under_limit(int(sys.argv[2]), Path(sys.argv[3]))))
    else:
        print(json.dumps(main(*map(int, sys.argv[1:])), indent=2))
