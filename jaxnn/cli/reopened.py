"""A finished run on the device that the command line asks for: what `evaluate`, `predict` and `plot` start from."""

from pathlib import Path
from typing import TYPE_CHECKING

from jaxnn.cli import device

if TYPE_CHECKING:
    from jaxnn.runs.run import Run


def open_run(folder: Path, where: str | None, experiment: str | None = None) -> "Run":
    """The run in `folder`, without its data; of a sweep, that of its best member.

    experiment: FILE.py:NAME for a run that names none
    """
    device.select_device(where)
    from jaxnn.runs import folder as run_folder
    from jaxnn.runs.run import load_run
    from jaxnn.sweep.folder import best_run

    folder = best_run(folder)
    device.set_precision(run_folder.read_manifest(folder)["precision"])
    return load_run(folder, experiment)
