"""A finished run on the device that the command line asks for: what `evaluate`, `predict` and `plot` start from."""

from pathlib import Path
from typing import TYPE_CHECKING

from jaxnn.cli import device
from jaxnn.errors import UserError

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


def check_draw(run: "Run", seed: int, run_seed: int) -> None:
    """Raises `UserError` for a seed of what is drawn, or a position of a trained seed, that cannot be."""
    from jaxnn.experiment.seeds import LAST_SEED

    seeds = len(run.experiment.seeds)
    if not 0 <= run_seed < seeds:
        raise UserError(f"--run-seed: expected the position of one of {seeds} seeds, 0 first, found {run_seed}")
    if not 0 <= seed <= LAST_SEED:
        raise UserError(f"--seed: expected a number from 0 to {LAST_SEED}, found {seed}")
