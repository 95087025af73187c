"""What one compiled run needs: the update, its source, the plan and the seeds."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn.batch_statistics import MAX_BATCHES
from jaxnn.engine.parallel import SeedStrategy, default_strategy
from jaxnn.kernels.devices import copied_to_device
from jaxnn.layer import Batch
from jaxnn.train.batches import epoch_key, step_key
from jaxnn.train.plan import Plan
from jaxnn.train.run import Data, Training, make_training, shape_of
from jaxnn.train.sharing import Sharing
from jaxnn.train.source import Source
from jaxnn.train.state import State
from jaxnn.train.step import Bind, Update


class Job(NamedTuple):
    """A run of several seeds as one program.

    bind: hyper-parameters -> update, pure; the same function object finds the program that was compiled for it
    hyperparameters: each with a number for each seed
    stacked: every leaf of the buffer, the validation part and the stats has a leading axis of seeds
    """

    bind: Bind
    source: Source
    plan: Plan
    seeds: tuple[int, ...]
    validation: Batch | None = None
    hyperparameters: Mapping[str, np.ndarray] = {}
    stacked: bool = False
    strategy: SeedStrategy | None = None
    sharing: Sharing = Sharing()

    @property
    def training(self) -> Training:
        return make_training(self.bind, shape_of(self.source, self.plan, self.sharing))

    def seed_strategy(self) -> SeedStrategy:
        """The strategy that was asked for, or the platform's."""
        return self.strategy or default_strategy(self.bound(0))

    def bound(self, i: int) -> Update:
        """The update of the i-th seed. Its hyper-parameters are Python's numbers, which are weakly typed."""
        return self.bind({name: float(values[i]) for name, values in self.hyperparameters.items()})

    def seed_hyperparameters(self, i: int) -> dict[str, Any]:
        """The hyper-parameters of the i-th seed."""
        return {name: values[i] for name, values in self.hyperparameters.items()}

    @property
    def stacked_data(self) -> Data:
        """Which parts of the data have a leading axis of seeds."""
        own = self.stacked or self.source.per_seed
        return Data(own, self.stacked, self.stacked, own)

    def data(self, epoch: int = 0, first: int = 0) -> Data:
        """What the steps from `first` of an epoch read, on the device."""
        return copied_to_device(
            Data(self.buffer(epoch, first), self.validation, self.source.stats, self.settling(epoch + 1))
        )

    def data_of_seed(self, data: Data, seed: int) -> Data:
        """The data of the i-th seed, without the axis of seeds."""
        parts = zip(data, self.stacked_data, strict=True)
        return Data(*(jax.tree.map(lambda a: a[seed], part) if own else part for part, own in parts))

    def buffer(self, epoch: int, first: int) -> Any:
        """What the source loads for the steps from `first` of an epoch, on the host. A block is always whole."""
        source = self.source
        if not source.block:
            return source.load(0, 0, source.steps, self.seeds)
        return self._block(epoch, first, min(source.block, source.steps - first), source.block)

    def settling(self, epoch: int) -> Any:
        """The first batches of an epoch, which a model with statistics of its own is evaluated with.

        None where there is no such model, or where the buffer has all batches.
        """
        source = self.source
        if not source.block or self.bound(0).settle is None:
            return None
        count = min(source.steps, MAX_BATCHES)
        return self._block(epoch, 0, count, count)

    def _block(self, epoch: int, first: int, count: int, size: int) -> Any:
        """`count` batches, filled up to `size` of them."""
        buffer, axis = self.source.load(epoch, first, count, self.seeds), int(self.source.per_seed)

        def fill(a):
            missing = [(0, size - count if i == axis else 0) for i in range(np.ndim(a))]
            return np.pad(a, missing) if count < size else a

        return jax.tree.map(fill, buffer)

    @property
    def eval_steps(self) -> int:
        """Steps from one evaluation to the next."""
        return self.plan.eval_every * self.source.steps

    def diagnose(self, state: State, seed: int, i: int) -> str:
        """Where the next step of a seed, the i-th of its epoch, goes wrong, in words.

        state: of that seed alone, without the axis of seeds
        """
        update = self.bound(seed)
        if update.diagnose is None:
            return "NaN or infinity"
        state, source = copied_to_device(state), self.source
        data = self.data(int(state.epoch), i // source.block * source.block if source.block else 0)
        data = self.data_of_seed(data, seed)
        epoch = state.epoch
        batch = source.batches(data.buffer, data.stats)(state.key, epoch)(i)
        key = epoch_key(state.key, epoch) if source.constant else step_key(state.key, epoch, i)
        rows = None if source.positions is None else np.asarray(source.positions(state.key, epoch, i))
        return update.diagnose(state.update, batch, key, rows)
