"""A run's folder: made at the first step, with a checksummed manifest, and read back by the other commands."""

import math
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import Any

from jaxnn.engine.snapshot import Snapshot
from jaxnn.errors import UserError
from jaxnn.runs import checkpoints
from jaxnn.runs.manifest import FORMAT
from jaxnn.runs.manifest_schema import Facts, FinishedFacts
from jaxnn.storage.files import (
    atomic_directory,
    atomic_write,
    one_line,
    read_checksummed_json,
    sha256,
    write_checksummed_json,
    write_error,
)
from jaxnn.storage.locks import claimed

MANIFEST = "manifest.json"
CONFIG = "config.toml"


def claimed_path(out: Path | None, name: str, *, overwrite: bool) -> AbstractContextManager[Path]:
    """Where the run of the config `name` goes, locked; see `locks.claimed`."""
    return claimed(out, name, kind="run", marker=MANIFEST, overwrite=overwrite)


def create(path: Path, files: Mapping[str, str], manifest: dict[str, Any], start: Snapshot, *, overwrite: bool) -> None:
    """Makes the folder of a run that begins, which the caller has locked: what describes the experiment, its manifest
    and its first checkpoint, all at once.

    files: name -> text, such as the config

    Raises `UserError` where it cannot be written.
    """
    with atomic_directory(path, overwrite=overwrite) as beside:
        for name, text in files.items():
            atomic_write(beside / name, text.encode())
        write_manifest(beside, manifest, files)
        checkpoints.save(beside, manifest["run"], start)


def write_manifest(folder: Path, manifest: dict[str, Any], written: Iterable[str] = ()) -> None:
    """Writes the manifest of a run, and into it the sums of the files that were `written`."""
    manifest["files"] = manifest.get("files", {}) | {name: fsynced_sha256(folder / name) for name in sorted(written)}
    write_checksummed_json(folder / MANIFEST, manifest)


def fsynced_sha256(path: Path) -> str:
    """The SHA-256 of a file that is flushed to the disk. Raises `UserError` if it cannot be."""
    try:
        with path.open("rb") as file:
            os.fsync(file.fileno())
    except OSError as error:
        raise write_error(path, error) from error
    return sha256(path)


def files(folder: Path) -> set[str]:
    """A run's files by their places in the folder, but for the manifest and the checkpoints, which have sums inside."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    return {name for name in names if name != MANIFEST and not name.startswith(f"{checkpoints.FOLDER}/")}


def remove_leftovers(folder: Path, before: float = math.inf) -> None:
    """Removes what a process that was killed left half-written in a run's folder.

    before: what was written later, in seconds of the file server's clock, stays: another process may be writing it
    """
    for directory in (folder, folder / checkpoints.FOLDER, folder / "figures"):
        for path in directory.glob(".*") if directory.is_dir() and not directory.is_symlink() else ():
            if re.fullmatch(r"\..+\.\d+\.[0-9a-f]{8}", path.name) and path.lstat().st_mtime < before:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def reject_symlink(path: Path) -> None:
    """Raises `UserError` for a symbolic link: what is written there would go elsewhere."""
    if path.is_symlink():
        raise UserError(f"{path}: expected a folder, found a symbolic link; remove it")


def check_file(folder: Path, manifest: Mapping[str, Any], name: str) -> Path:
    """The path of one of a run's files. Raises `UserError` unless it is as it was when the manifest was written."""
    path = folder / name
    for parent in PurePosixPath(name).parents[:-1]:
        reject_symlink(folder / parent)
    if sha256(path) != manifest["files"].get(name):
        raise UserError(f"{path}: is damaged: its SHA-256 is not the one in {MANIFEST}")
    return path


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of the run in a folder. Raises `UserError` when it holds none, or one that is damaged."""
    file = folder / MANIFEST
    if not file.is_file():
        raise UserError(f"{folder}: expected a run's folder (made by `jaxnn train`), found no {MANIFEST} there")
    manifest = read_checksummed_json(file)
    if manifest.get("format") != FORMAT:
        raise UserError(
            f"{folder}: expected a run of format {FORMAT}, found {manifest.get('format')}, which another version of "
            "jaxnn wrote; train again"
        )
    try:
        (FinishedFacts if manifest.get("status") == "finished" else Facts).model_validate(manifest, strict=True)
    except ValueError as error:
        raise UserError(f"{file}: expected the manifest of a run, found another: {one_line(error)}") from error
    return manifest
