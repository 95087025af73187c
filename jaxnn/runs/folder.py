"""A run's folder: made at the first step, with a checksummed manifest, and read back by the other commands."""

import math
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from annotated_types import Ge, Len, Lt
from pydantic import AfterValidator, BaseModel, Field, model_validator

from jaxnn.engine.snapshot import Snapshot
from jaxnn.errors import UserError
from jaxnn.runs import checkpoints
from jaxnn.runs.manifest import FORMAT
from jaxnn.storage.arrays import DTYPES
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


#: XLA counts the numbers of an array with 31 bits.
MAX_EXAMPLE = 2**31 - 1


def small_example(shape: list[int]) -> list[int]:
    """The shape of an example. Raises `ValueError` for one that no device can hold."""
    if len(shape) > 32 or math.prod(shape) > MAX_EXAMPLE:
        raise ValueError(f"expected an example of at most {MAX_EXAMPLE:,} numbers, found more")
    return shape


def dtype_name(name: str) -> str:
    """The name of a dtype. Raises `ValueError` for one that no file of arrays may hold."""
    if name not in DTYPES:
        raise ValueError(f"expected the name of a dtype, found {name!r}")
    return name


class TargetFacts(BaseModel):
    """What is read of a manifest's targets. boxes: whether they are `Boxes`, whose labels have this shape."""

    shape: Annotated[list[Annotated[int, Ge(1)]], AfterValidator(small_example)]
    dtype: Annotated[str, AfterValidator(dtype_name)]
    boxes: bool = False


class DataFacts(BaseModel):
    """What is read of a manifest's data."""

    name: str
    sha256: str
    classes: list[str]
    max_value: float
    reader: dict[str, Any] | None = None
    targets: list[str] = []
    example: Annotated[list[Annotated[int, Ge(1)]], AfterValidator(small_example)]
    dtype: Annotated[str, AfterValidator(dtype_name)]
    target: TargetFacts | None = None
    stacked: bool


def relative_name(name: str) -> str:
    """The name of a file relative to a run's folder. Raises `ValueError` for one that leads out of it."""
    path = PurePosixPath(name)
    if not path.name or path.is_absolute() or ".." in path.parts or path.as_posix() != name or not name.isprintable():
        raise ValueError(f"expected the name of a file inside the run's folder, found {name!r}")
    return name


class ExperimentFacts(BaseModel):
    """What is read of the Python file of an experiment."""

    file: str
    name: str
    sha256: str
    overrides: dict[str, float]
    epochs: Annotated[int, Ge(1)] | None = None


class OriginFacts(BaseModel):
    """What is read of the run that a run continues."""

    name: str
    sha256: str
    steps: Annotated[int, Ge(0), Lt(10**12)]


class Facts(BaseModel):
    """What is read of a manifest."""

    run: str
    title: str
    status: Literal["running", "finished", "interrupted", "failed"]
    seeds: Annotated[list[Annotated[int, Ge(0), Lt(2**32)]], Len(1)]
    grad: Literal["hand", "auto", ""]
    precision: Literal["float32", "float64", "bfloat16"]
    data: DataFacts
    experiment: ExperimentFacts | None = None
    origin: Annotated[OriginFacts | None, Field(alias="from")] = None
    plan: dict[str, Any] = {}
    hyperparameters: dict[str, float] = {}
    config: dict[str, Any] | None = None
    command: list[str]
    files: dict[Annotated[str, AfterValidator(relative_name)], str]


class Statistics(BaseModel):
    """What is read of a number over the seeds: a cell of the table of scores."""

    mean: float | None
    sd: float | None
    min: float | None
    max: float | None
    undefined: Annotated[int, Ge(1)] | None = None


class ScoreRow(BaseModel, extra="allow"):
    """What is read of a row of the table of scores: a part of the data, and each metric by its name."""

    part: Literal["train", "validation", "test"]
    examples: Annotated[int, Ge(1)]
    __pydantic_extra__: dict[str, Statistics]  # pyright: ignore[reportIncompatibleVariableOverride]

    @model_validator(mode="after")
    def check_metrics(self) -> "ScoreRow":
        """Raises `ValueError` for a row without metrics."""
        if not self.__pydantic_extra__:
            raise ValueError("expected a row of scores with a metric, found none")
        return self


class Seconds(BaseModel):
    """What is read of the time that a run took."""

    compile: float
    train: float


#: A number for each class, or one number; None where it is not defined.
Value = float | None | list[float | None]


class FinishedFacts(Facts):
    """What is read besides of the manifest of a finished run."""

    best_epoch: list[Annotated[int, Ge(0)]]
    scores: Annotated[list[ScoreRow], Len(1)]
    values: dict[str, dict[str, list[Value]]]
    seconds: Seconds

    @model_validator(mode="after")
    def check_seeds(self) -> "FinishedFacts":
        """Raises `ValueError` unless there is one of everything for each seed, and a value for each score."""
        lists = [self.best_epoch, *(values for metrics in self.values.values() for values in metrics.values())]
        if any(len(values) != len(self.seeds) for values in lists):
            raise ValueError(f"expected best epochs and values of {len(self.seeds)} seeds, found others")
        for values in lists:
            lengths = {len(value) if isinstance(value, list) else 0 for value in values}
            if len(lengths) > 1:
                raise ValueError("expected as many classes for each seed, found others")
        if [row.part for row in self.scores] != list(self.values):
            raise ValueError("expected values of the parts that have scores, found those of others")
        return self


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
