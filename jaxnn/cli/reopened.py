"""A finished run on the device that the command line asks for: what `evaluate`, `predict` and `plot` start from."""

from pathlib import Path
from typing import TYPE_CHECKING

from jaxnn.cli import device
from jaxnn.cli.terminal import print_warning

if TYPE_CHECKING:
    from jaxnn.runs.run import Run


def open_run(folder: Path, where: str | None, experiment: str | None = None) -> "Run":
    """The run in `folder`, without its data. `experiment` is FILE.py:NAME for a run that names none."""
    device.select_device(where)
    from jaxnn.runs import folder as run_folder
    from jaxnn.runs.run import load_run

    device.set_precision(run_folder.read_manifest(folder)["precision"])
    return load_run(folder, experiment)


def open_run_with_data(folder: Path, data_dir: Path | None, where: str | None, experiment: str | None = None) -> "Run":
    """The run in `folder` with its data. Warns where they are not those that it was trained on."""
    from jaxnn.runs.reopen import same_data

    run = open_run(folder, where, experiment).with_data(data_dir)
    assert run.manifest is not None
    if not same_data(run.experiment, run.manifest):
        print_warning(f"the data are not those that {folder} was trained on")
    return run
