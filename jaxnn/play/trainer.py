"""One training in a thread of its own, which the page watches: the same run as that of `jaxnn.fit`."""

import threading
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple

import jax
import numpy as np

from jaxnn.engine.hooks import Hooks, Progress
from jaxnn.engine.snapshot import Snapshot
from jaxnn.errors import UserError
from jaxnn.experiment.definition import Experiment
from jaxnn.experiment.run import Result, run
from jaxnn.experiment.scores import Scores
from jaxnn.layer import Params
from jaxnn.play.controls import Controls
from jaxnn.runs.history import history_columns
from jaxnn.runs.weights import weights_sha256
from jaxnn.train.state import State

if TYPE_CHECKING:
    from jaxnn.runs.run import Run

#: Seconds that a chunk of steps takes at most: a picture that is asked for is no older.
SECONDS_PER_CHUNK = 1 / 60
#: Rows of a history that is watched: beyond them every second one is dropped.
MAX_ROWS = 2000
Status = Literal["reading", "compiling", "training", "finished", "failed", "stopped"]


class View(NamedTuple):
    """What there is to see of a training at one moment. Every leaf of `params` has a leading axis of seeds.

    number: grows with each view of a training
    params: those that are trained, on the host; of a finished training the best ones
    """

    number: int
    params: Params
    steps: int


class Ended(NamedTuple):
    """What came of a training that has finished; params and the epochs are the best of each seed.

    sha256: of the file of these parameters
    """

    params: Params
    best_epoch: tuple[int, ...]
    scores: Scores
    sha256: str


class Trainer:
    """A training that starts when it is made. `make` builds its experiment, in the training's own thread.

    float64: whether it computes in double precision
    after: a training that must end before this one starts
    finished: a finished run of the experiment, which is shown in place of a training
    """

    def __init__(
        self,
        make: Callable[[], Experiment],
        *,
        playing: bool = True,
        speed: float | None = None,
        float64: bool = False,
        after: "Trainer | None" = None,
        finished: "Run | None" = None,
    ):
        self.status: Status = "reading"
        self.message: str = ""
        self.experiment: Experiment | None = None
        self.controls: Controls = Controls(playing=playing, speed=speed)
        self.history: dict[str, np.ndarray] = {}
        self.result: Result | None = None
        self.ended: Ended | None = None
        self.last_saved: Snapshot | None = None
        self._float64, self._make, self._after, self._finished_run = float64, make, after, finished
        self._view: View | None = None
        self._last: tuple[State, int] | None = None
        self._changed = threading.Condition()
        self._wanted = True
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True, name="training")
        self._thread.start()

    def stop(self) -> None:
        """Asks the training to end. It ends after its current chunk of steps."""
        self._stopping = True
        self.controls.stop()

    def join(self, timeout: float | None = None) -> None:
        """Waits for the training's end."""
        self._thread.join(timeout)

    @property
    def running(self) -> bool:
        return self.status in ("reading", "compiling", "training")

    @property
    def playing(self) -> bool:
        return self.controls.playing and self.running

    def newest(self, after: int, timeout: float) -> View | None:
        """The newest view with a number above `after`; the last one where none comes within `timeout` seconds."""
        end = time.monotonic() + timeout
        with self._changed:
            self._wanted = True
            while self.running and (self._view is None or self._view.number <= after):
                remaining = end - time.monotonic()
                if remaining <= 0:
                    break
                self._changed.wait(remaining)
            return self._view

    def touch(self) -> None:
        """Gives the last view a new number, so that it is shown again: something beside the parameters has changed."""
        with self._changed:
            self._renumber()

    def _renumber(self) -> None:
        """The last view as a new one, for whoever waits; the lock is held."""
        if self._view is not None:
            self._view = self._view._replace(number=self._view.number + 1)
        self._changed.notify_all()

    def _run(self) -> None:
        if self._after is not None:
            self._after.stop()
            self._after.join()
            self._after = None
        try:
            with jax.enable_x64(self._float64):
                self._train()
        except UserError as error:
            self._end("failed", str(error))
        except Exception as error:
            traceback.print_exc()
            self._end("failed", f"a mistake of jaxnn, which the terminal shows: {type(error).__name__}: {error}")

    def _train(self) -> None:
        experiment = self._make()
        self.experiment = experiment
        if self._finished_run is not None:
            found = self._finished_run
            self.history = dict(found.history)
            self._show_best(
                found.params, found.best_epoch, found.scores, experiment.plan.epochs * experiment.source.steps
            )
            self._end("finished")
            return
        self.controls.steps = experiment.source.steps
        self.status = "compiling"
        hooks = Hooks(
            most_steps=self._most_steps,
            watch=self._watch,
            report=self._report,
            save=self._save,
            should_stop=lambda: self._stopping,
            last_saved=lambda: self.last_saved,
            seconds=SECONDS_PER_CHUNK,
        )
        result = run(experiment, hooks)
        self.result = result
        if result.outcome.finished:
            self.history = history_columns(result.outcome.history, experiment.plan.eval_every)
            best = jax.device_get(result.outcome.state.best)
            self._show_best(best.params, tuple(map(int, best.epoch)), result.scores, result.outcome.steps)
        self._end("finished" if result.outcome.finished else "stopped")

    def _most_steps(self, done: int) -> int:
        if not self.controls.playing:
            # What stands still is shown as it stands.
            self._show_last()
        return self.controls.most_steps(done)

    def _watch(self, state: State, done: int) -> None:
        self._last = state, done
        self.status = "training"
        if self._wanted or self._view is None:
            self._show_last()

    def _show_last(self) -> None:
        assert self.experiment is not None and self._last is not None
        state, done = self._last
        if self._view is not None and self._view.steps == done:
            return
        params = jax.vmap(self.experiment.bound().params)(state.update)
        # The next chunk gives up the memory of this state: a copy is shown.
        self._show(jax.tree.map(np.array, params), done)

    def _show(self, params: Params, done: int) -> None:
        with self._changed:
            number = 1 if self._view is None else self._view.number + 1
            self._view = View(number, params, done)
            self._wanted = False
            self._changed.notify_all()

    def _show_best(self, params: Params, epochs: tuple[int, ...], scores: Scores, done: int) -> None:
        assert self.experiment is not None
        self.ended = Ended(params, epochs, scores, weights_sha256(params, self.experiment.source.stats))
        self._show(params, done)

    def _report(self, progress: Progress) -> None:
        assert self.experiment is not None
        row = jax.tree.map(lambda a: a[:, None], progress.history)
        columns = history_columns(row, self.experiment.plan.eval_every)
        columns["epoch"] = np.array([progress.done * self.experiment.plan.eval_every])
        self.history = _appended(self.history, columns)

    def _save(self, snapshot: Snapshot) -> None:
        self.last_saved = snapshot

    def _end(self, status: Status, message: str = "") -> None:
        with self._changed:
            self.status, self.message = status, message
            self._renumber()


def _appended(history: dict[str, np.ndarray], row: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    if not history:
        return row
    longer = {name: np.concatenate([history[name], values], axis=-1) for name, values in row.items() if name in history}
    if longer["epoch"].shape[-1] <= MAX_ROWS:
        return longer
    return {name: values[..., 1::2] for name, values in longer.items()}
