"""The compiled program of a run, and what it says of itself after each chunk."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Bool

from jaxnn.train.chunks import Chunks
from jaxnn.train.plan import Data, Plan
from jaxnn.train.run import History, State, Training
from jaxnn.train.seeds import How, over_seeds
from jaxnn.train.snapshot import is_key, on_device


class Program:
    """The seeds of a run as one program: `walk` is compiled once, `pass_over` only if it comes to that.

    stacked: every leaf of `data` has a leading axis of seeds
    """

    def __init__(
        self, training: Training, keys: Array, data: Data, stacked: bool, how: How, plan: Plan, chunks: Chunks
    ):
        self.data, self.stacked, self.plan, self.chunks = data, stacked, plan, chunks
        self._training, self._keys = training, keys
        self._how: How = how
        self._init = jax.jit(over_seeds(training.init, len(keys), (True, stacked), how))
        state = self.first()
        #: Which leaves of the optimizer's state must be finite: some begin with infinity.
        self._watched = [bool(np.isfinite(leaf).all()) for leaf in _floats(state.optimizer)]
        self._like = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=a.sharding), state)
        self._walk, rows = self._compiled(training.part)
        #: A history of no records.
        self.no_rows: History = jax.tree.map(lambda a: np.zeros((len(keys), 0), a.dtype), rows)

    def _compiled(self, part: Callable[..., tuple[State, History]]) -> tuple[Callable[..., Any], History]:
        """A part of a run for all seeds, and the shapes of its rows."""

        def chunk(state, data, start, count):
            state, rows = part(state, data, start, count, self.chunks.rows)
            return state, rows, self._sound(state)

        # The state is given up to the next one: training needs no second copy of the parameters.
        shared = jax.jit(
            over_seeds(chunk, len(self._keys), (True, self.stacked, False, False), self._how), donate_argnums=0
        )
        lowered = shared.lower(self._like, self.data, jnp.int32(0), jnp.int32(1))
        return lowered.compile(), lowered.out_info[1]

    def _sound(self, state: State) -> Bool[Array, ""]:
        leaves = _floats((state.params, state.seen.metrics.loss))
        watched = zip(_floats(state.optimizer), self._watched, strict=True)
        leaves += [leaf for leaf, watch in watched if watch]
        return jnp.stack([jnp.isfinite(leaf).all() for leaf in leaves]).all()

    def first(self) -> State:
        """The state before the first step."""
        return jax.block_until_ready(self._init(self._keys, self.data))

    def to_device(self, state: State) -> State:
        """A state that `on_host` made, where the program expects it."""
        return on_device(state, self._like)

    def of_seed(self, i: int) -> Data:
        """The data of one seed."""
        return jax.tree.map(lambda a: a[i], self.data) if self.stacked else self.data

    def walk(self, state: State, done: int, count: int) -> tuple[State, History, np.ndarray]:
        """The next `count` steps after the first `done`: the state, the rows of the records that they end, and which
        seeds are sound: finite in parameters, optimizer and losses."""
        return self._run(self._walk, state, done, count)

    def pass_over(self, state: State, done: int) -> tuple[State, History, np.ndarray]:
        """The same for one step, from which nothing is learned."""
        return self._run(self._passing, state, done, 1)

    @cached_property
    def _passing(self) -> Callable[..., Any]:
        return self._compiled(self._training.passing)[0]

    def _run(self, compiled: Callable[..., Any], state: State, done: int, count: int):
        record = self.chunks.record
        computed = compiled(state, self.data, jnp.int32(done % record), jnp.int32(count))
        # What got no memory is said here; NumPy's look at it would end the process.
        state, rows, sound = jax.block_until_ready(computed)
        ended = (done + count) // record - done // record
        rows = jax.tree.map(lambda a: np.asarray(a)[:, :ended], rows)
        # A seed that patience has stopped leaves its rows blank.
        whole = np.asarray(state.epoch)[:, None] // self.plan.record_every - done // record
        losses = [rows.train.loss] + ([] if self.data.validation is None else [rows.validation.loss])
        blank = np.arange(ended) >= whole
        finite = np.stack([np.isfinite(loss) | blank for loss in losses]).all(axis=(0, 2))
        return state, rows, np.asarray(sound) & finite


def _floats(tree: Any) -> list[Array]:
    return [a for a in jax.tree.leaves(tree) if not is_key(a) and jnp.issubdtype(a.dtype, jnp.inexact)]
