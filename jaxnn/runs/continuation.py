"""A run that starts where a finished one ended: with its whole state, or, on other data, with its parameters alone."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.engine.snapshot import Snapshot, on_host
from jaxnn.errors import UserError, plural
from jaxnn.experiment.definition import Experiment
from jaxnn.layer import Params
from jaxnn.runs import checkpoints
from jaxnn.runs import folder as run_folder
from jaxnn.runs.manifest import data_digest
from jaxnn.runs.reopen import read_params
from jaxnn.storage.files import sha256

#: What a run that continues another may change, besides the numbers that are inputs of its program: neither the state
#: nor the history gets another meaning. The data are compared by their SHA-256.
CHANGEABLE = (
    "title",
    "train.epochs",
    "train.batch_size",
    "train.patience",
    "train.on_nonfinite",
    "train.seed",
    "train.reduction",
)
CHANGEABLE_TABLES = ("checkpoint.", "augment", "compare", "data.")


class Continuation(NamedTuple):
    """Where a run starts that continues another.

    start: its first checkpoint; facts: what its manifest says of the other run; message: what a user is told
    """

    start: Snapshot
    facts: dict[str, Any]
    message: str


def continuation(experiment: Experiment, folder: Path) -> Continuation:
    """The start of a run of `experiment` that continues the finished run in `folder`.

    On the same data it has the run's whole state (parameters, optimizer, keys, epoch, best parameters) and its history,
    so 20 epochs and 40 more equal 60 epochs bit for bit. On other data it begins at epoch 0 with the run's best
    parameters alone.

    Raises `UserError` for a run that is not finished or is damaged, and for a change that the state does not allow.
    """
    manifest = run_folder.read_manifest(folder)
    if manifest["status"] != "finished":
        raise UserError(
            f"{folder}: expected a finished run, found one that is not; `jaxnn resume {folder}` continues it"
        )
    if tuple(manifest["seeds"]) != experiment.seeds:
        raise UserError(f"{folder}: expected its seeds {manifest['seeds']}, found {list(experiment.seeds)}")
    facts = {"folder": str(folder.resolve()), "name": folder.resolve().name, "run": manifest["run"]}
    if data_digest(experiment) == manifest["data"]["sha256"]:
        return _with_whole_state(experiment, folder, manifest, facts)
    return _with_parameters(experiment, folder, manifest, facts)


def _with_whole_state(
    experiment: Experiment, folder: Path, manifest: Mapping[str, Any], facts: dict[str, Any]
) -> Continuation:
    changed = sorted(fixed_changes(experiment, manifest))
    if changed:
        raise UserError(
            f"{folder}: expected the same {', '.join(changed)} as in the run that is continued, found another; rates, "
            "decay, epochs, batch size and patience may change"
        )
    snapshot = load_last_state(experiment, folder)
    epochs = int(np.asarray(snapshot.state.epoch)[0])
    planned = experiment.plan.epochs
    if planned <= epochs:
        raise UserError(
            f"{folder}: has trained {plural(epochs, 'epoch')}: expected more, found {planned} in all; "
            f"--train.epochs {epochs + 1} trains one more"
        )
    file = checkpoints.paths(folder)[-1] / checkpoints.STATE
    facts |= {"state": "whole", "file": file.relative_to(folder).as_posix(), "sha256": sha256(file)}
    facts |= {"steps": snapshot.steps, "epochs": epochs}
    return Continuation(snapshot, facts, f"continues {folder} after epoch {epochs}, to epoch {planned}")


def fixed_changes(experiment: Experiment, manifest: Mapping[str, Any]) -> Iterator[str]:
    """The names of what differs from a run and would give its state or history another meaning."""
    old = manifest.get("config")
    new = experiment.record.facts.get("config")
    if old is None or new is None:
        plan, precision = manifest.get("plan", {}), "float64" if jax.config.read("jax_enable_x64") else "float32"
        names = {"best": experiment.plan.best, "eval_every": experiment.plan.eval_every}
        yield from (f"plan.{name}" for name, value in names.items() if plan.get(name, value) != value)
        if new is None and manifest["precision"] != precision:
            yield "precision"
        return
    traced = experiment.hyperparameters.keys() & manifest.get("hyperparameters", {}).keys()
    a, b = (dict(_flat(json.loads(json.dumps(tables)))) for tables in (old, new))
    for name in a.keys() | b.keys():
        if a.get(name) == b.get(name) or name in CHANGEABLE or name in traced:
            continue
        if name == "data.preprocess" or not name.startswith(CHANGEABLE_TABLES):
            yield name


def _flat(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """The values of nested tables and lists by dotted name."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _flat(inner, (*path, str(key)))
    elif value is not None:
        yield ".".join(path), value


def load_last_state(experiment: Experiment, folder: Path) -> Snapshot:
    """The last checkpoint of a finished run as the experiment continues it, which may have other steps an epoch.

    Raises `UserError` for damage, for a state of another structure, and for one that cannot be continued.
    """
    paths = checkpoints.paths(folder)
    if not paths:
        raise UserError(f"{folder}: expected the checkpoint of its last step, found none; train it again")
    shapes, rows = experiment.state_shapes(), experiment.history_shapes()
    steps, new_steps = checkpoints.steps_of_epoch(paths[-1]), experiment.source.steps
    sums = jax.tree.map(lambda a: jax.ShapeDtypeStruct((a.shape[0], steps, *a.shape[2:]), a.dtype), shapes.sums)
    snapshot = checkpoints.load(paths[-1], shapes._replace(sums=sums), rows)
    state, epochs = snapshot.state, {int(epoch) for epoch in np.asarray(snapshot.state.epoch)}
    if len(epochs) > 1:
        raise UserError(
            f"{folder}: expected seeds of equal length, found that patience ended them after different epochs"
        )
    # The last step of a run ends an epoch. Where patience ended it, the steps of its last chunk after that did nothing.
    (done,) = epochs
    if steps != new_steps:
        state = state._replace(sums=jax.tree.map(lambda a: np.zeros(a.shape, a.dtype), shapes.sums))
    state = state._replace(hyperparameters=dict(experiment.job().hyperparameters))
    history = jax.tree.map(lambda a: a[:, : done // experiment.plan.eval_every], snapshot.history)
    return snapshot._replace(steps=done * new_steps, state=state, history=history)


def _with_parameters(
    experiment: Experiment, folder: Path, manifest: Mapping[str, Any], facts: dict[str, Any]
) -> Continuation:
    try:
        params = read_params(folder, manifest, experiment)
    except UserError as error:
        raise UserError(
            f"{folder}: expected parameters that fit the net and the data, found others: {error}"
        ) from error
    file = run_folder.check_file(folder, manifest, "best.safetensors")
    start = start_from_parameters(experiment, params)
    facts |= {"state": "parameters", "file": file.name, "sha256": sha256(file), "steps": 0, "epochs": 0}
    message = f"starts at epoch 0 from the best parameters of {folder} alone: its data are others"
    return Continuation(start, facts, message)


def start_from_parameters(experiment: Experiment, params: Params) -> Snapshot:
    """The start of a run whose parameters are given, with a leading axis of seeds; all else is new.

    Raises `UserError` for an update that cannot begin from parameters.
    """
    if experiment.bound().restart is None:
        raise UserError(
            f"{experiment.title}: expected an update with `restart` to begin from parameters, found one without"
        )
    job = experiment.job()

    def start(args):
        key, values, seed_params = args
        update, state = job.bind(values), job.training.init(key, values)
        assert update.restart is not None
        learner = update.restart(seed_params, experiment.source.example)
        return state._replace(update=learner, best=state.best._replace(params=update.params(learner)))

    keys = jax.vmap(jax.random.key)(jnp.asarray(experiment.seeds, jnp.uint32))
    state = on_host(jax.jit(lambda *args: jax.lax.map(start, args))(keys, dict(job.hyperparameters), params))
    blank = jax.tree.map(lambda a: np.zeros((a.shape[0], 0), a.dtype), experiment.history_shapes())
    return Snapshot(0, state, blank)


def first_snapshot(folder: Path, manifest: Mapping[str, Any], experiment: Experiment) -> Snapshot | None:
    """Where a run started that continues another; None for one that started anew. Raises `UserError` for damage."""
    if "from" not in manifest:
        return None
    path = folder / checkpoints.FOLDER / f"{manifest['from']['steps']:012}"
    return checkpoints.load(path, experiment.state_shapes(), experiment.history_shapes())
