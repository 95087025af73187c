"""Measures runs over several devices and processes, and prints each figure beside its goal: `python -m tests.scale`.

`python -m tests.scale --short` takes under four minutes: fewer kills, and the perceptron alone in every layout.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from jaxnn.sweep.folder import read_results
from tests.scale.processes import TRAIN, children, digests, wait_for
from tests.scale.workers import shared_sweep

#: (processes, devices of each)
LAYOUTS = ((1, 1), (1, 8), (2, 4), (4, 2), (8, 1))
#: The nets: a config, and what shortens it to about 50 steps.
NETS = {
    "perceptron with dropout": ["digits_mlp", "--train.epochs", "2", "--train.batch-size", "50"],
    "convolution with dropout": ["digits_cnn", "--train.epochs", "2", "--train.batch-size", "50"],
    "recurrent": ["names_gru", "--train.epochs", "1", "--train.batch-size", "150"],
}


def main(arguments: list[str]) -> None:
    short = "--short" in arguments
    with tempfile.TemporaryDirectory() as scratch:
        for name in list(NETS)[: 1 if short else None]:
            layouts(name, Path(scratch))
        kills(2 if short else 20, Path(scratch))
        misconfigurations(Path(scratch))
        workers(Path(scratch), short=short)
        stored(64)


def say(line: str) -> None:
    print(line, flush=True)


def train(words: list[str], processes: int, devices: int, out: Path) -> Path:
    """A run in a layout."""
    layout = ["--devices", str(devices), *(["--processes", str(processes)] if processes > 1 else [])]
    command = [sys.executable, "-m", "jaxnn", "train", *words, *layout, "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return out


def layouts(name: str, scratch: Path) -> None:
    """The same net in every layout: the largest difference in float64, and whether ordered bits are equal."""
    ordered, plain = [], []
    for processes, devices in LAYOUTS:
        place = scratch / f"{name}-{processes}-{devices}".replace(" ", "-")
        words = [*NETS[name], "--train.precision", "float64"]
        plain.append(load_file(train(words, processes, devices, place.with_suffix(".plain")) / "last.safetensors"))
        words = [*NETS[name], "--train.reduction", "ordered"]
        ordered.append(digests(train(words, processes, devices, place.with_suffix(".ordered"))))
    distance = max(
        float(np.abs(run[key] - plain[0][key]).max() / max(1.0, np.abs(plain[0][key]).max()))
        for run in plain[1:]
        for key in plain[0]
    )
    equal = all(run == ordered[0] for run in ordered)
    shown = ", ".join(f"{p}×{d}" for p, d in LAYOUTS)
    print(
        f"{name}, {shown}: float64 {distance:.1e} (goal 1e-12); ordered: {'equal' if equal else 'NOT equal'}",
        flush=True,
    )


def kills(count: int, scratch: Path) -> None:
    """Runs of which a random process is killed at a random moment: how many end as the run that was never stopped."""
    subprocess.run([*TRAIN, "--out", str(scratch / "whole")], check=True, capture_output=True)
    whole, equal, rng = digests(scratch / "whole"), 0, random.Random(0)
    for i in range(count):
        folder = scratch / f"killed-{i}"
        launched = subprocess.Popen(
            [*TRAIN, "--processes", "3", "--out", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(lambda folder=folder: (folder / "manifest.json").exists(), launched)
        time.sleep(rng.uniform(0, 4))
        with_ranks = children(launched)
        os.kill(with_ranks[rng.randrange(len(with_ranks))], signal.SIGKILL)
        equal += launched.wait() == 0 and digests(folder) == whole
    say(f"SIGKILL of a random rank: {equal} of {count} end bit-equal to the run never killed (goal: all)")


def misconfigurations(scratch: Path) -> None:
    """Mistakes of each kind: how many end with exit status 2 and one line, and the longest time beyond the wait."""
    right, total, longest = 0, 0, 0.0
    for words, environment in _mistakes(scratch):
        started = time.monotonic()
        command = [sys.executable, "-m", "jaxnn", "train", "digits_mlp", "--train.epochs", "1", *words, "--wait", "3"]
        done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
        lines = [line for line in done.stderr.splitlines() if line and "waiting" not in line]
        total += 1
        right += done.returncode == 2 and len(lines) == 1
        longest = max(longest, time.monotonic() - started - 3)
        if done.returncode != 2 or len(lines) != 1:
            print("  wrong:", words, environment, done.returncode, lines)
    print(
        f"misconfigurations: {right} of {total} exit 2 with one line; at most {longest:.1f} s beyond --wait (goal 2)",
        flush=True,
    )


def workers(scratch: Path, *, short: bool) -> None:
    """A sweep whose workers are killed and stopped, and what sharing costs where nothing is killed."""
    sizes = {"members": 40, "seeds": 2, "workers": 3} if short else {"members": 1000, "seeds": 4, "workers": 8}
    came, equal, results = shared_sweep(scratch, **sizes, every=2, silence=3 if short else 6)
    say(
        f"sweep of {sizes['members']} members × {sizes['seeds']} seeds, {sizes['workers']} workers, "
        f"{came.kills} SIGKILLs and {came.stops} SIGSTOPs in {came.seconds:.0f} s: {results} results, "
        f"table {'byte-equal' if equal else 'NOT equal'}, unexpected ends {len(came.failed)} (goal: none lost, equal)"
    )
    words = ["sweep", "digits_mlp", "--train.epochs", "2", "--search", "random", "--trials", str(sizes["members"])]
    words += ["--seeds", "4", "--draw", "optimizer.learning_rate=log-uniform(0.0001,0.1)"]
    seconds: dict[str, list[float]] = {"--out": [], "--join": []}
    for turn in range(3):
        for option, times in seconds.items():
            folder = scratch / f"turn{option}-{turn}"
            command = [sys.executable, "-m", "jaxnn", *words, option, str(folder)]
            subprocess.run(command, check=True, capture_output=True)
            times.append(read_results(folder)["seconds"])
    cost = min(seconds["--join"]) / min(seconds["--out"]) - 1
    say(f"sharing costs one worker {cost:.1%} where nothing is killed (goal 3 %)")


def stored(megabytes: int) -> None:
    """A data set 8 times the memory that a process may still take, in a process of its own."""
    command = [sys.executable, "-m", "tests.scale.memory", str(megabytes)]
    measured = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    say(
        f"a set of {measured['bytes'] >> 20} MB, {megabytes} MB allowed: "
        f"{'bit-equal' if measured['equal'] else 'NOT equal'} to the set in memory, "
        f"{measured['times the time in memory']:.2f} times its time (goal 1.10)"
    )


def _mistakes(scratch: Path) -> Iterator[tuple[list[str], dict[str, str]]]:
    own = {"JAXNN_RANKS": "2", "JAXNN_RENDEZVOUS": "127.0.0.1:28711"}
    slurm = {"SLURM_PROCID": "1", "SLURM_STEP_ID": "0", "SLURM_NTASKS": "2", "SLURM_STEP_NUM_NODES": "2"}
    yield ["--processes", "0"], {}
    yield ["--processes", "2", "--rendezvous", "a:1"], {}
    yield ["--processes", "2", "--train.batch-size", "1"], {}
    yield ["--processes", "2", "--train.on-nonfinite", "rollback"], {}
    yield ["--cluster", "slurm"], {}
    yield ["--cluster", "mpi"], {}
    yield ["--rendezvous", "host:99"], {}
    yield [], own | {"JAXNN_RANK": "1"}  # no rank 0
    yield [], own | {"JAXNN_RANK": "0"}  # no rank 1
    yield [], own | {"JAXNN_RANK": "2"}
    yield ["--cluster", "slurm"], slurm | {"SLURM_STEP_NODELIST": "localhost"}  # a loopback name
    yield ["--cluster", "slurm"], slurm | {"SLURM_STEP_NODELIST": ""}


if __name__ == "__main__":
    main(sys.argv[1:])
