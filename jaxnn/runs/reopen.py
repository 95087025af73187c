"""A finished run with its data: what `evaluate` and `plot` start from."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxnn.cli import device
from jaxnn.config.experiment import Experiment, make_experiment
from jaxnn.runs import folder as run_folder
from jaxnn.runs.manifest import data_digest, surroundings


def read(folder: Path, where: str | None) -> run_folder.Run:
    """The run in `folder`, on the device that was asked for."""
    device.select_device(where)
    device.set_precision(run_folder.read_manifest(folder)["precision"])
    return run_folder.read_run(folder)


def experiment_of(folder: Path, manifest: Mapping[str, Any], data_dir: Path | None) -> tuple[Experiment, bool]:
    """The experiment that a run is of, and whether the data are those that it was made with."""
    config = run_folder.read_config(folder, manifest)
    experiment = make_experiment(config, data_dir=data_dir, seeds=manifest["seeds"])
    return experiment, [data_digest(splits) for splits in experiment.splits] == manifest["data"]["sha256"]


def differences(manifest: Mapping[str, Any]) -> list[str]:
    """What is otherwise here than where a run was begun, of all that may change a bit of the result."""
    here = surroundings()
    return [
        f"{name} was {manifest.get(name)}, is {found}" for name, found in here.items() if found != manifest.get(name)
    ]


def reopen(folder: Path, data_dir: Path | None, where: str | None) -> tuple[run_folder.Run, Experiment]:
    """The run in `folder`, and its experiment; says so when the data are no longer those it was trained on."""
    run = read(folder, where)
    experiment, same = experiment_of(folder, run.manifest, data_dir)
    if not same:
        print(f"jaxnn: warning: the data are not those that {folder} was trained on", file=sys.stderr)
    return run, experiment
