"""Runs from Python: `fit` trains an experiment, with or without a folder; `load_run` reads a folder back."""

import os
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxnn.engine.hooks import Hooks, Progress
from jaxnn.errors import UserError, describe
from jaxnn.experiment.definition import Experiment, seed_params, with_class_names
from jaxnn.experiment.run import run
from jaxnn.experiment.scores import Scores, predict
from jaxnn.layer import Batch, Params
from jaxnn.report.figures import Figure, run_figures
from jaxnn.runs import checkpoints
from jaxnn.runs import folder as run_folder
from jaxnn.runs.history import history_columns, read_history
from jaxnn.runs.manifest import make_manifest, now
from jaxnn.runs.recorder import RunRecorder
from jaxnn.runs.reopen import predictor, read_params, rebuild_experiment


@dataclass(frozen=True)
class Run:
    """A finished run. Arrays have a leading axis of seeds.

    params: the best parameters of each seed
    history: "epoch" (rows,), "train_loss" (seeds, rows), "validation_accuracy" and so on
    scores: part -> metric -> a value for each seed, of the best parameters
    best_epoch: the epochs after which the best parameters were measured
    folder, manifest: None and empty for a run without a folder
    """

    experiment: Experiment
    params: Params
    history: Mapping[str, np.ndarray]
    scores: Scores
    best_epoch: tuple[int, ...]
    folder: Path | None = None
    manifest: Mapping[str, Any] | None = None

    def predict(self, x: Batch, seed: int | None = None) -> Any:
        """The predictions for inputs x as the data have them: class probabilities, or outputs.

        seed: the position of one seed; None gives the mean over all seeds
        """
        chosen = range(len(self.experiment.seeds)) if seed is None else [seed]
        each = [predict(self.experiment, seed_params(self.params, i), x, i) for i in chosen]
        return jax.tree.map(lambda *predictions: np.mean(predictions, axis=0), *each)

    def figures(self) -> list[Figure]:
        """The figures that apply to the run, as its report has them; `figure.figure` is matplotlib's.

        Raises `UserError` where the data are needed and missing.
        """
        return list(run_figures(self.with_data().experiment, self.params, self.history, self.best_epoch))

    def with_data(self, data_dir: Path | None = None) -> "Run":
        """The run with its data. The run of a config is read without them; an experiment in Python has them already.

        Raises `UserError` where the data are missing.
        """
        if self.folder is None or self.manifest is None or "config" not in self.manifest:
            return self
        return replace(self, experiment=rebuild_experiment(self.folder, self.manifest, data_dir))


def fit(
    experiment: Experiment,
    folder: str | os.PathLike[str] | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    report: Callable[[Progress], Any] = lambda progress: None,
) -> Run:
    """Trains every seed of an experiment as one program.

    folder: where the run is kept, with checkpoints, figures and a report, for `jaxnn resume` and all other commands;
        None keeps nothing on the disk
    resume: continues the run in the folder, which must be of this experiment
    overwrite: replaces a run that is in the folder
    report(progress): called about once a second

    Raises `UserError` for an experiment that cannot be trained or a folder that cannot be used, `NonFiniteError` for
    NaN, infinity or divergence.
    """
    if not isinstance(experiment, Experiment):
        raise UserError(f"fit: expected a jaxnn.Experiment, found {describe(experiment)}")
    experiment = with_class_names(experiment.check())
    if folder is None:
        if resume or overwrite:
            raise UserError("fit: expected a folder to resume or to overwrite, found none")
        outcome, scored = run(experiment, Hooks(report=report))
        best = outcome.state.best
        history = history_columns(outcome.history, experiment.plan.eval_every)
        return Run(experiment, jax.device_get(best.params), history, scored, _epochs(best.epoch))
    path = Path(folder)
    recorder = _resumed(experiment, path) if resume else _begun(experiment, path, overwrite=overwrite)
    if recorder is not None:
        with recorder:
            recorder.finish(run(experiment, recorder.hooks(report), recorder.resume_from))
    return load_run(path, experiment)


def _begun(experiment: Experiment, path: Path, *, overwrite: bool) -> RunRecorder:
    path = run_folder.run_path(path, experiment.title, overwrite=overwrite)
    manifest = make_manifest(experiment, command=sys.argv, start=now())
    return RunRecorder(path, experiment, manifest, overwrite=overwrite)


def _resumed(experiment: Experiment, path: Path) -> RunRecorder | None:
    """The recorder of the run in a folder, from its newest checkpoint on; None for one that has finished."""
    manifest = run_folder.read_manifest(path)
    if manifest["status"] == "finished":
        return None
    from jaxnn.runs.reopen import same_data

    if not same_data(experiment, manifest) or tuple(manifest["seeds"]) != experiment.seeds:
        raise UserError(f"{path}: expected the data and the seeds that it is trained on, found others")
    return resume_recorder(path, experiment, manifest, lambda line: warnings.warn(line, stacklevel=4))


def resume_recorder(
    path: Path, experiment: Experiment, manifest: dict[str, Any], warn: Callable[[str], None]
) -> RunRecorder:
    """The recorder of an unfinished run, which continues from its newest undamaged checkpoint.

    A run that was killed before its first checkpoint has run no step: it begins again.
    """
    snapshot = None
    if checkpoints.paths(path):
        snapshot = checkpoints.load_newest_valid(path, experiment.state_shapes(), experiment.history_shapes(), warn)
    return RunRecorder(path, experiment, manifest, resume_from=snapshot, overwrite=snapshot is None)


def load_run(folder: str | os.PathLike[str], experiment: Experiment | str | None = None) -> Run:
    """The finished run in a folder. A run of a config needs no data to predict.

    experiment: the experiment of a run that `fit` made, or FILE.py:NAME of one; None where the folder names it itself
    Raises `UserError` for a folder that holds no finished run, or a damaged one.
    """
    path = Path(folder)
    manifest = run_folder.read_manifest(path)
    if manifest["status"] != "finished":
        raise UserError(f"{path}: expected a finished run, found one that is not; `jaxnn resume {path}` continues it")
    built = experiment if isinstance(experiment, Experiment) else predictor(path, manifest, experiment)
    built = built._replace(seeds=tuple(manifest["seeds"]))
    run_folder.check_file(path, manifest, "history.csv")
    scored = {
        part: {name: np.array(values) for name, values in metrics.items()}
        for part, metrics in manifest["values"].items()
    }
    history = read_history(path / "history.csv")
    return Run(
        built, read_params(path, manifest, built), history, scored, _epochs(manifest["best_epoch"]), path, manifest
    )


def _epochs(epochs: Any) -> tuple[int, ...]:
    return tuple(int(epoch) for epoch in epochs)
