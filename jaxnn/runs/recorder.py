"""Keeps a run while it trains: its folder from the first step on, and its checkpoints as the config has them."""

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from jaxnn.config.experiment import Experiment
from jaxnn.engine.chunks import PAUSE
from jaxnn.engine.hooks import Care
from jaxnn.engine.snapshot import Snapshot
from jaxnn.runs import checkpoints
from jaxnn.runs import folder as run_folder
from jaxnn.storage.files import locked


class Keeper:
    """A run's folder while it trains; to be used as a context.

    facts: the run's manifest, whose "status" is running, then finished, interrupted or failed
    begun: the checkpoint that the run goes on from; without one the folder is made at the first step
    """

    def __init__(
        self,
        folder: Path,
        experiment: Experiment,
        facts: dict[str, Any],
        *,
        begun: Snapshot | None = None,
        overwrite: bool = False,
        leave: Callable[[], bool] = lambda: False,
    ):
        self.folder, self.experiment, self.facts = folder, experiment, facts
        self._last, self._leave, self._overwrite = begun, leave, overwrite
        self._kept_at = time.perf_counter()
        self._holding = ExitStack()

    def __enter__(self) -> "Keeper":
        if self._last is not None:
            self._holding.enter_context(locked(self.folder))
            run_folder.sweep(self.folder)
            self.note(status="running", exit_status=None)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        del trace
        with self._holding:
            if kind is not None and self._last is not None and self.facts["status"] == "running":
                self.note(status="failed", exit_status=2 if isinstance(error, ValueError) else 1, error=str(error))

    def note(self, written: Iterable[str] = (), **facts: Any) -> None:
        """Writes the manifest with some facts changed, and the sums of the files that were `written`."""
        self.facts |= facts
        run_folder.write_manifest(self.folder, self.facts, written)

    def care(self) -> Care:
        """What the training asks."""
        wanted = self.experiment.config.checkpoint
        plan = self.experiment.plan
        per_epoch = plan.steps(len(self.experiment.splits[0].train.y))
        every = (wanted.epochs or 0) * per_epoch
        seconds = None if wanted.minutes is None else 60 * wanted.minutes

        def due(steps: int) -> bool:
            late = seconds is not None and time.perf_counter() - self._kept_at >= seconds
            return late or (every > 0 and steps % every == 0)

        return Care(
            due=due,
            keep=self.keep,
            leave=self._leave,
            kept=lambda: self._last,
            every=every,
            pause=PAUSE if seconds is None else min(PAUSE, seconds),
        )

    def keep(self, snapshot: Snapshot) -> None:
        """Writes a checkpoint; before the first, the run's folder."""
        if self._last is None:
            run_folder.create(self.folder, self.experiment.config, self.facts, overwrite=self._overwrite)
            self._holding.enter_context(locked(self.folder))
        checkpoints.save(self.folder, self.facts["run"], snapshot)
        checkpoints.prune(self.folder, self.facts["run"], self.experiment.config.checkpoint.keep)
        self._last, self._kept_at = snapshot, time.perf_counter()
