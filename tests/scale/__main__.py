"""Measures runs over several devices and processes, and prints each figure beside its goal: `python -m tests.scale`.

`python -m tests.scale --short` takes three minutes: fewer kills, and the ordered perceptron alone in two layouts. A
result that is wrong is exit status 1. A time depends on the machine: it is printed beside its goal, and no more.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax
import numpy as np
from safetensors.numpy import load_file

from jaxnn.config import load
from jaxnn.config.experiment import make_experiment
from jaxnn.sweep.folder import read_results
from jaxnn.train.sharing import Sharing
from tests.scale import clusters
from tests.scale.collectives import count_collectives
from tests.scale.memory import MEGABYTES
from tests.scale.misconfigurations import MARGIN, WAIT, misconfigurations, outcome
from tests.scale.processes import TRAIN, children, digests, wait_for
from tests.scale.workers import shared_sweep, sweep_words

#: (processes, devices of each); the short form has the first two.
LAYOUTS = ((1, 1), (2, 4), (1, 8), (4, 2), (8, 1))
#: The nets: a config, and what shortens it to about 50 steps.
NETS = {
    "perceptron with dropout": ["digits_mlp", "--train.epochs", "2", "--train.batch-size", "50"],
    "convolution with dropout": ["digits_cnn", "--train.epochs", "2", "--train.batch-size", "50"],
    "recurrent": ["names_gru", "--train.epochs", "1", "--train.batch-size", "150"],
}


def main(arguments: list[str]) -> None:
    short = "--short" in arguments
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        right = [layouts(name, scratch, short=short) for name in list(NETS)[: 1 if short else None]]
        right.append(collectives())
        right.append(kills(1 if short else 20, scratch))
        right.append(cuts(1 if short else 10, scratch))
        right.append(mistakes(scratch, short=short))
        right.append(mpi(1 if short else 10, scratch))
        if not short:  # Slurm lets a job that was queued again wait for two minutes
            right.append(requeues(10, scratch))
            right.append(nodes(scratch))
        right.append(workers(scratch, short=short))
        if not short:  # sharing costs so little that a short sweep does not show it
            sharing_cost(1000, scratch)
        right.append(stored(turns=2 if short else 4))
    raise SystemExit(0 if all(right) else "a result is wrong")


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


def layouts(name: str, scratch: Path, *, short: bool) -> bool:
    """The same net in every layout: the largest difference in float64, and whether ordered bits are equal."""
    ordered, plain, shapes = [], [], LAYOUTS[: 2 if short else None]
    for processes, devices in shapes:
        place = scratch / f"{name}-{processes}-{devices}".replace(" ", "-")
        if not short:  # the test of devices that share a batch has the same law
            words = [*NETS[name], "--train.precision", "float64"]
            plain.append(load_file(train(words, processes, devices, place.with_suffix(".plain")) / "last.safetensors"))
        words = [*NETS[name], "--train.reduction", "ordered"]
        ordered.append(digests(train(words, processes, devices, place.with_suffix(".ordered"))))
    distances = [
        float(np.abs(run[key] - plain[0][key]).max() / max(1.0, np.abs(plain[0][key]).max()))
        for run in plain[1:]
        for key in plain[0]
    ]
    equal = all(run == ordered[0] for run in ordered)
    shown = ", ".join(f"{p}×{d}" for p, d in shapes)
    largest = f"float64 {max(distances):.1e} (goal 1e-12); " if distances else ""
    say(f"{name}, {shown}: {largest}ordered: {'equal' if equal else 'NOT equal'}")
    return max(distances, default=0.0) <= 1e-12 and equal


def collectives() -> bool:
    """The collective operations in a compiled step that devices share, and in one of several seeds."""
    jax.config.update("jax_num_cpu_devices", 4)
    net = make_experiment(load("digits_cnn"), seeds=(0,))
    shared = [count_collectives(net._replace(sharing=Sharing(4, parts))) for parts in (None, 8)]
    seeds = count_collectives(net._replace(seeds=(0, 1, 2, 3)))
    say(f"collective operations in a step: {shared[0]}; ordered: {shared[1]} (goal 1); four seeds: {seeds} (goal 0)")
    return (*shared, seeds) == (1, 1, 0)


def kills(count: int, scratch: Path) -> bool:
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
    return equal == count


def mistakes(scratch: Path, *, short: bool) -> bool:
    """Mistakes of each kind: in how many all processes end in time, with exit status 2 and one line."""
    right, late, total = 0, 0.0, 0
    for misconfiguration in misconfigurations(scratch)[:: 6 if short else 1]:
        ends = outcome(misconfiguration, scratch)
        total += 1
        right += all(end.is_right for end in ends)
        late = max(late, *(end.seconds - WAIT for end in ends))
        if not all(end.is_right for end in ends):
            say(f"  wrong: {misconfiguration.name}: {ends}")
    say(f"misconfigurations: {right} of {total} exit 2, one line; at most {late:.1f} s beyond --wait (goal {MARGIN:g})")
    return right == total


def cuts(count: int, scratch: Path) -> bool:
    """Runs of two hosts whose link is cut in mid-epoch: in how many both ranks end in time and name each other."""
    right, longest = 0, 0.0
    for i in range(count):
        (folder := scratch / f"cut-{i}").mkdir()
        try:
            ended = clusters.cut_link(folder)
        except clusters.CannotRunError as reason:
            say(f"a link cut between two hosts: not run: {reason}")
            return True
        right += len(ended) == 2 and all(cut.is_right for cut in ended)
        longest = max(longest, *(cut.seconds for cut in ended))
    say(
        f"a link cut between two hosts: {right} of {count} end both ranks, each naming the other; the last "
        f"{longest:.1f} s after the cut (goal: heartbeat {clusters.HEARTBEAT} + 5 s)"
    )
    return right == count


def requeues(count: int, scratch: Path) -> bool:
    """Jobs of Slurm that are sent back to the queue at a random moment: how many end as the run never stopped."""
    whole, rng, jobs = digests(scratch / "whole"), random.Random(0), []
    (scratch / "slurm").mkdir()
    try:
        with clusters.slurm_cluster(scratch / "slurm") as environment:
            for i in range(count):
                (folder := scratch / f"job-{i}").mkdir()
                jobs.append((folder, job := clusters.submit(folder, environment)))
                clusters.requeue(folder, job, environment, rng.uniform(0.3, 3))
            for _, job in jobs:
                clusters.wait_for_job(job, environment)
    except clusters.CannotRunError as reason:
        say(f"Slurm requeue: not run: {reason}")
        return True
    equal = sum(digests(folder / "run") == whole for folder, _ in jobs)
    say(f"Slurm requeue: {equal} of {count} end bit-equal to the run never stopped (goal: all)")
    return equal == count


def nodes(scratch: Path) -> bool:
    """A run of a task on each of two nodes of Slurm: whether it is that of one process."""
    try:
        equal = digests(clusters.run_on_two_nodes(scratch)) == digests(scratch / "whole")
    except clusters.CannotRunError as reason:
        say(f"Slurm, two nodes: not run: {reason}")
        return True
    say(f"Slurm, two nodes of one task: {'bit-equal' if equal else 'NOT equal'} to the run of one process")
    return equal


def mpi(count: int, scratch: Path) -> bool:
    """Runs of two processes of two devices under Open MPI: how many are as the run of one process."""
    if not clusters.HAS_MPI:
        say("Open MPI 2 × 2: not run: needs mpirun")
        return True
    whole = digests(scratch / "whole")
    equal = sum(digests(clusters.run_by_mpi(scratch / f"mpi-{i}")) == whole for i in range(count))
    say(f"Open MPI 2 × 2: {equal} of {count} bit-equal to the run of one process (goal: all)")
    return equal == count


def workers(scratch: Path, *, short: bool) -> bool:
    """A sweep whose workers are killed and stopped: what is lost or done twice."""
    (scratch := scratch / "sweeps").mkdir()
    sizes = {"members": 12, "seeds": 2, "workers": 3} if short else {"members": 1000, "seeds": 4, "workers": 8}
    came, equal, results = shared_sweep(scratch, **sizes, every=2, silence=3 if short else 6)
    say(
        f"sweep of {sizes['members']} members × {sizes['seeds']} seeds, {sizes['workers']} workers, "
        f"{came.kills} SIGKILLs and {came.stops} SIGSTOPs in {came.seconds:.0f} s: {results} results, "
        f"table {'byte-equal' if equal else 'NOT equal'}, unexpected ends {len(came.failed)} (goal: none lost, equal)"
    )
    is_stormy, is_left = came.kills + came.stops >= 3, bool(list((scratch / "storm").rglob(".*")))
    return equal and results == sizes["members"] and not came.failed and is_stormy and not is_left


def sharing_cost(members: int, scratch: Path) -> None:
    """What a folder that others may join costs one worker of a sweep, where nothing is killed."""
    seconds: dict[str, list[float]] = {"--out": [], "--join": []}
    for turn in range(3):
        for option, times in seconds.items():
            folder = scratch / f"turn{option}-{turn}"
            command = [sys.executable, "-m", "jaxnn", *sweep_words(members, seeds=4), option, str(folder)]
            subprocess.run(command, check=True, capture_output=True)
            times.append(read_results(folder)["seconds"])
    cost = min(seconds["--join"]) / min(seconds["--out"]) - 1
    say(f"sharing costs one worker {cost:.1%} where nothing is killed (goal 3 %)")


def stored(turns: int) -> bool:
    """A data set 8 times the memory that a process may still take, in a process of its own."""
    command = [sys.executable, "-m", "tests.scale.memory", str(MEGABYTES), str(turns)]
    measured = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    say(
        f"a set of {measured['bytes'] >> 20} MB, {measured['allowed'] >> 20} MB allowed: "
        f"{'bit-equal' if measured['equal'] else 'NOT equal'} to the set in memory, "
        f"{measured['times the time in memory']:.2f} times its time (goal 1.10)"
    )
    # The limit is one: the same set does not fit into memory.
    is_refused = measured["in memory under the limit"].startswith("out of memory")
    return measured["equal"] and measured["bytes"] > 7.9 * measured["allowed"] and is_refused


if __name__ == "__main__":
    main(sys.argv[1:])
