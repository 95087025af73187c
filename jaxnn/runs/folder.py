"""A run's folder: there from the first step on, sealed by its manifest, and read back by the other commands."""

import csv
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, NamedTuple

import jax
import numpy as np
from annotated_types import Ge, Len, Lt
from jax import numpy as jnp
from pydantic import AfterValidator, BaseModel

from jaxnn.config import Config, build_model, dump, load
from jaxnn.config.experiment import Experiment
from jaxnn.data import preprocess
from jaxnn.errors import UserError
from jaxnn.layer import Params
from jaxnn.runs import checkpoints
from jaxnn.storage import arrays as array_file
from jaxnn.storage.files import (
    atomic_directory,
    atomic_write,
    choose_folder,
    locked,
    one_line,
    read_checksummed_json,
    sha256,
    write_checksummed_json,
)

MANIFEST = "manifest.json"
CONFIG = "config.toml"


class DataFacts(BaseModel):
    """What the other commands read of a manifest's data."""

    sha256: Annotated[list[str], Len(1)]
    classes: list[str]
    white: float
    example: list[Annotated[int, Ge(1)]]


def _inside(name: str) -> str:
    """A file's place in a run's folder, unless it leads out of it."""
    place = PurePosixPath(name)
    if (
        not place.name
        or place.is_absolute()
        or ".." in place.parts
        or place.as_posix() != name
        or not name.isprintable()
    ):
        raise ValueError(f"expected the place of a file in the run's folder, found {name!r}")
    return name


class Facts(BaseModel):
    """What the other commands read of a manifest."""

    run: str
    status: Literal["running", "finished", "interrupted", "failed"]
    seeds: Annotated[list[Annotated[int, Ge(0), Lt(2**32)]], Len(1)]
    grad: Literal["hand", "auto"]
    precision: Literal["float32", "float64", "bfloat16"]
    data: DataFacts
    command: list[str]
    files: dict[Annotated[str, AfterValidator(_inside)], str]


class FinishedFacts(Facts):
    """What there is besides when a run has finished."""

    best_epoch: list[int]
    scores: Annotated[list[dict[str, Any]], Len(1)]
    seconds: dict[Literal["compile", "train"], float]


class Run(NamedTuple):
    """A run read back: `params`, the best, have a leading axis of seeds, `stats` one of the data sets."""

    folder: Path
    config: Config
    manifest: dict[str, Any]
    params: Params
    stats: preprocess.Stats


def place(out: Path | None, name: str, *, overwrite: bool) -> Path:
    """Where the run of the config `name` goes; see `files.choose_folder`."""
    return choose_folder(out, name, kind="run", marker=MANIFEST, overwrite=overwrite)


def create(path: Path, config: Config, manifest: dict[str, Any], *, overwrite: bool) -> None:
    """Makes the folder of a run that begins: its config and its manifest, all at once.

    Raises `UserError` where it cannot be written, and where a run that trains would be overwritten.
    """
    path = path.absolute()
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    with atomic_directory(path) as beside:
        atomic_write(beside / CONFIG, dump(config).encode())
        write_manifest(beside, manifest, [CONFIG])
        if path.exists():
            with locked(path):
                if overwrite or not any(path.iterdir()):
                    path.rename(old)
    shutil.rmtree(old, ignore_errors=True)


def write_manifest(folder: Path, manifest: dict[str, Any], written: Iterable[str] = ()) -> None:
    """Writes the manifest of a run, and into it the sums of the files that were `written`."""
    manifest["files"] = manifest.get("files", {}) | {name: settled(folder / name) for name in sorted(written)}
    write_checksummed_json(folder / MANIFEST, manifest)


def settled(path: Path) -> str:
    """The SHA-256 of a file that is on the disk to stay."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return sha256(path)


def files(folder: Path) -> set[str]:
    """A run's files by their places in the folder, but for the manifest and the checkpoints, which have sums inside."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    return {name for name in names if name != MANIFEST and not name.startswith(f"{checkpoints.FOLDER}/")}


def sweep(folder: Path) -> None:
    """Removes what a process that was killed left half-written in a run's folder."""
    for place in (folder, folder / checkpoints.FOLDER, folder / "figures"):
        for path in place.glob(".*") if place.is_dir() and not place.is_symlink() else ():
            if re.fullmatch(r"\..+\.\d+\.[0-9a-f]{8}", path.name):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def refuse_link(path: Path) -> None:
    """Raises `UserError` for a symbolic link: what is written there would go elsewhere."""
    if path.is_symlink():
        raise UserError(f"{path}: expected a folder, found a symbolic link; remove it")


def check_file(folder: Path, manifest: Mapping[str, Any], name: str) -> Path:
    """The path of one of a run's files. Raises `UserError` unless it is as it was when the manifest was written."""
    path = folder / name
    for parent in PurePosixPath(name).parents[:-1]:
        refuse_link(folder / parent)
    if sha256(path) != manifest["files"].get(name):
        raise UserError(f"{path}: is damaged: its SHA-256 is not the one in {MANIFEST}")
    return path


def stack(trees: tuple[Any, ...]) -> Any:
    """Trees of arrays as one, with a leading axis."""
    return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *trees)


def save_weights(path: Path, params: Params, stats: preprocess.Stats) -> None:
    """Writes the parameters, and the preprocessing that they were trained with."""
    array_file.save_arrays(path, array_file.named_arrays({"params": params, "stats": stats._asdict()}))


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of the run in a folder. Raises `UserError` when it holds none, or one that is damaged."""
    file = folder / MANIFEST
    if not file.is_file():
        raise UserError(f"{folder}: expected a run's folder (made by `jaxnn train`), found no {MANIFEST} there")
    manifest = read_checksummed_json(file)
    try:
        (FinishedFacts if manifest.get("status") == "finished" else Facts).model_validate(manifest, strict=True)
    except ValueError as error:
        raise UserError(f"{file}: expected the manifest of a run, found another: {one_line(error)}") from error
    return manifest


def read_config(folder: Path, manifest: Mapping[str, Any]) -> Config:
    """The config of a run. Raises `UserError` when it is damaged."""
    return load(check_file(folder, manifest, CONFIG), ())


def read_run(folder: Path) -> Run:
    """The finished run in a folder. Raises `UserError` when it holds none, or one that is damaged."""
    manifest = read_manifest(folder)
    if manifest["status"] != "finished":
        raise UserError(f"{folder}: expected a finished run, found one that is not; `jaxnn resume {folder}` goes on")
    config = read_config(folder, manifest)
    x = jax.ShapeDtypeStruct((1, *manifest["data"]["example"]), jnp.dtype(config.train.precision))
    params = jax.eval_shape(build_model(config).init, jax.random.key(0), x)
    grown = jax.tree.map(lambda a: jax.ShapeDtypeStruct((len(manifest["seeds"]), *a.shape), a.dtype), params)
    arrays = array_file.load_arrays(check_file(folder, manifest, "best.safetensors"))
    parts = {
        part: {name.removeprefix(f"{part}/"): a for name, a in arrays.items() if name.startswith(f"{part}/")}
        for part in ("params", "stats")
    }
    stats = preprocess.rebuild(config.data.preprocess, parts["stats"])
    return Run(folder, config, manifest, array_file.restore(grown, parts["params"]), stats)


def write_history(path: Path, experiment: Experiment, history: Any) -> None:
    """history.csv: seed, epoch, split, loss, accuracy (empty where it was not measured)."""
    atomic_write(path, ("\n".join(history_lines(experiment, history)) + "\n").encode())


def history_lines(experiment: Experiment, history: Any) -> list[str]:
    """The lines of history.csv."""
    lines = ["seed,epoch,split,loss,accuracy"]
    for i, seed in enumerate(experiment.seeds):
        for r in range(history.train.loss.shape[1]):
            epoch = (r + 1) * experiment.plan.record_every
            for name, metrics in (("train", history.train), ("validation", history.validation)):
                loss, accuracy = metrics.loss[i, r], metrics.accuracy[i, r]
                if not np.isnan(loss) or name == "train":
                    lines.append(f"{seed},{epoch},{name},{_number(loss)},{_number(accuracy)}")
    return lines


def _number(value: Any) -> str:
    return "" if np.isnan(value) else repr(float(value))


def read_history(folder: Path) -> dict[str, np.ndarray]:
    """The history of a run as figures take it: "epoch" (r,), "train_loss" (seeds, r) and so on.

    Raises `UserError` where it is damaged.
    """
    try:
        with (folder / "history.csv").open(newline="") as file:
            return as_read(file)
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise UserError(f"{folder / 'history.csv'}: expected the history of a run, found damage: {error}") from error


def as_read(lines: Iterable[str]) -> dict[str, np.ndarray]:
    """What `read_history` makes of the lines of a history."""
    rows = list(csv.DictReader(lines))
    seeds, epochs = (list(dict.fromkeys(int(row[key]) for row in rows)) for key in ("seed", "epoch"))
    found: dict[str, np.ndarray] = {"epoch": np.array(epochs)}
    for row in rows:
        at = seeds.index(int(row["seed"])), epochs.index(int(row["epoch"]))
        for metric in ("loss", "accuracy"):
            series = found.setdefault(f"{row['split']}_{metric}", np.full((len(seeds), len(epochs)), np.nan))
            series[at] = float(row[metric] or "nan")
    return found
