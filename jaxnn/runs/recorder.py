"""Records a run while it trains: makes its folder at the first step, writes checkpoints, and the results at the end."""

import itertools
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from jaxnn.engine.chunks import SECONDS_PER_CHUNK
from jaxnn.engine.hooks import Hooks, Progress
from jaxnn.engine.snapshot import Snapshot
from jaxnn.experiment.definition import Experiment, last_params
from jaxnn.experiment.run import Result
from jaxnn.experiment.scores import Scores
from jaxnn.report.figures import run_figures, save_figures
from jaxnn.report.run_page import write_page
from jaxnn.report.score_table import score_rows, stored_scores
from jaxnn.runs import checkpoints
from jaxnn.runs import folder as run_folder
from jaxnn.runs.history import history_columns, write_history
from jaxnn.runs.manifest import now
from jaxnn.runs.sample_arrays import SampleArrays, read_sample_arrays
from jaxnn.runs.samples import SampleWriter, read_samples
from jaxnn.runs.weights import save_weights
from jaxnn.train.state import History, State


class RunRecorder:
    """The folder of a run while it trains, which the caller has locked. Use it as a context manager.

    manifest: the run's manifest, whose "status" is running, then finished, interrupted or failed
    start: where the run starts; None: at its first step
    resumes: whether the folder exists and `start` is one of its checkpoints; else it is made at the first step
    """

    def __init__(
        self,
        folder: Path,
        experiment: Experiment,
        manifest: dict[str, Any],
        *,
        start: Snapshot | None = None,
        resumes: bool = False,
        overwrite: bool = False,
    ):
        self.folder: Path = folder
        self.experiment: Experiment = experiment
        self.manifest: dict[str, Any] = manifest
        self.start: Snapshot | None = start
        self._last, self._overwrite = (start if resumes else None), overwrite
        samples = read_samples(folder) if resumes else []
        steps = start.steps if resumes and start is not None else 0
        self._samples = SampleWriter(experiment, samples, steps)
        self._drawn = SampleArrays(experiment, read_sample_arrays(folder) if resumes else None, steps)
        self._saved_at = time.perf_counter()

    def __enter__(self) -> "RunRecorder":
        if self.has_saved:
            run_folder.remove_leftovers(self.folder)
            self.update_manifest(status="running", exit_status=None)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        del trace
        if kind is not None and self.has_saved and self.manifest["status"] == "running":
            status = 2 if isinstance(error, ValueError) else 1
            self.update_manifest(status="failed", exit_status=status, error=str(error))

    @property
    def has_saved(self) -> bool:
        """Whether there is a checkpoint, so that the run can be resumed."""
        return self._last is not None

    def update_manifest(self, written: Iterable[str] = (), **facts: Any) -> None:
        """Writes the manifest with some facts changed, and the checksums of the files that were `written`."""
        self.manifest |= facts
        run_folder.write_manifest(self.folder, self.manifest, written)

    def hooks(
        self,
        report: Callable[[Progress], Any] = lambda progress: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Hooks:
        """The hooks of the training, which save checkpoints as the plan says."""
        plan = self.experiment.plan
        every = (plan.save_epochs or 0) * self.experiment.source.steps
        seconds = None if plan.save_minutes is None else 60 * plan.save_minutes

        def should_save(steps: int) -> bool:
            late = seconds is not None and time.perf_counter() - self._saved_at >= seconds
            return late or (every > 0 and steps % every == 0)

        return Hooks(
            report=report,
            most_steps=self._drawn.most_steps,
            watch=self._drawn.watch,
            should_save=should_save,
            save=self.save_checkpoint,
            should_stop=should_stop,
            last_saved=lambda: self._last,
            every=every,
            seconds=SECONDS_PER_CHUNK if seconds is None else min(SECONDS_PER_CHUNK, seconds),
        )

    def save_checkpoint(self, snapshot: Snapshot) -> None:
        """Writes a checkpoint; before the first one, the run's folder."""
        if self._last is None:
            files = self.experiment.record.files
            run_folder.create(self.folder, files, self.manifest, snapshot, overwrite=self._overwrite)
        else:
            checkpoints.save(self.folder, self.manifest["run"], snapshot)
            start = self.manifest.get("from", {}).get("steps")
            checkpoints.prune(self.folder, self.manifest["run"], self.experiment.plan.keep, start=start)
        self._last, self._saved_at = snapshot, time.perf_counter()
        self._samples.add(self.folder, snapshot.steps, snapshot.state.update)
        self._drawn.save(self.folder)

    def interrupt(self, exit_status: int) -> None:
        """Marks the run as interrupted; it is saved and can be resumed."""
        self.update_manifest(status="interrupted", exit_status=exit_status, end=now())

    def finish(self, result: Result) -> None:
        """Writes weights, history, figures and report, and last the manifest, which says that the run has finished."""
        folder, experiment, outcome = self.folder, self.experiment, result.outcome
        run_folder.reject_symlink(folder / "figures")
        seconds = {"compile": outcome.compile_seconds, "train": outcome.seconds}
        facts = write_results(folder, experiment, outcome.state, outcome.history, result.scores)
        self.manifest |= facts | {"faults": list(outcome.faults), "seconds": seconds}
        self.manifest.pop("error", None)
        self._samples.add_best(folder, outcome.state.best.params, facts["best_epoch"][0])
        history = history_columns(outcome.history, experiment.plan.eval_every)
        drawn = run_figures(experiment, outcome.state.best.params, history, facts["best_epoch"])
        figures = save_figures(folder / "figures", itertools.chain(drawn, self._drawn.figures()))
        texts = [(sample.title, sample.text) for sample in self._samples.samples]
        write_page(folder, experiment.record.files, self.manifest, figures, texts, history)
        self.update_manifest(run_folder.files(folder))


def write_results(
    folder: Path, experiment: Experiment, state: State, history: History, scores: Scores
) -> dict[str, Any]:
    """Writes the weights and the history of a run that has ended. Returns what its manifest says of the results."""
    save_weights(folder / "best.safetensors", state.best.params, experiment.source.stats)
    save_weights(folder / "last.safetensors", last_params(experiment, state), experiment.source.stats)
    columns = history_columns(history, experiment.plan.eval_every)
    write_history(folder / "history.csv", experiment.seeds, columns)
    return {
        "epochs": [int(epoch) for epoch in state.epoch],
        "best_epoch": [int(epoch) for epoch in state.best.epoch],
        "scores": score_rows(experiment, scores),
        "values": stored_scores(scores),
        "end": now(),
        "exit_status": 0,
        "status": "finished",
    }
