"""Training processes killed at random moments, resumed, and compared bit for bit with one that was never killed."""

import signal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxnn.storage.files import read_checksummed_json
from tests.trust.fork_server import ForkServer, reached

#: A few thousand steps of a small net: mid-epoch, with dropout, and as many checkpoints as the disk can take.
SMALL = (
    "digits_mlp", "--net.1.units", "13", "--data.train", "331", "--train.batch_size", "7", "--train.epochs", "199",
    "--checkpoint.minutes", "0.0004", "--net.3.rate", "0.1",
)  # fmt: skip


class Trial(NamedTuple):
    """How a trial went: how often the process was killed, what it left, whether the result was bit-equal."""

    kills: int
    steps: list[int]
    equal: bool
    said: str


def command(out: Path) -> tuple[object, ...]:
    return ("train", *SMALL, "--out", out)


def result(run: Path) -> dict[str, bytes]:
    """What must be equal to the bit: parameters, best and last, and the history as it is shown."""
    names = ("best.safetensors", "last.safetensors", "history.csv")
    return {name: (run / name).read_bytes() for name in names}


def state(run: Path) -> dict[str, str]:
    """The SHA-256 of every array of the last checkpoint: all that a next step would read."""
    last = max((run / "checkpoints").iterdir())
    return {name: about["sha256"] for name, about in read_checksummed_json(last / "manifest.json")["arrays"].items()}


class Whole(NamedTuple):
    """The run never killed: what it left, its seconds, its steps."""

    left: Any
    seconds: float
    steps: int


def random_kill(draw: np.random.Generator, out: Path, whole: Whole) -> dict[str, Any]:
    """A kill as an option of `ForkServer.run`: at a moment of the run's time, or after a step of its training.

    Of the time the greater part is start and end, where a fast machine has half of all kills; hence the steps.
    """
    if draw.random() < 0.5:
        return {"signals": [(float(draw.uniform(0, whole.seconds)), signal.SIGKILL)]}
    step, later = int(draw.integers(whole.steps)), float(draw.uniform(0, 0.05))
    return {"once": [out, signal.SIGKILL], "step": step, "later": later}


def trial(fork_server: ForkServer, out: Path, whole: Whole, draw: np.random.Generator, most: int) -> Trial:
    """Kills a run at random, at `most` so often."""
    kills, steps, said = 0, [], ""
    while True:
        words = ("resume", out) if (out / "manifest.json").exists() else command(out)
        answer = fork_server.run(*words, **(random_kill(draw, out, whole) if kills < most else {}))
        said += answer["err"]
        if answer["code"] == 0:
            break
        if answer["code"] != -signal.SIGKILL:
            return Trial(kills, steps, False, said)
        kills += 1
        steps.append(reached(out))
    equal = (result(out), state(out)) == whole.left
    return Trial(kills, steps, equal, said)


def trials(fork_server: ForkServer, folder: Path, count: int, seed: int, most: int) -> list[Trial]:
    """So many trials, after two runs never killed: one to fill the cache and one for the time that a run takes."""
    for name in ("first", "whole"):
        answer = fork_server.run(*command(folder / name))
        assert answer["code"] == 0, answer["err"]
    whole = Whole((result(folder / "whole"), state(folder / "whole")), answer["seconds"], reached(folder / "whole"))
    draw = np.random.default_rng(seed)
    return [trial(fork_server, folder / f"{i}", whole, draw, most) for i in range(count)]
