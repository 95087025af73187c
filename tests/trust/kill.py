"""Training processes killed at random moments, resumed, and compared bit for bit with one that was never killed."""

import signal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxnn.files import read_sealed
from tests.trust.zygote import Zygote

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
    return {name: about["sha256"] for name, about in read_sealed(last / "manifest.json")["arrays"].items()}


def trial(zygote: Zygote, out: Path, seconds: float, draw: np.random.Generator, expected: Any, most: int) -> Trial:
    """Kills a run at uniformly random moments of its time, at `most` so often; `expected` is the run never killed."""
    kills, steps, said = 0, [], ""
    while True:
        words = ("resume", out) if (out / "manifest.json").exists() else command(out)
        moment = float(draw.uniform(0, seconds))
        signals = [(moment, signal.SIGKILL)] if kills < most else []
        answer = zygote.run(*words, signals=signals)
        said += answer["err"]
        if answer["code"] == 0:
            break
        if answer["code"] != -signal.SIGKILL:
            return Trial(kills, steps, False, said)
        kills += 1
        if (out / "checkpoints").exists():
            steps.append(max((int(p.name) for p in (out / "checkpoints").iterdir() if p.name.isdigit()), default=-1))
    equal = (result(out), state(out)) == expected
    return Trial(kills, steps, equal, said)


def trials(zygote: Zygote, folder: Path, count: int, seed: int, most: int) -> list[Trial]:
    """So many trials, after two runs never killed: one to fill the cache and one for the time that a run takes."""
    for name in ("first", "whole"):
        answer = zygote.run(*command(folder / name))
        assert answer["code"] == 0, answer["err"]
    expected = result(folder / "whole"), state(folder / "whole")
    draw = np.random.default_rng(seed)
    return [trial(zygote, folder / f"{i}", answer["seconds"], draw, expected, most) for i in range(count)]
