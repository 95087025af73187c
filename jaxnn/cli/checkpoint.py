"""`jaxnn checkpoint list|inspect|diff|verify RUN`: needs no device, and checks every file before it reads it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from jaxnn.cli.rerun import compare
from jaxnn.cli.run_arguments import Checkpoint
from jaxnn.cli.tables import print_table
from jaxnn.errors import UserError, plural
from jaxnn.report.cells import NO_VALUE
from jaxnn.runs import checkpoints
from jaxnn.runs import folder as run_folder
from jaxnn.storage.arrays import load_arrays


def run(command: Checkpoint) -> None:
    from jaxnn.sweep.folder import best_run

    command = replace(command, run=best_run(command.run))
    {"list": list_checkpoints, "inspect": inspect, "diff": diff, "verify": verify}[command.action](command)


def list_checkpoints(command: Checkpoint) -> None:
    """A row for each checkpoint on the disk."""
    run_folder.read_manifest(command.run)
    rows = []
    for path in checkpoints.paths(command.run):
        row: dict[str, Any] = {"steps": int(path.name), "epoch": "", "best epoch": "", "score": "", "MiB": ""}
        try:
            facts = checkpoints.read(path).facts
            size = (path / checkpoints.STATE).stat().st_size / 2**20
            row |= {"epoch": per_seed_text(facts["epoch"]), "best epoch": per_seed_text(facts["best_epoch"])}
            row |= {"score": per_seed_text(facts["score"]), "MiB": round(size, 3), "state": "valid"}
        except UserError as error:
            row["state"] = str(error)
        rows.append(row)
    print_table(f"Checkpoints of {command.run}", rows, command.json)


def per_seed_text(values: Sequence[Any]) -> str:
    """A value for each seed; only one where all are the same."""
    words = [NO_VALUE if value is None else f"{value:.6g}" for value in values]
    return words[0] if len(set(words)) == 1 else ", ".join(words)


def chosen_paths(command: Checkpoint, count: int) -> list[Path]:
    """The checkpoints named by their steps, or the newest ones. Raises `UserError` where there are not enough."""
    existing = checkpoints.paths(command.run)
    if not command.which:
        if len(existing) < count:
            raise UserError(f"{command.run}: expected {count} checkpoints or more, found {len(existing)}")
        return existing[-count:]
    if len(command.which) != count:
        raise UserError(f"expected the steps of {plural(count, 'checkpoint')}, found {len(command.which)}")
    by_steps = {str(int(path.name)): path for path in existing}
    for steps in command.which:
        if steps.replace(",", "").lstrip("0") not in by_steps and steps not in by_steps:
            raise UserError(f"{command.run}: expected steps among {', '.join(by_steps)}, found {steps}")
    return [by_steps.get(steps) or by_steps[steps.replace(",", "").lstrip("0")] for steps in command.which]


def inspect(command: Checkpoint) -> None:
    """A row for each array of a checkpoint."""
    run_folder.read_manifest(command.run)
    (path,) = chosen_paths(command, 1)
    facts = checkpoints.read(path).facts
    rows = []
    for name, array in load_arrays(path / checkpoints.STATE).items():
        numbers = array.astype(np.float64) if np.issubdtype(array.dtype, np.number) and array.size else None
        rows.append(
            {
                "array": name,
                "type": facts["keys"].get(name, array.dtype.name),
                "shape": "×".join(map(str, array.shape)) or NO_VALUE,
                "minimum": NO_VALUE if numbers is None else float(numbers.min()),
                "maximum": NO_VALUE if numbers is None else float(numbers.max()),
                "SHA-256": facts["arrays"][name]["sha256"][:12],
            }
        )
    print_table(f"{path}", rows, command.json, facts={"facts": facts})


def diff(command: Checkpoint) -> None:
    """A row for each array that differs between two checkpoints."""
    run_folder.read_manifest(command.run)
    first, second = chosen_paths(command, 2)
    for path in (first, second):
        checkpoints.read(path)
    arrays = [load_arrays(path / checkpoints.STATE) for path in (first, second)]
    rows = [row for row in compare("", *arrays) if not row["equal"]]
    rows = [{"array": row["array"], "largest difference": row["largest difference"]} for row in rows]
    title = f"Differences between {first.name} and {second.name}: {len(rows)} of {len(arrays[0])} arrays"
    print_table(title, rows, command.json)


def verify(command: Checkpoint) -> None:
    """A row for each file of a run. Raises `UserError` when any is damaged, missing or was not written by the run."""
    rows, bad = examine_files(command.run), 0
    for row in rows:
        bad += row["state"] != "valid"
    print_table(f"Files of {command.run}", rows, command.json)
    if bad:
        raise UserError(f"{command.run}: expected {len(rows)} valid files, found {bad} that are not (see the table)")


def examine_files(run: Path) -> list[dict[str, str]]:
    """Each file of a run with its state: valid, or what is wrong with it."""
    manifest = run_folder.read_manifest(run)
    expected: dict[str, str] = manifest["files"]
    rows = [{"file": run_folder.MANIFEST, "state": "valid"}]

    def add_row(name: str, check: Any) -> None:
        try:
            check()
            rows.append({"file": name, "state": "valid"})
        except UserError as error:
            rows.append({"file": name, "state": str(error).removeprefix(f"{run}/")})

    for name in sorted(expected):
        add_row(name, lambda name=name: run_folder.check_file(run, manifest, name))
    for name in sorted(run_folder.files(run) - expected.keys()):
        # An unfinished run writes its results again when it is resumed.
        state = "valid" if manifest["status"] != "finished" else "is not among the files that the run wrote"
        rows.append({"file": name, "state": state})
    for path in checkpoints.paths(run):
        add_row(f"{checkpoints.FOLDER}/{path.name}", lambda path=path: check_checkpoint(path))
    if not any(row["file"].startswith(checkpoints.FOLDER) for row in rows):
        rows.append({"file": checkpoints.FOLDER, "state": "expected at least one checkpoint, found none"})
    return rows


def check_checkpoint(path: Path) -> None:
    """Raises `UserError` unless a checkpoint is undamaged and has no other files."""
    checkpoints.read(path)
    load_arrays(path / checkpoints.STATE)
    others = {file.name for file in path.iterdir()} - {checkpoints.MANIFEST, checkpoints.STATE}
    if others:
        raise UserError(f"{path}: expected no other files, found {', '.join(sorted(others))}")
