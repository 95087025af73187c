"""A run whose files are damaged one at a time: who detects each damage, and which checkpoint is used instead."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxnn.cli.checkpoint import examine_files
from jaxnn.errors import UserError
from jaxnn.runs import checkpoints
from jaxnn.runs import folder as run_folder
from jaxnn.runs.reopen import read_config, rebuild_experiment
from jaxnn.runs.run import load_run
from tests.trust.precision import cli_precision
from tests.trust.round_trips import Shapes, shapes_of


class Damage(NamedTuple):
    """One damage to one file, and the readers that did not detect it; none if all is well."""

    file: str
    description: str
    undetected_by: list[str]


def expected_shapes(run: Path) -> Shapes:
    """The shapes and types of the arrays in a run's checkpoints."""
    with cli_precision():
        return shapes_of(rebuild_experiment(run, run_folder.read_manifest(run)))


def all_files(run: Path) -> list[Path]:
    """Every file of a run, including those of its checkpoints."""
    return sorted(path for path in run.rglob("*") if path.is_file())


def damages(run: Path, flips: int, cuts: int, seed: int) -> Iterator[Damage]:
    """Flips so many bits and truncates so many files, one at a time, and restores the file after each.

    File and position are drawn uniformly.
    """
    shapes, files, draw = expected_shapes(run), all_files(run), np.random.default_rng(seed)
    for i in range(flips + cuts):
        path = files[draw.integers(len(files))]
        original = path.read_bytes()
        position = int(draw.integers(len(original)))
        bit = int(draw.integers(8))
        if i < flips:
            damaged = original[:position] + bytes([original[position] ^ 1 << bit]) + original[position + 1 :]
            description = f"bit {bit} of byte {position:,}"
        else:
            damaged, description = original[:position], f"cut to {position:,} bytes"
        yield detect(run, shapes, path, description, partial(path.write_bytes, damaged))
        path.write_bytes(original)


def detect(run: Path, shapes: Shapes, path: Path, description: str, harm: Callable[[], object]) -> Damage:
    """Which readers detect `harm` to a file of a run that was intact."""
    name = path.relative_to(run).as_posix()
    steps = [int(path.name) for path in checkpoints.paths(run)]
    manifest = run_folder.read_manifest(run)
    harm()
    undetected_by = []
    if not _verify_names(run, name):
        undetected_by.append("verify")
    for reader_name, reader in READERS.get(name, {}).items():
        if not _refuses(lambda reader=reader: reader(run, manifest)):
            undetected_by.append(f"{reader_name} of {name}")
    if name.startswith(checkpoints.FOLDER):
        messages: list[str] = []
        loaded = checkpoints.load_newest_valid(run, *shapes, messages.append).steps
        lost = int(path.parent.name)
        if loaded != max(step for step in steps if step != lost):
            undetected_by.append(f"resume, which loads step {loaded}")
        if lost == max(steps) and not (
            len(messages) == 1 and path.parent.name in messages[0] and "\n" not in messages[0]
        ):
            undetected_by.append("resume, which does not name the checkpoint that it skips")
    return Damage(name, description, undetected_by)


def load(run: Path, manifest: Mapping[str, Any]) -> object:
    """What `evaluate`, `predict` and `plot` read of a run."""
    del manifest
    with cli_precision():
        return load_run(run)


def check(name: str) -> Callable[[Path, Mapping[str, Any]], object]:
    """What `rerun` reads of a file, besides its content."""
    return lambda run, manifest: run_folder.check_file(run, manifest, name)


#: The readers that check a file before anything uses it. Pages and pictures have none; people read them.
READERS: dict[str, dict[str, Callable[[Path, Mapping[str, Any]], object]]] = {
    run_folder.MANIFEST: {"read_manifest": lambda run, manifest: run_folder.read_manifest(run), "load_run": load},
    run_folder.CONFIG: {"read_config": read_config, "load_run": load},
    "best.safetensors": {"check_file": check("best.safetensors"), "load_run": load},
    "last.safetensors": {"check_file": check("last.safetensors")},
    "history.csv": {"check_file": check("history.csv"), "load_run": load},
}


def _verify_names(run: Path, name: str) -> bool:
    """Whether `jaxnn checkpoint verify` names the file, or its checkpoint, and no other."""
    expected = str(Path(name).parent) if name.startswith(checkpoints.FOLDER) else name
    try:
        bad = [row["file"] for row in examine_files(run) if row["state"] != "valid"]
    except UserError as error:
        return name == run_folder.MANIFEST and name in str(error)
    return bad == [expected]


def _refuses(read: Callable[[], object]) -> bool:
    try:
        read()
    except UserError as error:
        return "\n" not in str(error)
    return False
