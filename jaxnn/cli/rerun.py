"""`jaxnn rerun RUN`."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxnn.cli import device
from jaxnn.cli.progress import report_training
from jaxnn.cli.tables import print_table
from jaxnn.cli.terminal import print_text, print_warning
from jaxnn.cli.training_arguments import Rerun
from jaxnn.errors import UserError


def run(command: Rerun, overrides: Sequence[str]) -> None:
    from jaxnn.engine.hooks import Hooks
    from jaxnn.experiment.definition import last_params
    from jaxnn.experiment.run import run as train
    from jaxnn.runs import folder as run_folder
    from jaxnn.runs.continuation import first_snapshot
    from jaxnn.runs.history import history_columns, read_history
    from jaxnn.runs.manifest import environment_changes
    from jaxnn.runs.reopen import rebuild_experiment
    from jaxnn.runs.weights import load_weights
    from jaxnn.storage.arrays import named_arrays
    from jaxnn.sweep.folder import best_run

    folder = best_run(command.run)
    manifest = run_folder.read_manifest(folder)
    if manifest["status"] != "finished":
        raise UserError(f"{folder}: expected a finished run, found one that is not; `jaxnn resume` continues it")
    devices = command.devices or manifest.get("sharing", {}).get("devices")
    in_order = manifest.get("sharing", {}).get("parts") is not None
    deterministic = bool(manifest.get("deterministic"))
    device.select_device(command.device, deterministic=deterministic, devices=devices, in_order=in_order)
    device.set_precision(manifest["precision"])
    experiment = rebuild_experiment(folder, manifest, command.data_dir, command.experiment, overrides)
    experiment = experiment.on_devices(devices)
    start = first_snapshot(folder, manifest, experiment)
    for line in environment_changes(manifest):
        print_warning(line)

    def file(name: str) -> Path:
        return run_folder.check_file(folder, manifest, name)

    old = {name: load_weights(file(f"{name}.safetensors"))[0] for name in ("best", "last")}
    old["history"] = read_history(file("history.csv"))
    outcome = train(experiment, Hooks(report=report_training(experiment.plan.eval_every)), start).outcome
    new = {
        "best": named_arrays(outcome.state.best.params),
        "last": named_arrays(last_params(experiment, outcome.state)),
        "history": history_columns(outcome.history, experiment.plan.eval_every),
    }
    new["history"] = {name: np.asarray(a, old["history"][name].dtype) for name, a in new["history"].items()}
    rows = [row for name in old for row in compare(name, old[name], new[name])]
    equal = all(row["equal"] for row in rows)
    print_table(f"{folder} and its repetition", rows, command.json, facts={"equal": equal})
    print_text("bit-equal" if equal else "not bit-equal")
    if not equal:
        sys.exit(1)


def compare(part: str, old: Mapping[str, np.ndarray], new: Mapping[str, np.ndarray]) -> Iterator[dict[str, Any]]:
    """A row for each array of two runs: whether all bits are equal, and the largest difference."""
    for name in sorted(old.keys() | new.keys()):
        a, b = old.get(name), new.get(name)
        row: dict[str, Any] = {"what": part, "array": name, "equal": False, "largest difference": "another shape"}
        if a is not None and b is not None and a.shape == b.shape and a.dtype == b.dtype:
            row["equal"] = a.tobytes() == b.tobytes()
            with np.errstate(invalid="ignore"):
                gap = np.abs(a.astype(np.float64) - b.astype(np.float64))
            row["largest difference"] = float(np.nanmax(gap, initial=0.0))
        yield row
