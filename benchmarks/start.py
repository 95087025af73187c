"""How long `jaxnn train` takes as a process, first with nothing compiled before, then again."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.results_file import Finding, Ratio
from benchmarks.timing import of_times

ROUNDS = 5


def finding(title: str) -> Finding:
    cold, warm = [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            cold.append(seconds(Path(folder)))
            warm.append(seconds(Path(folder)))
    timings = [of_times("cold", "digits_mlp", cold), of_times("warm", "digits_mlp", warm)]
    ratios = [
        Ratio("cold, seconds", timings[0].seconds, 8),
        Ratio("warm, seconds", timings[1].seconds, 4, timings[1].seconds),
    ]
    return Finding("start", title, "process", timings, ratios, {})


def seconds(folder: Path) -> float:
    """One `jaxnn train` that finds its cache in `folder`. Raises CalledProcessError if it fails."""
    command = [sys.executable, "-m", "jaxnn", "train", "--out", "run", "--overwrite"]
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    return time.perf_counter() - began
