"""The compiled program of a run: it runs a chunk of steps and says which seeds are still finite."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from jaxnn.engine.chunks import ChunkSchedule
from jaxnn.engine.compiled_run import CompiledRun, floats
from jaxnn.engine.job import Job
from jaxnn.engine.parallel import sharing_mesh
from jaxnn.engine.snapshot import on_device, place
from jaxnn.kernels.devices import copied_to_device
from jaxnn.metrics import lower_is_better
from jaxnn.quantities import unmark_undefined
from jaxnn.train.run import Data
from jaxnn.train.state import History, State

#: Blocks of a stream that are read while another one is trained on.
BLOCKS_AHEAD = 2


class Program:
    """The seeds of a job as one compiled program, with the data that its next steps read."""

    def __init__(self, job: Job, schedule: ChunkSchedule):
        self.job: Job = job
        self.schedule: ChunkSchedule = schedule
        self._seeds = np.asarray(job.seeds, np.uint32)
        self._position = 0, 0
        self._data = self._placed(job.data())
        self._ahead: dict[tuple[int, int], Future[Data]] = {}
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="batches") if job.source.block else None
        self._read_ahead(self._position)
        n = len(job.seeds)
        self._compiled = CompiledRun(
            job.training, n, job.hyperparameters, self._data, job.stacked_data, job.seed_strategy(), job.sharing
        )
        self._learn = self._compiled.chunk("learn")
        state = self.first()
        #: Which floating leaves of the update's state must stay finite: some optimizers begin with infinity.
        self._checked = np.array([bool(np.isfinite(leaf).all()) for leaf in floats(state.update)], bool)
        #: A history of no evaluations.
        self.no_rows: History = jax.tree.map(lambda a: np.zeros((n, 0), a.dtype), self._learn.rows)

    def first(self) -> State:
        """The state before the first step."""
        return jax.block_until_ready(self._compiled.init(self._seeds, self.job.hyperparameters))

    def to_device(self, state: State) -> State:
        """A state on the host, such as `on_host` makes, where the program expects it."""
        return on_device(state, self._learn.state)

    def run_steps(self, state: State, done: int, count: int) -> tuple[State, History, np.ndarray]:
        """The `count` steps after the first `done`: the new state, the rows of the evaluations that they end, and
        which seeds are finite in their state and in what was measured. Gives up the old state's memory."""
        return self._run(self._learn.call, state, done, count)

    def skip_step(self, state: State, done: int) -> tuple[State, History, np.ndarray]:
        """The same for one step, from which nothing is learned."""
        return self._run(self._compiled.chunk("skip").call, state, done, 1)

    def _load(self, done: int) -> Data:
        """The data of the step after the first `done`."""
        source = self.job.source
        if source.block:
            epoch, step = divmod(done, source.steps)
            position = epoch, step // source.block * source.block
            if position != self._position:
                waiting = self._ahead.pop(position, None)
                self._data = self._loaded(position) if waiting is None else waiting.result()
                self._position = position
                self._read_ahead(position)
        return self._data

    def close(self) -> None:
        """Gives up the data, and reads nothing more."""
        if self._reader is not None:
            self._reader.shutdown(wait=False, cancel_futures=True)
        self._ahead = {}
        del self._data

    def _read_ahead(self, position: tuple[int, int]) -> None:
        """Begins to read the blocks after a position, so that they are there when it has been trained on."""
        if self._reader is None:
            return
        source, ahead = self.job.source, {}
        for _ in range(BLOCKS_AHEAD):
            epoch, first = position
            position = (epoch, first + source.block) if first + source.block < source.steps else (epoch + 1, 0)
            if position[0] >= self.job.plan.epochs:
                break
            ahead[position] = self._ahead.pop(position, None) or self._reader.submit(self._loaded, position)
        for unwanted in self._ahead.values():
            unwanted.cancel()
        self._ahead = ahead

    def _loaded(self, position: tuple[int, int]) -> Data:
        """The data of a block. What does not change, such as the validation part, is that of the first one."""
        epoch, first = position
        job, old = self.job, self._data
        has_settling = old.settling is not None
        new = Data(job.buffer(epoch, first), (), (), job.settling(epoch + 1) if has_settling else ())
        new = self._placed(copied_to_device(new))
        return old._replace(buffer=new.buffer, settling=new.settling if has_settling else None)

    def _placed(self, data: Data) -> Data:
        """The data on each of the devices that share a step."""
        sharing = self.job.sharing
        if not sharing.is_shared:
            return data
        replicated = NamedSharding(sharing_mesh(sharing), PartitionSpec())
        return jax.tree.map(lambda a: place(a, replicated), data)

    def _run(self, compiled: Callable[..., Any], state: State, done: int, count: int):
        evaluation = self.schedule.eval_steps
        computed = compiled(state, self._load(done), np.int32(done % evaluation), np.int32(count), self._checked)
        # Here a lack of memory is raised; later, NumPy's reading of the array would end the process.
        state, rows, finite = jax.block_until_ready(computed)
        ended = (done + count) // evaluation - done // evaluation
        rows = jax.tree.map(lambda a: unmark_undefined(np.asarray(a)[:, :ended]), rows)
        # A seed that patience has stopped measures nothing more.
        evaluated = np.asarray(state.epoch)[:, None] // self.job.plan.eval_every - done // evaluation
        blank = np.arange(ended) >= evaluated
        rows = jax.tree.map(lambda a: np.where(blank, np.asarray(np.nan, a.dtype), a), rows)
        losses = [a for part in rows for name, a in part.items() if lower_is_better(name)]
        valid = [(np.isfinite(loss) | blank).all(axis=1) for loss in losses]
        return state, rows, np.asarray(np.stack([np.asarray(finite), *valid]).all(axis=0))
