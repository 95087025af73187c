"""A run's checkpoints: a folder for each, which is complete or does not exist; the newest valid one is searched.

RUN/checkpoints/000000001234/    after so many steps
    state.safetensors            everything that the next step reads, and the history so far
    manifest.json                place in the run, the types of keys, a SHA-256 of each array and of the file; sealed
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import jax
from annotated_types import Ge, Le
from jax import numpy as jnp
from pydantic import BaseModel

from jaxnn.engine.snapshot import Snapshot, is_key, rows_of
from jaxnn.errors import UserError
from jaxnn.storage.arrays import load_arrays, named_arrays, restore, save_arrays
from jaxnn.storage.files import atomic_directory, one_line, read_checksummed_json, sha256, write_checksummed_json
from jaxnn.train.state import History, State, has_score

FOLDER = "checkpoints"
STATE = "state.safetensors"
MANIFEST = "manifest.json"
#: The version of a checkpoint's manifest, and of the arrays beside it.
FORMAT = 4


class ArrayFacts(BaseModel):
    """What a checkpoint's manifest says of an array."""

    dtype: str
    shape: list[int]
    sha256: str


class Facts(BaseModel):
    """What is read of a checkpoint's manifest besides its format."""

    run: str
    steps: Annotated[int, Ge(0)]
    epoch: list[int]
    best_epoch: list[int]
    score: list[float | None]
    rows: Annotated[int, Ge(0), Le(10**9)]
    seconds: float
    faults: list[dict[str, Any]]
    keys: dict[str, Literal["threefry2x32", "rbg", "unsafe_rbg"]]
    sha256: str
    arrays: dict[str, ArrayFacts]


class Checkpoint(NamedTuple):
    """A checkpoint on the disk, by its folder and its manifest."""

    path: Path
    facts: dict[str, Any]


def paths(run: Path) -> list[Path]:
    """The checkpoints of a run's folder, oldest first, damaged or not. Raises `UserError` if it cannot be read."""
    folder = run / FOLDER
    if not folder.is_dir() or folder.is_symlink():
        return []
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        raise UserError(f"{folder}: cannot be read ({error.strerror or error})") from error
    return sorted(p for p in entries if re.fullmatch(r"\d{12}", p.name) and p.is_dir() and not p.is_symlink())


def save(run: Path, run_id: str, snapshot: Snapshot) -> Path:
    """Writes a checkpoint of the run of this identity, unless there is a valid one of this step."""
    path = run / FOLDER / f"{snapshot.steps:012}"
    if path.exists():
        try:
            read(path)
            return path
        except UserError:
            remove(path)
    try:
        _write(path, run_id, snapshot)
    except UserError:
        # Another worker of a sweep may have written the same meanwhile.
        if not path.exists():
            raise
        read(path)
    return path


def _write(path: Path, run_id: str, snapshot: Snapshot) -> None:
    tree = {"state": snapshot.state, "history": snapshot.history}
    keys = {}
    for name, leaf in named_leaves(tree).items():
        if is_key(leaf):
            keys[name] = str(jax.random.key_impl(leaf))
    state = snapshot.state
    with atomic_directory(path) as beside:
        written = save_arrays(beside / STATE, named_arrays(keys_to_data(tree)))
        facts = {
            "format": FORMAT,
            "run": run_id,
            "steps": snapshot.steps,
            "epoch": [int(epoch) for epoch in state.epoch],
            "best_epoch": [int(epoch) for epoch in state.best.epoch],
            "score": [
                float(score) if measured else None
                for score, measured in zip(state.best.score, has_score(state.best.score), strict=True)
            ],
            "rows": rows_of(snapshot.history),
            "seconds": snapshot.seconds,
            "faults": list(snapshot.faults),
            "keys": keys,
            "sha256": sha256(beside / STATE),
            "arrays": written,
        }
        write_checksummed_json(beside / MANIFEST, facts)


def named_leaves(tree: Any) -> dict[str, Any]:
    """The leaves of a pytree by their paths, as they are."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}


def keys_to_data(tree: Any) -> Any:
    """A tree in which the integers of typed keys replace them; also of shapes."""

    def data(leaf):
        if is_key(leaf):
            return jax.random.key_data(leaf)
        if isinstance(leaf, jax.ShapeDtypeStruct) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return jax.eval_shape(jax.random.key_data, leaf)
        return leaf

    return jax.tree.map(data, tree)


def read(path: Path) -> Checkpoint:
    """A checkpoint's manifest. Raises `UserError` when it, or the file beside it, is damaged or of another format."""
    facts = read_checksummed_json(path / MANIFEST)
    if facts.get("format") != FORMAT:
        raise UserError(f"{path}: expected a checkpoint of format {FORMAT}, found {facts.get('format')}")
    try:
        Facts.model_validate(facts, strict=True)
    except ValueError as error:
        raise UserError(f"{path}: expected a checkpoint's manifest, found another: {one_line(error)}") from error
    if path.name != f"{facts['steps']:012}":
        raise UserError(f"{path}: expected the checkpoint of that step, found that of step {facts['steps']:,}")
    if sha256(path / STATE) != facts["sha256"]:
        raise UserError(f"{path / STATE}: is damaged: its SHA-256 is not the one that was written")
    return Checkpoint(path, facts)


def steps_of_epoch(path: Path) -> int:
    """The steps of an epoch in the run of a checkpoint, as its arrays have them. Raises `UserError` for damage."""
    shapes = (facts["shape"] for name, facts in read(path).facts["arrays"].items() if name.startswith("state/sums/"))
    shape = next(shapes, ())
    if len(shape) < 2:
        raise UserError(f"{path}: expected what each step of an epoch measured, found none")
    return shape[1]


def load(path: Path, state: State, history: History) -> Snapshot:
    """A checkpoint as a run continues from it.

    state, history: shapes and types of a run's state and of one row of its history

    Raises `UserError` for damage, and for another structure with the path of the first difference.
    """
    facts = read(path).facts
    rows = jax.tree.map(lambda a: jax.ShapeDtypeStruct((a.shape[0], facts["rows"]), a.dtype), history)
    tree = {"state": state, "history": rows}
    plain = keys_to_data(tree)
    restored = restore(plain, load_arrays(path / STATE, named_leaves(plain)))
    kinds = named_leaves(tree)
    typed = {name for name, kind in kinds.items() if jnp.issubdtype(kind.dtype, jax.dtypes.prng_key)}
    if facts["keys"].keys() != typed:
        raise UserError(f"{path}: expected keys at {sorted(typed)}, found them at {sorted(facts['keys'])}")
    leaves = named_leaves(restored)
    for name, kind in facts["keys"].items():
        if (dtype := jax.random.key(0, impl=kind).dtype) != kinds[name].dtype:
            raise UserError(f"{path}: expected keys of {kinds[name].dtype} at {name!r}, found {dtype}")
        leaves[name] = jax.random.wrap_key_data(leaves[name], impl=kind)
    restored = jax.tree.unflatten(jax.tree.structure(tree), leaves.values())
    return Snapshot(facts["steps"], restored["state"], restored["history"], tuple(facts["faults"]), facts["seconds"])


def load_newest_valid(run: Path, state: State, history: History, warn: Callable[[str], None]) -> Snapshot:
    """The newest undamaged checkpoint, as `load` gives it. `warn` gets a line for each damaged one that is skipped.

    Raises `UserError` when none is undamaged.
    """
    for path in reversed(paths(run)):
        try:
            return load(path, state, history)
        except UserError as error:
            warn(f"{error}; the checkpoint before it is used")
    raise UserError(f"{run}: expected an undamaged checkpoint, found none; train again with --overwrite")


def prune(run: Path, run_id: str, keep: int, *, start: int | None = None) -> None:
    """Removes this run's checkpoints, but for the last `keep` and the first one that holds the best parameters.

    start: the step that a run which continues another started from; its checkpoint stays, too
    """
    mine = []
    for path in paths(run):
        try:
            facts = read_checksummed_json(path / MANIFEST)
        except UserError:
            continue
        if facts.get("run") == run_id:
            mine.append(Checkpoint(path, facts))
    # A best epoch gives way to a better one alone, so the last checkpoint has the best parameters of all.
    best = next((c for c in mine if c.facts["best_epoch"] == mine[-1].facts["best_epoch"]), None)
    for checkpoint in mine[:-keep]:
        if checkpoint is not best and checkpoint.facts["steps"] != start:
            remove(checkpoint.path)


def remove(path: Path) -> None:
    """Removes a checkpoint's files and folder.

    The folder is renamed first. So an interrupted removal leaves no damaged checkpoint, only a folder that
    `remove_leftovers` removes. Raises `UserError` where it cannot be removed.
    """
    hidden = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        path.rename(hidden)
        for name in (MANIFEST, STATE):
            (hidden / name).unlink(missing_ok=True)
        hidden.rmdir()
    except OSError as error:
        raise UserError(f"cannot remove the checkpoint {path}: {error.strerror or error}; remove it by hand") from error
