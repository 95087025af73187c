"""A run of many seeds that several processes train: each of them trains some of the seeds at a time.

RUN/joined.json                     what all workers have in common, sealed
RUN/claims/…                        see `jaxnn.storage.claims`
RUN/parts/000064/checkpoints/…      the end of the seeds from position 64 on, as a checkpoint
RUN/running/…                       the state of the seeds that train

At the end one worker makes a run of the parts, as if one process had trained all seeds.
"""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxnn.engine.driver import Outcome
from jaxnn.engine.hooks import Progress
from jaxnn.engine.snapshot import Snapshot
from jaxnn.errors import UserError
from jaxnn.experiment.definition import Experiment
from jaxnn.experiment.run import Result
from jaxnn.experiment.scores import scores
from jaxnn.runs import checkpoints
from jaxnn.runs import folder as run_folder
from jaxnn.runs.manifest import make_manifest, now
from jaxnn.runs.recorder import RunRecorder
from jaxnn.storage.claims import Claims
from jaxnn.storage.files import atomic_directory, atomic_write, read_checksummed_json, write_checksummed_json
from jaxnn.sweep.groups import Group
from jaxnn.sweep.joined import CLAIMS, MOST_PIECES, differences, make_or_join
from jaxnn.sweep.rows import GroupRows, stack_rows
from jaxnn.sweep.store import RUNNING, GroupStore, Joined, TrialStore

#: The file that says what all workers have in common, and the folder of what they have trained.
JOINED, PARTS = "joined.json", "parts"
#: The version of that file.
FORMAT = 1


def join(folder: Path, joined: Mapping[str, Any], facts: Mapping[str, str], command: list[str]) -> None:
    """Makes the folder of a run whose seeds several workers train, or joins the one that is there.

    joined: what they have chosen for all; facts: what they must have found alike, by name
    Raises `UserError` for a folder with anything else, and for workers that differ, each difference by its name.
    """
    request = {"joined": dict(joined), "facts": dict(facts)}

    def make() -> None:
        with atomic_directory(folder) as temporary:
            content = {"format": FORMAT, "request": request, "command": command, "start": now()}
            write_checksummed_json(temporary / JOINED, content)

    if not make_or_join(folder, JOINED, make, "run"):
        return
    there = read_checksummed_json(folder / JOINED)
    if there.get("format") != FORMAT:
        raise UserError(f"{folder / JOINED}: expected format {FORMAT}, found {there.get('format')}")
    found = differences(there["request"]["joined"], joined) + differences(there["request"]["facts"], facts)
    if found:
        raise UserError(f"{folder}: expected the run that is there, found another: {'; '.join(found)}")


def is_finished(folder: Path) -> bool:
    """Whether the run of all seeds is there."""
    return (folder / run_folder.MANIFEST).is_file() and run_folder.read_manifest(folder)["status"] == "finished"


def part_names(seeds: int, size: int | None) -> dict[str, range]:
    """The parts of so many seeds by name, as positions. size: of a part; None: so that there are enough for all."""
    size = size or -(-seeds // MOST_PIECES)
    return {f"{start:06}": range(start, min(start + size, seeds)) for start in range(0, seeds, size)}


def share_done(folder: Path, seeds: int, size: int | None) -> float:
    """The share of the parts that are trained."""
    names = part_names(seeds, size)
    return sum(bool(checkpoints.paths(folder / PARTS / name)) for name in names) / len(names)


def train_seeds_together(
    folder: Path,
    experiment: Experiment,
    claims: Claims,
    size: int | None,
    command: list[str],
    report: Callable[[Progress], None],
    wait: Callable[[], None],
) -> None:
    """Trains the seeds of an experiment with other workers; at the end, their run is in the folder."""
    parts = part_names(len(experiment.seeds), size)
    hyperparameters = {name: float(value) for name, value in experiment.hyperparameters.items()}
    work = GroupRows(experiment, Group(experiment, (0,), (hyperparameters,)), experiment.plan)
    store = TrialStore(folder, joined=Joined(claims))
    shapes = experiment.state_shapes(), experiment.history_shapes()
    running = GroupStore(store, ("seeds",), (hyperparameters,), experiment.plan.epochs, *shapes)

    def is_done(name: str) -> bool:
        return bool(checkpoints.paths(folder / PARTS / name))

    def train(name: str) -> None:
        rows = [(0, position) for position in parts[name]]
        trained = work.run(rows, len(rows), {0: None}, report, running)
        if not is_done(name):
            checkpoints.save(folder / PARTS / name, name, stack_rows(trained))

    claims.work_through(list(parts), is_done, train, wait=wait)
    claims.work_through(
        ["results"],
        lambda piece: is_finished(folder),
        lambda piece: write_run(folder, experiment, parts, command),
        wait=wait,
    )
    for name in (CLAIMS, PARTS, RUNNING):
        shutil.rmtree(folder / name, ignore_errors=True)


def write_run(folder: Path, experiment: Experiment, parts: Mapping[str, range], command: list[str]) -> None:
    """Makes the run of all seeds from what was trained of each part."""
    snapshot = whole_snapshot(folder, experiment, parts)
    manifest = make_manifest(experiment, command=command, start=read_checksummed_json(folder / JOINED)["start"])
    files = experiment.record.files
    for name, text in files.items():
        atomic_write(folder / name, text.encode())
    checkpoints.save(folder, manifest["run"], snapshot)
    run_folder.write_manifest(folder, manifest, files)
    outcome = Outcome(
        snapshot.state, snapshot.history, 0.0, snapshot.seconds, snapshot.steps, finished=True, faults=snapshot.faults
    )
    with RunRecorder(folder, experiment, manifest, start=snapshot, resumes=True) as recorder:
        recorder.finish(Result(outcome, scores(experiment, outcome.state.best.params)))


def whole_snapshot(folder: Path, experiment: Experiment, parts: Mapping[str, range]) -> Snapshot:
    """The end of all seeds, of the parts that were trained. Raises `UserError` for damage."""
    state, history = experiment.state_shapes(), experiment.history_shapes()
    snapshots, faults = [], []
    for name, positions in parts.items():
        newest = checkpoints.paths(folder / PARTS / name)[-1]
        part = checkpoints.load(newest, _of_seeds(state, len(positions)), _of_seeds(history, len(positions)))
        faults += [fault | {"seed": fault["seed"] + positions.start} for fault in part.faults]
        snapshots.append(part)
    # Patience may have ended a part before another; its seeds have measured nothing after that.
    rows = max(jax.tree.leaves(part.history)[0].shape[1] for part in snapshots)
    snapshots = [part._replace(history=_padded(part.history, rows)) for part in snapshots]
    whole = stack_rows(snapshots)
    seconds = sum(part.seconds for part in snapshots)
    return whole._replace(steps=max(part.steps for part in snapshots), faults=tuple(faults), seconds=seconds)


def _of_seeds(shapes: Any, count: int) -> Any:
    """The shapes of so many seeds."""
    return jax.tree.map(lambda a: jax.ShapeDtypeStruct((count, *a.shape[1:]), a.dtype), shapes)


def _padded(history: Any, rows: int) -> Any:
    """A history with so many rows: those that are missing are not defined."""

    def pad(a):
        return np.pad(a, ((0, 0), (0, rows - a.shape[1])), constant_values=np.nan)

    return jax.tree.map(pad, history)
