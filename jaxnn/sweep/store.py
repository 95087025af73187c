"""What a sweep has on the disk while it runs: the result of each trial, and the states that it still needs.

SWEEP/trials/KEY-EPOCHS.json        the result of a member after so many epochs, sealed
SWEEP/members/KEY/checkpoints/…     the state of a member, as of a run
SWEEP/running/…                     the state of the rows that train

A member's key is a hash of all that its result depends on, so a sweep that is resumed finds what it has trained.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import jax
import numpy as np
from annotated_types import Ge, Lt
from pydantic import BaseModel

from jaxnn.config import config_hash
from jaxnn.config.bind import hyperparameters, traceable_hyperparameters
from jaxnn.engine.hooks import Hooks
from jaxnn.engine.snapshot import Snapshot
from jaxnn.errors import UserError
from jaxnn.layer import Batch
from jaxnn.runs import checkpoints
from jaxnn.runs.folder import reject_symlink
from jaxnn.storage.claims import Claims
from jaxnn.storage.files import one_line, read_checksummed_json, remove_folder, write_checksummed_json
from jaxnn.sweep.members import Member
from jaxnn.train.state import History, State

TRIALS, MEMBERS, RUNNING = "trials", "members", "running"
#: Characters of a key.
KEY_LENGTH = 12
#: Seconds from one checkpoint of the rows that train to the next.
SAVE_SECONDS = 60.0


class Result(BaseModel):
    """The result of a member after so many epochs, by patience fewer steps. A score is None where the seed diverged."""

    values: dict[str, str]
    epochs: int
    steps: Annotated[int, Ge(0), Lt(10**12)]
    score: list[float | None]
    best_epoch: list[int]


def read_result(file: Path) -> Result:
    """The result in a file. Raises `UserError` for damage."""
    content = read_checksummed_json(file)
    try:
        return Result.model_validate(content, strict=True)
    except ValueError as error:
        raise UserError(f"{file}: expected the result of a trial, found another: {one_line(error)}") from error


class StoredTrial(NamedTuple):
    """A result, and the state if it is still there."""

    result: Result
    snapshot: Snapshot | None


def identity(member: Member) -> str:
    """What tells a member from all others of its sweep, however its values are written."""
    if member.config is not None:
        return config_hash(member.config)
    assert member.experiment is not None
    values = {name: float(value) for name, value in member.experiment.hyperparameters.items()}
    return json.dumps(values, sort_keys=True)


def member_key(member: Member, seeds: Sequence[int], grad: str, data: str) -> str:
    """The key of a member. data: the SHA-256 of its data."""
    origin = member.experiment.record.facts.get("experiment", {}).get("sha256") if member.experiment else None
    text = json.dumps([identity(member), list(seeds), grad, data, origin])
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_LENGTH]


class Joined(NamedTuple):
    """How this process takes part in a sweep that several train.

    size: members that one worker trains at a time; None: so many that there are enough pieces for all
    wait(): called from time to time while the others train what is left
    """

    claims: Claims
    size: int | None = None
    wait: Callable[[], None] = lambda: None


class TrialStore:
    """The trials of a sweep's folder.

    save_seconds: from one checkpoint of the rows that train to the next
    joined: how this process takes part in a sweep that several train; None: it trains alone
    Raises `UserError` for a folder that leads elsewhere.
    """

    def __init__(self, folder: Path, save_seconds: float = SAVE_SECONDS, joined: Joined | None = None):
        for name in (TRIALS, MEMBERS, RUNNING):
            reject_symlink(folder / name)
        self.folder: Path = folder
        self.save_seconds: float = save_seconds
        self.joined: Joined | None = joined

    def member_folder(self, key: str) -> Path:
        """The folder of a member's state, and of its run in the end."""
        return self.folder / MEMBERS / key

    def save(self, key: str, result: Result, snapshot: Snapshot | None) -> None:
        """Keeps a trial: first its state, if that is needed, then its result. A result that is there stays."""
        if self.has_result(key, result.epochs):
            return
        if snapshot is not None:
            checkpoints.save(self.member_folder(key), key, snapshot)
        (self.folder / TRIALS).mkdir(exist_ok=True)
        write_checksummed_json(self._file(key, result.epochs), result.model_dump())

    def has_result(self, key: str, epochs: int) -> bool:
        """Whether there is the result of a member after so many epochs."""
        return self._file(key, epochs).is_file()

    def results(self) -> list[tuple[str, Path]]:
        """The files of all results, with the keys of their members."""
        return [(path.name.partition("-")[0], path) for path in (self.folder / TRIALS).glob("[!.]*-*.json")]

    def load(self, key: str, epochs: int, state: State, history: History) -> StoredTrial | None:
        """A trial of a member that was kept; None without one.

        state, history: shapes and types of the state and of one row of the history
        Raises `UserError` for damage.
        """
        file = self._file(key, epochs)
        if not file.is_file():
            return None
        result = read_result(file)
        path = self.member_folder(key) / checkpoints.FOLDER / f"{result.steps:012}"
        try:
            return StoredTrial(result, checkpoints.load(path, state, history) if path.is_dir() else None)
        except UserError:
            if path.is_dir():
                raise
            return StoredTrial(result, None)  # another worker has removed it meanwhile

    def drop(self, key: str) -> None:
        """Removes a member's state. Its results stay."""
        remove_folder(self.member_folder(key))

    def running(self, rows: Sequence[Any], state: Any, history: Any) -> tuple[Hooks, Snapshot | None]:
        """Hooks that save the rows which train from time to time, and where they were when they were last saved.

        rows: what tells these rows from all others; state, history: their shapes
        """
        name = hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:KEY_LENGTH]
        claims, saved_at = None if self.joined is None else self.joined.claims, time.perf_counter()
        # Each worker has a folder of its own, and reads those of the workers that it has taken the rows over from.
        folder = self.folder / RUNNING / (name if claims is None else f"{name}-{claims.worker}")
        newest = None
        for begun in (self.folder / RUNNING).glob(f"{name}*"):
            with suppress(UserError):  # damaged: these rows are trained from their start
                found = checkpoints.load_newest_valid(begun, state, history, lambda line: None)
                newest = found if newest is None or found.steps > newest.steps else newest

        def is_late(steps: int) -> bool:
            return time.perf_counter() - saved_at >= self.save_seconds

        def save(snapshot: Snapshot) -> None:
            nonlocal saved_at
            if is_late(snapshot.steps):
                checkpoints.save(folder, name, snapshot)
                checkpoints.prune(folder, name, 1)
                saved_at = time.perf_counter()

        hooks = Hooks(should_save=is_late, save=save)
        return hooks if claims is None else hooks._replace(should_stop=claims.is_overtaken), newest

    def end_running(self) -> None:
        """Removes the states of rows that have ended."""
        shutil.rmtree(self.folder / RUNNING, ignore_errors=True)

    def _file(self, key: str, epochs: int) -> Path:
        return self.folder / TRIALS / f"{key}-{epochs:06}.json"


class GroupStore(NamedTuple):
    """The part of a store that has the trials of members which are one program.

    keys, hyperparameters: of each member; the hyper-parameters are those of a run of the member alone
    epochs: after which the trials end
    state, history: shapes and types of the state of all seeds and of one row of the history
    """

    store: TrialStore
    keys: tuple[str, ...]
    hyperparameters: tuple[Mapping[str, float], ...]
    epochs: int
    state: State
    history: History

    def load(self, i: int) -> StoredTrial | None:
        """The trial of a member; None where it was not kept."""
        state = self.state._replace(hyperparameters=jax.tree.map(np.asarray, self._own(i)))
        return self.store.load(self.keys[i], self.epochs, state, self.history)

    def has_result(self, i: int) -> bool:
        """Whether there is the result of a member."""
        return self.store.has_result(self.keys[i], self.epochs)

    def save(self, i: int, result: Result, snapshot: Snapshot | None) -> None:
        """Keeps the trial of a member, and its state if there is one to keep."""
        state = None if snapshot is None else with_hyperparameters(snapshot, self._own(i))
        self.store.save(self.keys[i], result, state)

    def running(self, rows: Sequence[tuple[int, int]]) -> tuple[Hooks, Snapshot | None]:
        """What `TrialStore.running` gives for rows of the members, as positions of member and seed."""
        state, history = (
            jax.tree.map(lambda a: jax.ShapeDtypeStruct((len(rows), *a.shape[1:]), a.dtype), tree)
            for tree in (self.state, self.history)
        )
        return self.store.running([self.epochs, *([self.keys[i], s] for i, s in rows)], state, history)

    def _own(self, i: int) -> dict[str, np.ndarray]:
        dtype = np.float64 if jax.config.read("jax_enable_x64") else np.float32
        seeds = self.state.epoch.shape[0]
        return {name: np.full(seeds, value, dtype) for name, value in self.hyperparameters[i].items()}


def own_hyperparameters(member: Member, example: Batch, grad: str) -> Mapping[str, float]:
    """The hyper-parameters of a run of a member alone. Its program in a sweep may have more."""
    if member.config is not None:
        return hyperparameters(member.config, traceable_hyperparameters(member.config, example, grad=grad))
    assert member.experiment is not None
    return {name: float(value) for name, value in member.experiment.hyperparameters.items()}


def with_hyperparameters(snapshot: Snapshot, values: Mapping[str, Any]) -> Snapshot:
    """A snapshot with other hyper-parameters in its state."""
    return snapshot._replace(state=snapshot.state._replace(hyperparameters=dict(values)))


def scores_of(result: Result) -> np.ndarray:
    """The score of each seed; NaN where it diverged."""
    return np.array([np.nan if score is None else score for score in result.score], np.float64)
