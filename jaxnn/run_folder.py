"""A run's folder: made beside its place and moved there when it is whole; read back by the other commands."""

import csv
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import jax
import numpy as np
from annotated_types import Len
from jax import numpy as jnp
from pydantic import BaseModel

from jaxnn import checkpoint
from jaxnn.config import Config, build_model, load
from jaxnn.data import preprocess
from jaxnn.errors import UserError
from jaxnn.experiment import Experiment
from jaxnn.files import write_whole
from jaxnn.layer import Params

MANIFEST = "manifest.json"


class DataFacts(BaseModel):
    """What the other commands read of a manifest's data."""

    sha256: list[str]
    classes: list[str]
    white: float
    example: list[int]


class Facts(BaseModel):
    """What the other commands read of a manifest."""

    seeds: Annotated[list[int], Len(1)]
    precision: Literal["float32", "float64", "bfloat16"]
    data: DataFacts
    best_epoch: list[int]
    scores: list[dict[str, Any]]
    command: list[str]


class Run(NamedTuple):
    """A run read back: `params`, the best, have a leading axis of seeds, `stats` one of the data sets."""

    folder: Path
    config: Config
    manifest: Mapping[str, Any]
    params: Params
    stats: preprocess.Stats


def place(out: Path | None, name: str, *, overwrite: bool) -> Path:
    """Where the run of the config `name` goes: `out`, or the first free of runs/NAME, runs/NAME-2, …

    Raises `UserError` when `out` holds a run (unless `overwrite`) or anything else.
    """
    if out is None:
        free = (Path("runs") / (name if i == 1 else f"{name}-{i}") for i in range(1, 1_000_000))
        return next(path for path in free if not path.exists())
    path = out
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return path
    if not (path.is_dir() and (path / MANIFEST).is_file()):
        raise UserError(f"{path}: expected a new folder, found something that is no run; choose another --out")
    if not overwrite:
        raise UserError(f"{path}: expected a new folder, found a run; choose another --out, or add --overwrite")
    return path


@contextmanager
def building(path: Path) -> Iterator[Path]:
    """A folder beside `path` to build the run in; it takes `path`'s place when the block ends well, else it goes."""
    path = path.absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        beside.mkdir()
    except OSError as error:
        raise UserError(f"{path}: expected a folder that can be written, found: {error.strerror}") from error
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    try:
        yield beside
        if path.exists():
            path.replace(old)
        beside.replace(path)
    finally:
        for left in (beside, old):
            shutil.rmtree(left, ignore_errors=True)


def stack(trees: tuple[Any, ...]) -> Any:
    """Trees of arrays as one, with a leading axis."""
    return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *trees)


def save_weights(path: Path, params: Params, stats: preprocess.Stats) -> None:
    """Writes the parameters, and the preprocessing that they were trained with."""
    checkpoint.save_arrays(path, checkpoint.named_arrays({"params": params, "stats": stats._asdict()}))


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of the run in a folder. Raises `UserError` when it holds none, or one that is damaged."""
    file = folder / MANIFEST
    if not file.is_file():
        raise UserError(f"{folder}: expected a run's folder (made by `jaxnn train`), found no {MANIFEST} there")
    try:
        manifest = json.loads(file.read_bytes())
        Facts.model_validate(manifest)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file}: expected the manifest of a run, found damage: {_line(error)}") from error
    return manifest


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def read_run(folder: Path) -> Run:
    """The run in a folder. Raises `UserError` when it holds none, or one that is damaged."""
    manifest = read_manifest(folder)
    config = load(folder / "config.toml", ())
    x = jax.ShapeDtypeStruct((1, *manifest["data"]["example"]), jnp.dtype(config.train.precision))
    params = jax.eval_shape(build_model(config).init, jax.random.key(0), x)
    grown = jax.tree.map(lambda a: jax.ShapeDtypeStruct((len(manifest["seeds"]), *a.shape), a.dtype), params)
    arrays = checkpoint.load_arrays(folder / "best.safetensors")
    parts = {
        part: {name.removeprefix(f"{part}/"): a for name, a in arrays.items() if name.startswith(f"{part}/")}
        for part in ("params", "stats")
    }
    stats = preprocess.rebuild(config.data.preprocess, parts["stats"])
    return Run(folder, config, manifest, checkpoint.restore(grown, parts["params"]), stats)


def write_history(path: Path, experiment: Experiment, history: Any) -> None:
    """history.csv: seed, epoch, split, loss, accuracy (empty where it was not measured)."""
    lines = ["seed,epoch,split,loss,accuracy"]
    for i, seed in enumerate(experiment.seeds):
        for r in range(history.train.loss.shape[1]):
            epoch = (r + 1) * experiment.plan.record_every
            for name, metrics in (("train", history.train), ("validation", history.validation)):
                loss, accuracy = metrics.loss[i, r], metrics.accuracy[i, r]
                if not np.isnan(loss) or name == "train":
                    lines.append(f"{seed},{epoch},{name},{_number(loss)},{_number(accuracy)}")
    write_whole(path, ("\n".join(lines) + "\n").encode())


def _number(value: Any) -> str:
    return "" if np.isnan(value) else repr(float(value))


def read_history(folder: Path) -> dict[str, np.ndarray]:
    """The history of a run as figures take it: "epoch" (r,), "train_loss" (seeds, r) and so on."""
    with (folder / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    seeds, epochs = (list(dict.fromkeys(int(row[key]) for row in rows)) for key in ("seed", "epoch"))
    found: dict[str, np.ndarray] = {"epoch": np.array(epochs)}
    for row in rows:
        at = seeds.index(int(row["seed"])), epochs.index(int(row["epoch"]))
        for metric in ("loss", "accuracy"):
            series = found.setdefault(f"{row['split']}_{metric}", np.full((len(seeds), len(epochs)), np.nan))
            series[at] = float(row[metric] or "nan")
    return found
