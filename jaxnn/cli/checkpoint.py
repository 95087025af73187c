"""`jaxnn checkpoint list|inspect|diff|verify RUN`: needs no device and trusts nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxnn.cli.arguments import Checkpoint
from jaxnn.cli.rerun import compare
from jaxnn.cli.tables import print_table
from jaxnn.errors import UserError, plural
from jaxnn.runs import checkpoints
from jaxnn.runs import folder as run_folder
from jaxnn.storage.arrays import load_arrays


def run(command: Checkpoint) -> None:
    {"list": listed, "inspect": inspect, "diff": diff, "verify": verify}[command.action](command)


def listed(command: Checkpoint) -> None:
    """A row for each checkpoint on the disk."""
    run_folder.read_manifest(command.run)
    rows = []
    for path in checkpoints.paths(command.run):
        row: dict[str, Any] = {"steps": int(path.name), "epoch": "", "best epoch": "", "score": "", "MiB": ""}
        try:
            facts = checkpoints.read(path).facts
            size = (path / checkpoints.STATE).stat().st_size / 2**20
            row |= {"epoch": shown(facts["epoch"]), "best epoch": shown(facts["best_epoch"])}
            row |= {"score": shown(facts["score"]), "MiB": round(size, 3), "state": "sound"}
        except UserError as error:
            row["state"] = str(error)
        rows.append(row)
    print_table(f"Checkpoints of {command.run}", rows, command.json)


def shown(values: Sequence[Any]) -> str:
    """A value a seed; one where all are the same."""
    words = ["–" if value is None else f"{value:.6g}" for value in values]
    return words[0] if len(set(words)) == 1 else ", ".join(words)


def chosen(command: Checkpoint, count: int) -> list[Path]:
    """The checkpoints that were named by their steps, or the newest. Raises `UserError` where there are not so many."""
    there = checkpoints.paths(command.run)
    if not command.which:
        if len(there) < count:
            raise UserError(f"{command.run}: expected {count} checkpoints or more, found {len(there)}")
        return there[-count:]
    if len(command.which) != count:
        raise UserError(f"expected the steps of {plural(count, 'checkpoint')}, found {len(command.which)}")
    by_steps = {str(int(path.name)): path for path in there}
    for steps in command.which:
        if steps.replace(",", "").lstrip("0") not in by_steps and steps not in by_steps:
            raise UserError(f"{command.run}: expected steps among {', '.join(by_steps)}, found {steps}")
    return [by_steps.get(steps) or by_steps[steps.replace(",", "").lstrip("0")] for steps in command.which]


def inspect(command: Checkpoint) -> None:
    """A row for each array of a checkpoint."""
    run_folder.read_manifest(command.run)
    (path,) = chosen(command, 1)
    facts = checkpoints.read(path).facts
    rows = []
    for name, array in load_arrays(path / checkpoints.STATE).items():
        numbers = array.astype(np.float64) if np.issubdtype(array.dtype, np.number) and array.size else None
        rows.append(
            {
                "array": name,
                "type": facts["keys"].get(name, array.dtype.name),
                "shape": "×".join(map(str, array.shape)) or "–",
                "least": "–" if numbers is None else float(numbers.min()),
                "greatest": "–" if numbers is None else float(numbers.max()),
                "SHA-256": facts["arrays"][name]["sha256"][:12],
            }
        )
    print_table(f"{path}", rows, command.json, facts={"facts": facts})


def diff(command: Checkpoint) -> None:
    """A row for each array of which two checkpoints differ."""
    run_folder.read_manifest(command.run)
    one, two = chosen(command, 2)
    for path in (one, two):
        checkpoints.read(path)
    arrays = [load_arrays(path / checkpoints.STATE) for path in (one, two)]
    rows = [row for row in compare("", *arrays) if not row["equal"]]
    rows = [{"array": row["array"], "greatest difference": row["greatest difference"]} for row in rows]
    print_table(
        f"What differs from {one.name} to {two.name}: {len(rows)} of {len(arrays[0])} arrays", rows, command.json
    )


def verify(command: Checkpoint) -> None:
    """A row for each file of a run. Raises `UserError` when any is damaged, missing or was not written by the run."""
    rows, bad = examined(command.run), 0
    for row in rows:
        bad += row["state"] != "sound"
    print_table(f"Files of {command.run}", rows, command.json)
    if bad:
        raise UserError(f"{command.run}: expected {len(rows)} sound files, found {bad} that are not (see the table)")


def examined(run: Path) -> list[dict[str, str]]:
    """Each file of a run with its state: sound, or what is wrong with it."""
    manifest = run_folder.read_manifest(run)
    expected: dict[str, str] = manifest["files"]
    rows = [{"file": run_folder.MANIFEST, "state": "sound"}]

    def look(name: str, check: Any) -> None:
        try:
            check()
            rows.append({"file": name, "state": "sound"})
        except UserError as error:
            rows.append({"file": name, "state": str(error).removeprefix(f"{run}/")})

    for name in sorted(expected):
        look(name, lambda name=name: run_folder.check_file(run, manifest, name))
    for name in sorted(run_folder.files(run) - expected.keys()):
        # What a run that is not finished has written of its end is written anew.
        state = "sound" if manifest["status"] != "finished" else "is not among the files that the run wrote"
        rows.append({"file": name, "state": state})
    for path in checkpoints.paths(run):
        look(f"{checkpoints.FOLDER}/{path.name}", lambda path=path: sound(path))
    if not any(row["file"].startswith(checkpoints.FOLDER) for row in rows):
        rows.append({"file": checkpoints.FOLDER, "state": "expected a checkpoint or more, found none"})
    return rows


def sound(path: Path) -> None:
    """Raises `UserError` unless a checkpoint is."""
    checkpoints.read(path)
    load_arrays(path / checkpoints.STATE)
    others = {file.name for file in path.iterdir()} - {checkpoints.MANIFEST, checkpoints.STATE}
    if others:
        raise UserError(f"{path}: expected no other files, found {', '.join(sorted(others))}")
