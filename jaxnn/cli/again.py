"""A finished run with its data: what `evaluate` and `plot` start from."""

import sys
from pathlib import Path

from jaxnn import run_folder
from jaxnn.cli import device
from jaxnn.experiment import Experiment, make_experiment
from jaxnn.manifest import data_digest


def read(folder: Path, where: str | None) -> run_folder.Run:
    """The run in `folder`, on the device that was asked for."""
    device.start(where)
    device.allow(run_folder.read_manifest(folder)["precision"])
    return run_folder.read_run(folder)


def reopen(folder: Path, data_dir: Path | None, where: str | None) -> tuple[run_folder.Run, Experiment]:
    """The run in `folder`, and its experiment; says so when the data are no longer those it was trained on."""
    run = read(folder, where)
    experiment = make_experiment(run.config, data_dir=data_dir, seeds=run.manifest["seeds"])
    if [data_digest(splits) for splits in experiment.splits] != run.manifest["data"]["sha256"]:
        print(f"jaxnn: warning: the data are not those that {folder} was trained on", file=sys.stderr)
    return run, experiment
