"""A data set 8 times the memory that a process may still take: `python -m tests.scale.memory [MEGABYTES]`.

The examples are in an .npy file. Each run may take so much memory beyond what the process has already; the limit is
`RLIMIT_DATA`, which counts what a program allocates and not what is mapped from a file.
"""

import gc
import json
import resource
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

#: The set has so many times the memory that is allowed.
TIMES = 8
SIDE = 96


MODEL = jaxnn.serial(jaxnn.flatten(), jaxnn.dense(32), jaxnn.relu(), jaxnn.dense(10))
UPDATE = jaxnn.supervised(MODEL, jaxnn.softmax_cross_entropy(), jaxnn.optimizer("adam", 0.001))


def experiment(x: np.ndarray, y: np.ndarray, where: str, window: int = WINDOW_BYTES) -> jaxnn.Experiment:
    """A small net on images that are in their file, or in memory. window: bytes that are read at a time"""
    if where == "stream":
        source = jaxnn.random_access((x, y), batch_size=128, window_bytes=window)
    else:
        source = jaxnn.in_memory(np.asarray(x), y, batch_size=128)
    return jaxnn.Experiment(UPDATE, source._replace(rows=128), jaxnn.Plan(epochs=1))


def allocated() -> int:
    """The bytes that this process has allocated."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmData")) << 10


def main(megabytes: int = 64) -> dict[str, Any]:
    """Trains with the examples in their file and in memory, in turns, and returns what was measured."""
    allowed, window = megabytes << 20, megabytes << 15
    count = TIMES * allowed // (SIDE * SIDE)
    unlimited = resource.getrlimit(resource.RLIMIT_DATA)
    # The limit counts the whole stack of a thread, which is 8 MB otherwise; a busy machine starts more threads.
    threading.stack_size(1 << 20)
    draw = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as scratch:
        file = np.lib.format.open_memmap(Path(scratch) / "x.npy", "w+", np.uint8, (count, SIDE, SIDE, 1))
        for start in range(0, count, 4096):
            file[start : start + 4096] = draw.integers(0, 256, file[start : start + 4096].shape, np.uint8)
        file.flush()
        del file
        x = np.load(Path(scratch) / "x.npy", mmap_mode="r")
        y = draw.integers(0, 10, count).astype(np.int32)
        for where in ("stream", "device"):  # what they compile is found again
            jaxnn.fit(experiment(x, y, where, window))
        gc.collect()
        resource.setrlimit(resource.RLIMIT_DATA, (allocated() + allowed, unlimited[1]))
        stream = jaxnn.fit(experiment(x, y, "stream", window))
        try:
            jaxnn.fit(experiment(x, y, "device"))
            refused = "not refused"
        except UserError as error:
            refused = str(error)
        resource.setrlimit(resource.RLIMIT_DATA, unlimited)
        run, seconds = stream, dict[str, list[float]](stream=[], device=[])
        for turn in range(4):
            for where, times in seconds.items():
                made = experiment(x, y, where)
                started = time.perf_counter()
                run = jaxnn.fit(made)
                if turn:  # the first one compiles
                    times.append(time.perf_counter() - started)
        equal = jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), stream.params, run.params))
        equal &= bool((stream.history["train_loss"] == run.history["train_loss"]).all())
    return {
        "bytes": count * SIDE * SIDE,
        "allowed": allowed,
        "equal": equal,
        "in memory under the limit": refused,
        "times the time in memory": min(seconds["stream"]) / min(seconds["device"]),
        "seconds": seconds,
    }


if __name__ == "__main__":
    print(json.dumps(main(*map(int, sys.argv[1:])), indent=2))
