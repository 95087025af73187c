"""Runs from Python: `fit` trains an experiment, with or without a folder; `load_run` reads a folder back."""

import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxnn.engine.hooks import Hooks, Progress
from jaxnn.errors import UserError, describe
from jaxnn.experiment.definition import Experiment, seed_params, with_class_names
from jaxnn.experiment.run import run
from jaxnn.experiment.sampling import draw_samples
from jaxnn.experiment.scores import Scores, predict
from jaxnn.experiment.text_generation import generate_texts
from jaxnn.layer import Batch, Params
from jaxnn.report.figure import Figure
from jaxnn.report.figures import run_figures
from jaxnn.report.score_table import restored_scores
from jaxnn.runs import checkpoints
from jaxnn.runs import folder as run_folder
from jaxnn.runs.continuation import Continuation, continuation
from jaxnn.runs.history import history_columns, read_history
from jaxnn.runs.manifest import make_manifest, now
from jaxnn.runs.recorder import RunRecorder
from jaxnn.runs.reopen import predictor, read_config, read_params, rebuild_experiment
from jaxnn.runs.run_data import check_same_data
from jaxnn.storage.files import expand_user
from jaxnn.storage.locks import locked, remove_abandoned_lock


@dataclass(frozen=True)
class Run:
    """A finished run. Arrays have a leading axis of seeds.

    params: the best parameters of each seed
    history: "epoch" (rows,), "train_loss" (seeds, rows), "validation_accuracy" and so on
    scores: part -> metric -> a value for each seed, of the best parameters; of "…_per_class" and "…_per_output" a row
        for each seed. NaN: not defined, such as the precision of a class that is never predicted
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
        return jax.tree.map(_mean, *each)

    def generate(
        self,
        prompt: str | Sequence[str] | None = None,
        length: int = 500,
        *,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int = 0,
        samples: int = 1,
        stop: str | None = None,
        run_seed: int = 0,
    ) -> list[str]:
        """Texts of a language model that was trained on a text: `samples` for each prompt, which begin with it.

        prompt: a text or several; None begins with a line end where the vocabulary has one, else with its first token
        length: of what is written after the prompt, in characters, bytes or words
        temperature, top_k, top_p: which tokens are drawn, see `jaxnn.generate`
        seed: of what is drawn; equal arguments give equal texts
        stop: a text before which a sample ends
        run_seed: the position of the trained seed

        Raises `UserError` for a run that continues no text, and for a character that the training text does not have.
        """
        return generate_texts(
            self.experiment,
            seed_params(self.params, run_seed),
            [prompt] if prompt is None or isinstance(prompt, str) else list(prompt),
            length,
            jax.random.key(seed),
            samples=samples,
            stop=stop,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
        )

    def sample(self, count: int = 64, *, seed: int = 0, label: int | None = None, run_seed: int = 0) -> np.ndarray:
        """`count` new examples of a generative net, in the units in which the model sees examples: (count, …).

        seed: of what is drawn; equal arguments give equal samples
        label: the class of all samples, for a net that is told classes; None draws one for each
        run_seed: the position of the trained seed

        Raises `UserError` for a run that makes no samples, and for an unknown class.
        """
        params = seed_params(self.params, run_seed)
        return draw_samples(self.experiment, params, count, jax.random.key(seed), label, run_seed)

    def figures(self) -> list[Figure]:
        """The figures that apply to the run, as its report has them; `figure.figure` is matplotlib's.

        Raises `UserError` where the data are needed and missing.
        """
        return list(run_figures(self.with_data().experiment, self.params, self.history, self.best_epoch))

    def with_data(self, data_dir: Path | None = None, overrides: Sequence[str] = ()) -> "Run":
        """The run with its data. The run of a config is read without them; an experiment in Python has them already.

        overrides: of a config's data table, such as "data.path=mine.csv", where the data are elsewhere
        Raises `UserError` where the data are missing, or are not those that the run was trained on.
        """
        if self.folder is None or self.manifest is None:
            return self
        if read_config(self.folder, self.manifest, overrides) is None:
            check_same_data(self.folder, self.manifest, self.experiment)
            return self
        return replace(self, experiment=rebuild_experiment(self.folder, self.manifest, data_dir, overrides=overrides))


def fit(
    experiment: Experiment,
    folder: str | os.PathLike[str] | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    from_run: str | os.PathLike[str] | None = None,
    report: Callable[[Progress], Any] = lambda progress: None,
) -> Run:
    """Trains every seed of an experiment as one program.

    folder: where the run is kept, with checkpoints, figures and a report, for `jaxnn resume` and all other commands;
        None keeps nothing on the disk
    resume: continues the run in the folder, which must be of this experiment
    overwrite: replaces a run that is in the folder
    from_run: the folder of a finished run that this one continues, with more epochs than it has. On the same data it
        starts from that run's whole state, so 20 epochs and 40 more equal 60 epochs bit for bit; rates, batch size and
        patience may differ. On other data it starts at epoch 0 from that run's best parameters
    report(progress): called about once a second

    Raises `UserError` for an experiment that cannot be trained or a folder that cannot be used, `NonFiniteError` for
    NaN, infinity or divergence.
    """
    if not isinstance(experiment, Experiment):
        raise UserError(f"fit: expected a jaxnn.Experiment, found {describe(experiment)}")
    experiment = with_class_names(experiment.check())
    if resume and from_run is not None:
        raise UserError("fit: expected resume or from_run, found both: a run that resumes starts where it was stopped")
    origin = None if from_run is None else continuation(experiment, Path(from_run))
    if folder is None:
        if resume or overwrite:
            raise UserError("fit: expected a folder to resume or to overwrite, found none")
        outcome, scored = run(experiment, Hooks(report=report), None if origin is None else origin.start)
        best = outcome.state.best
        history = history_columns(outcome.history, experiment.plan.eval_every)
        return Run(experiment, jax.device_get(best.params), history, scored, _epochs(best.epoch))
    path = expand_user(folder)
    if resume:
        if run_folder.read_manifest(path)["status"] == "finished":
            remove_abandoned_lock(path)
        else:
            with locked(path), _resumed(experiment, path) as recorder:
                recorder.finish(run(experiment, recorder.hooks(report), recorder.start))
        return load_run(path, experiment)
    manifest = make_manifest(experiment, command=sys.argv, start=now())
    recorder = new_recorder(path, experiment, manifest, origin, overwrite=overwrite)
    with run_folder.claimed_path(path, experiment.title, overwrite=overwrite), recorder:
        recorder.finish(run(experiment, recorder.hooks(report), recorder.start))
    return load_run(path, experiment)


def new_recorder(
    path: Path, experiment: Experiment, manifest: dict[str, Any], origin: Continuation | None, *, overwrite: bool
) -> RunRecorder:
    """The recorder of a new run, which continues another one where there is an `origin`."""
    if origin is None:
        return RunRecorder(path, experiment, manifest, overwrite=overwrite)
    return RunRecorder(path, experiment, manifest | {"from": origin.facts}, start=origin.start, overwrite=overwrite)


def _resumed(experiment: Experiment, path: Path) -> RunRecorder:
    """The recorder of the unfinished run in a folder, from its newest checkpoint on."""
    manifest = run_folder.read_manifest(path)
    check_same_data(path, manifest, experiment)
    if tuple(manifest["seeds"]) != experiment.seeds:
        raise UserError(f"{path}: expected its seeds {manifest['seeds']}, found {list(experiment.seeds)}")
    return resume_recorder(path, experiment, manifest, lambda line: warnings.warn(line, stacklevel=4))


def resume_recorder(
    path: Path, experiment: Experiment, manifest: dict[str, Any], warn: Callable[[str], None]
) -> RunRecorder:
    """The recorder of an unfinished run, which continues from its newest undamaged checkpoint.

    A run that has lost its checkpoints begins again, unless it continues another.
    """
    if checkpoints.paths(path) or "from" in manifest:
        start = checkpoints.load_newest_valid(path, experiment.state_shapes(), experiment.history_shapes(), warn)
        return RunRecorder(path, experiment, manifest, start=start, resumes=True)
    return RunRecorder(path, experiment, manifest, overwrite=True)


def load_run(folder: str | os.PathLike[str], experiment: Experiment | str | None = None) -> Run:
    """The finished run in a folder. A run of a config needs no data to predict.

    experiment: the experiment of a run that `fit` made, or FILE.py:NAME of one; None where the folder names it itself
    Raises `UserError` for a folder that holds no finished run, or a damaged one.
    """
    path = expand_user(folder)
    manifest = run_folder.read_manifest(path)
    if manifest["status"] != "finished":
        raise UserError(f"{path}: expected a finished run, found one that is not; `jaxnn resume {path}` continues it")
    built = experiment if isinstance(experiment, Experiment) else predictor(path, manifest, experiment)
    built = built._replace(seeds=tuple(manifest["seeds"]))
    built.check_seeds()
    run_folder.check_file(path, manifest, "history.csv")
    params, history = read_params(path, manifest, built), read_history(path / "history.csv")
    scored = restored_scores(manifest["values"])
    return Run(built, params, history, scored, _epochs(manifest["best_epoch"]), path, manifest)


def _mean(*predictions: np.ndarray) -> np.ndarray:
    """The mean over seeds; integers, such as lengths, are the same for all."""
    if np.issubdtype(predictions[0].dtype, np.integer):
        return predictions[0]
    return np.mean(predictions, axis=0)


def _epochs(epochs: Any) -> tuple[int, ...]:
    return tuple(int(epoch) for epoch in epochs)
