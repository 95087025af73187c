"""A member of a sweep as a run, for all commands that read one: predict, evaluate, plot, rerun, and more epochs."""

from collections.abc import Sequence
from pathlib import Path

from jaxnn.experiment.definition import Experiment
from jaxnn.experiment.scores import scores
from jaxnn.runs import checkpoints
from jaxnn.runs import folder as run_folder
from jaxnn.runs.manifest import make_manifest, now
from jaxnn.runs.recorder import write_results
from jaxnn.storage.files import atomic_write


def write_run(folder: Path, key: str, experiment: Experiment, command: Sequence[str]) -> None:
    """Makes the run of a member whose state is among the checkpoints of a folder. `jaxnn plot` draws its figures.

    key: the identity of the run
    The manifest is written last, so a folder with one is complete. Raises `UserError` for damage.
    """
    snapshot = checkpoints.load(checkpoints.paths(folder)[-1], experiment.state_shapes(), experiment.history_shapes())
    state = snapshot.state
    manifest = make_manifest(experiment, command=command, start=now()) | {"run": key}
    manifest |= write_results(folder, experiment, state, snapshot.history, scores(experiment, state.best.params))
    manifest |= {"faults": [], "seconds": {"compile": 0.0, "train": snapshot.seconds}}
    for name, text in experiment.record.files.items():
        atomic_write(folder / name, text.encode())
    checkpoints.prune(folder, key, 1)
    run_folder.write_manifest(folder, manifest, run_folder.files(folder) - {run_folder.MANIFEST})
