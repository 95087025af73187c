"""Times `jaxnn train` as a whole process, with an empty and then with a filled compilation cache."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.results_file import BenchmarkResult, Ratio
from benchmarks.timing import timing_of_runs

ROUNDS = 5


def measure(title: str) -> BenchmarkResult:
    cold, warm = [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            cold.append(process_seconds(Path(folder)))
            warm.append(process_seconds(Path(folder)))
    timings = [timing_of_runs("cold", "digits_mlp", cold), timing_of_runs("warm", "digits_mlp", warm)]
    ratios = [
        Ratio("cold, seconds", timings[0].seconds, 8),
        Ratio("warm, seconds", timings[1].seconds, 4, timings[1].seconds),
    ]
    return BenchmarkResult("start", title, "process", timings, ratios, {})


def process_seconds(folder: Path) -> float:
    """The seconds of one `jaxnn train` with its cache in `folder`. Raises CalledProcessError if it fails."""
    command = [sys.executable, "-m", "jaxnn", "train", "--out", "run", "--overwrite"]
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    start_time = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    return time.perf_counter() - start_time
