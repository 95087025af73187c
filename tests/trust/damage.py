"""A run whose files are damaged one at a time: whether it is noticed, and what is taken in its place."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxnn.cli.checkpoint import examined
from jaxnn.config.experiment import first_state
from jaxnn.errors import UserError
from jaxnn.runs import checkpoints
from jaxnn.runs import folder as run_folder
from jaxnn.runs.reopen import experiment_of
from jaxnn.train.state import State
from tests.trust.numbers import cli_precision


class Damage(NamedTuple):
    """One damage to one file, and what of it was not noticed: nothing, if all is well."""

    file: str
    what: str
    silent: list[str]


def expected_state(run: Path) -> State:
    """Shapes and types of what the checkpoints of a run hold."""
    with cli_precision():
        manifest = run_folder.read_manifest(run)
        experiment, _ = experiment_of(run, manifest, None)
        return first_state(experiment, manifest["grad"])


def all_files(run: Path) -> list[Path]:
    """Every file of a run, its checkpoints' too."""
    return sorted(path for path in run.rglob("*") if path.is_file())


def damages(run: Path, flips: int, cuts: int, seed: int) -> Iterator[Damage]:
    """So many bits flipped and files cut short, each alone, the file and the place drawn uniformly; then all is whole
    again."""
    like, files, draw = expected_state(run), all_files(run), np.random.default_rng(seed)
    for i in range(flips + cuts):
        path = files[draw.integers(len(files))]
        whole = path.read_bytes()
        place = int(draw.integers(len(whole)))
        bit = int(draw.integers(8))
        if i < flips:
            new = whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :]
            what = f"bit {bit} of byte {place:,}"
        else:
            new, what = whole[:place], f"cut to {place:,} bytes"
        yield noticed(run, like, path, what, partial(path.write_bytes, new))
        path.write_bytes(whole)


def noticed(run: Path, like: State, path: Path, what: str, harm: Callable[[], object]) -> Damage:
    """What is said after `harm` has been done to a file of a run that was whole."""
    name = path.relative_to(run).as_posix()
    there = [int(path.name) for path in checkpoints.paths(run)]
    manifest = run_folder.read_manifest(run)
    harm()
    silent = []
    if not _said_of(run, name):
        silent.append("verify")
    reader = READERS.get(name)
    if reader is not None and not _refuses(lambda: reader(run, manifest)):
        silent.append(f"the reader of {name}")
    if name.startswith(checkpoints.FOLDER):
        said: list[str] = []
        taken = checkpoints.newest(run, like, said.append).steps
        lost = int(path.parent.name)
        if taken != max(steps for steps in there if steps != lost):
            silent.append(f"resume, which takes step {taken}")
        if lost == max(there) and not (len(said) == 1 and path.parent.name in said[0] and "\n" not in said[0]):
            silent.append("resume, which does not say what it passes over")
    return Damage(name, what, silent)


#: What reads a file before anything is done with it, but for the pages and pictures, which people read.
READERS = {
    run_folder.MANIFEST: lambda run, manifest: run_folder.read_manifest(run),
    run_folder.CONFIG: run_folder.read_config,
    "best.safetensors": lambda run, manifest: run_folder.read_run(run),
    "last.safetensors": lambda run, manifest: run_folder.check_file(run, manifest, "last.safetensors"),
    "history.csv": lambda run, manifest: run_folder.check_file(run, manifest, "history.csv"),
}


def _said_of(run: Path, name: str) -> bool:
    """Whether `jaxnn checkpoint verify` names the file, or its checkpoint, and no other."""
    place = str(Path(name).parent) if name.startswith(checkpoints.FOLDER) else name
    try:
        bad = [row["file"] for row in examined(run) if row["state"] != "sound"]
    except UserError as error:
        return name == run_folder.MANIFEST and name in str(error)
    return bad == [place]


def _refuses(read: Callable[[], object]) -> bool:
    try:
        read()
    except UserError as error:
        return "\n" not in str(error)
    return False
