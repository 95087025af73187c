"""Records a run while it trains: makes its folder at the first step, writes checkpoints, and the results at the end."""

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from jaxnn.engine.chunks import SECONDS_PER_CHUNK
from jaxnn.engine.hooks import Hooks, Progress
from jaxnn.engine.snapshot import Snapshot
from jaxnn.experiment.definition import Experiment, last_params
from jaxnn.experiment.run import Result
from jaxnn.report.figures import run_figures, save_figures
from jaxnn.report.run_page import write_page
from jaxnn.report.score_table import score_rows
from jaxnn.runs import checkpoints
from jaxnn.runs import folder as run_folder
from jaxnn.runs.history import history_columns, write_history
from jaxnn.runs.manifest import now
from jaxnn.runs.weights import save_weights
from jaxnn.storage.files import locked


class RunRecorder:
    """The folder of a run while it trains. Use it as a context manager.

    manifest: the run's manifest, whose "status" is running, then finished, interrupted or failed
    resume_from: the checkpoint that the run continues from; without one the folder is made at the first step
    """

    def __init__(
        self,
        folder: Path,
        experiment: Experiment,
        manifest: dict[str, Any],
        *,
        resume_from: Snapshot | None = None,
        overwrite: bool = False,
    ):
        self.folder: Path = folder
        self.experiment: Experiment = experiment
        self.manifest: dict[str, Any] = manifest
        self.resume_from: Snapshot | None = resume_from
        self._last, self._overwrite = resume_from, overwrite
        self._saved_at = time.perf_counter()
        self._lock = ExitStack()

    def __enter__(self) -> "RunRecorder":
        if self._last is not None:
            self._lock.enter_context(locked(self.folder))
            run_folder.remove_leftovers(self.folder)
            self.update_manifest(status="running", exit_status=None)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        del trace
        with self._lock:
            if kind is not None and self._last is not None and self.manifest["status"] == "running":
                status = 2 if isinstance(error, ValueError) else 1
                self.update_manifest(status="failed", exit_status=status, error=str(error))

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
            run_folder.create(self.folder, files, self.manifest, overwrite=self._overwrite)
            self._lock.enter_context(locked(self.folder))
        checkpoints.save(self.folder, self.manifest["run"], snapshot)
        checkpoints.prune(self.folder, self.manifest["run"], self.experiment.plan.keep)
        self._last, self._saved_at = snapshot, time.perf_counter()

    def interrupt(self, exit_status: int) -> None:
        """Marks the run as interrupted; it is saved and can be resumed."""
        self.update_manifest(status="interrupted", exit_status=exit_status, end=now())

    def finish(self, result: Result) -> None:
        """Writes weights, history, figures and report, and last the manifest, which says that the run has finished."""
        folder, experiment, outcome = self.folder, self.experiment, result.outcome
        run_folder.reject_symlink(folder / "figures")
        state, stats = outcome.state, experiment.source.stats
        save_weights(folder / "best.safetensors", state.best.params, stats)
        save_weights(folder / "last.safetensors", last_params(experiment, state), stats)
        history = history_columns(outcome.history, experiment.plan.eval_every)
        write_history(folder / "history.csv", experiment.seeds, history)
        best_epoch = [int(epoch) for epoch in state.best.epoch]
        figures = save_figures(folder / "figures", run_figures(experiment, state.best.params, history, best_epoch))
        self.manifest |= {
            "epochs": [int(epoch) for epoch in state.epoch],
            "best_epoch": best_epoch,
            "scores": score_rows(experiment, result.scores),
            "values": {
                part: {name: [float(v) for v in values] for name, values in metrics.items()}
                for part, metrics in result.scores.items()
            },
            "faults": list(outcome.faults),
            "seconds": {"compile": outcome.compile_seconds, "train": outcome.seconds},
            "end": now(),
            "exit_status": 0,
            "status": "finished",
        }
        self.manifest.pop("error", None)
        write_page(folder, experiment.record.files, self.manifest, figures)
        self.update_manifest(run_folder.files(folder))
