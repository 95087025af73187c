"""Training processes killed at random moments, resumed, and compared bit for bit with a run that was not killed."""

import signal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxnn.cli.checkpoint import examine_files
from jaxnn.storage.files import read_checksummed_json
from tests.trust.fork_server import ForkServer, last_step

#: A few thousand steps of a small net with dropout, and checkpoints within epochs as often as the disk allows.
SMALL = (
    "digits_mlp", "--net.1.units", "13", "--data.train", "331", "--train.batch_size", "7", "--train.epochs", "199",
    "--checkpoint.minutes", "0.0004", "--net.3.rate", "0.1",
)  # fmt: skip


class Trial(NamedTuple):
    """How often the process was killed, the last saved step at each kill, and whether the result was bit-equal."""

    kills: int
    steps: list[int]
    equal: bool
    messages: str


#: The command line that trains it, without the folder.
TRAIN = ("train", *SMALL)


def command(out: Path) -> tuple[object, ...]:
    return (*TRAIN, "--out", out)


def result(run: Path) -> dict[str, bytes]:
    """The files that must be bit-equal: best and last parameters, and the history."""
    names = ("best.safetensors", "last.safetensors", "history.csv")
    return {name: (run / name).read_bytes() for name in names}


def state(run: Path) -> dict[str, str]:
    """The SHA-256 of every array of the last checkpoint: everything that a next step would read."""
    last = max((run / "checkpoints").iterdir())
    return {name: spec["sha256"] for name, spec in read_checksummed_json(last / "manifest.json")["arrays"].items()}


def left_nothing(run: Path) -> bool:
    """Whether every file of a run is as it was written, and the killed processes left no other."""
    return all(row["state"] == "valid" for row in examine_files(run)) and not list(run.rglob(".*"))


class Reference(NamedTuple):
    """The run that was not killed: its results, its seconds and its steps."""

    results: Any
    seconds: float
    steps: int


def random_kill(draw: np.random.Generator, out: Path, reference: Reference) -> dict[str, Any]:
    """A kill as options of `ForkServer.run`: at a random time, or shortly after a random step.

    Most of the time passes at the start and the end of a run, so on a fast machine half of all timed kills fall there.
    Therefore the other half is chosen by step.
    """
    if draw.random() < 0.5:
        return {"signals": [(float(draw.uniform(0, reference.seconds)), signal.SIGKILL)]}
    step, later = int(draw.integers(reference.steps)), float(draw.uniform(0, 0.05))
    return {"once": [out, signal.SIGKILL], "step": step, "later": later}


def trial(
    fork_server: ForkServer,
    out: Path,
    reference: Reference,
    draw: np.random.Generator,
    max_kills: int,
    train: tuple[object, ...] = TRAIN,
) -> Trial:
    """Trains a run, kills it at random up to `max_kills` times, and resumes it until it ends."""
    kills, steps, messages = 0, [], ""
    while True:
        words = ("resume", out) if (out / "manifest.json").exists() else (*train, "--out", out)
        answer = fork_server.run(*words, **(random_kill(draw, out, reference) if kills < max_kills else {}))
        messages += answer["err"]
        if answer["code"] == 0:
            break
        if answer["code"] != -signal.SIGKILL:
            return Trial(kills, steps, False, messages)
        kills += 1
        steps.append(last_step(out))
    equal = (result(out), state(out)) == reference.results
    return Trial(kills, steps, equal, messages)


def trials(
    fork_server: ForkServer, folder: Path, count: int, seed: int, max_kills: int, train: tuple[object, ...] = TRAIN
) -> list[Trial]:
    """So many trials, after two runs without a kill: one fills the compilation cache, one measures the time.

    train: the command line that trains, without the folder
    """
    for name in ("first", "whole"):
        answer = fork_server.run(*train, "--out", folder / name)
        assert answer["code"] == 0, answer["err"]
    reference_folder = folder / "whole"
    reference = Reference(
        (result(reference_folder), state(reference_folder)), answer["seconds"], last_step(reference_folder)
    )
    draw = np.random.default_rng(seed)
    return [trial(fork_server, folder / f"{i}", reference, draw, max_kills, train) for i in range(count)]
