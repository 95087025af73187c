"""The compiled program of a run, and what it says of itself after each chunk."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Bool

from jaxnn.engine.chunks import LONGEST, Chunks
from jaxnn.engine.parallel import How, over_seeds
from jaxnn.engine.snapshot import is_key, on_device
from jaxnn.kernels import backend
from jaxnn.kernels.xla_options import compiler_options
from jaxnn.train.plan import Data, Plan
from jaxnn.train.run import Training
from jaxnn.train.state import History, Settings, State

#: Compiled programs that a process keeps at once.
KEPT = 64


class Chunk(NamedTuple):
    """A compiled part of a run for all seeds, and the shapes of the state and the rows that it gives."""

    call: Any
    state: State
    rows: History

    @property
    def bytes(self) -> int:
        """Memory that it takes on this machine, as the compiler counts it, with the copy of the state kept aside."""
        figures = self.call.memory_analysis()
        one = figures.argument_size_in_bytes + figures.output_size_in_bytes + figures.temp_size_in_bytes
        sharing = len(jax.tree.leaves(self.state)[0].sharding.device_set)
        # The devices of a CPU share the machine's memory, and each has the data.
        return one * sharing if backend.platform() == "cpu" else one


@functools.lru_cache(KEPT)
def _jitted(training: Training, n: int, stacked: bool, how: How) -> dict[str, Any]:
    """The parts of a run of `n` seeds, by name, to be compiled."""

    def chunk(part: Callable[..., tuple[State, History]]):
        def walk(state, data, start, count, watched):
            state, rows = part(state, data, start, count, LONGEST)
            return state, rows, _sound(state, watched)

        # The state is given up to the next one: training needs no second copy of the parameters.
        whole = over_seeds(walk, n, (True, stacked, False, False, False), how)
        return jax.jit(whole, donate_argnums=0, compiler_options=compiler_options())

    # Run once: it is compiled in haste.
    hasty = compiler_options(xla_backend_optimization_level=1)
    init = jax.jit(over_seeds(training.init, n, (True, stacked, True), how), compiler_options=hasty)
    return {"init": init, "part": chunk(training.part), "passing": chunk(training.passing)}


@functools.lru_cache(KEPT)
def _compiled(function: Any, treedef: Any, leaves: tuple[Any, ...], x64: bool) -> tuple[Any, Any]:
    """A function compiled for arguments of these shapes, once in a process, and the shapes of what it gives."""
    del x64  # a key alone
    lowered = function.lower(*jax.tree.unflatten(treedef, leaves))
    compiled = lowered.compile()
    given = jax.tree.map(
        lambda a, sharding: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=sharding),
        lowered.out_info,
        compiled.output_shardings,
    )
    return compiled, given


def _compile(function: Any, *args: Any) -> tuple[Any, Any]:
    leaves, treedef = jax.tree.flatten(args)
    shapes = tuple(a if isinstance(a, jax.ShapeDtypeStruct) else jax.ShapeDtypeStruct(a.shape, a.dtype) for a in leaves)
    return _compiled(function, treedef, shapes, bool(jax.config.read("jax_enable_x64")))


def _sound(state: State, watched: Bool[Array, "leaves"]) -> Bool[Array, ""]:
    leaves = _floats((state.params, state.seen.metrics.loss))
    finite = [jnp.isfinite(leaf).all() for leaf in leaves]
    finite += [jnp.isfinite(leaf).all() | ~watched[i] for i, leaf in enumerate(_floats(state.optimizer))]
    return jnp.stack(finite).all()


class Compiled:
    """The programs of `n` seeds, compiled for data and settings of given shapes, once in a process for each.

    stacked: every leaf of `data` has a leading axis of seeds
    """

    def __init__(self, training: Training, n: int, settings: Any, data: Data, stacked: bool, how: How):
        self._functions = _jitted(training, n, stacked, how)
        self.data = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), data)
        keys = jax.eval_shape(jax.vmap(jax.random.key), jax.ShapeDtypeStruct((n,), jnp.uint32))
        self.init, self.state = _compile(self._functions["init"], keys, self.data, settings)

    def chunk(self, name: str) -> Chunk:
        """The program "part", or "passing", which learns nothing."""
        number = jax.ShapeDtypeStruct((), jnp.int32)
        watched = jax.ShapeDtypeStruct((len(_floats(self.state.optimizer)),), bool)
        call, (state, rows, _) = _compile(self._functions[name], self.state, self.data, number, number, watched)
        return Chunk(call, state, rows)


class Program:
    """The seeds of a run as one program, in which each has its own settings.

    stacked: every leaf of `data` has a leading axis of seeds
    """

    def __init__(
        self,
        training: Training,
        keys: Array,
        settings: Settings,
        data: Data,
        stacked: bool,
        how: How,
        plan: Plan,
        chunks: Chunks,
    ):
        self.data, self.stacked, self.plan, self.chunks = data, stacked, plan, chunks
        self._keys, self._settings = keys, settings
        self._compiled = Compiled(training, len(keys), settings, data, stacked, how)
        self._walk = self._compiled.chunk("part")
        state = self.first()
        #: Which leaves of the optimizer's state must be finite: some begin with infinity.
        self._watched = np.array([bool(np.isfinite(leaf).all()) for leaf in _floats(state.optimizer)], bool)
        #: A history of no records.
        self.no_rows: History = jax.tree.map(lambda a: np.zeros((len(keys), 0), a.dtype), self._walk.rows)

    def first(self) -> State:
        """The state before the first step."""
        return jax.block_until_ready(self._compiled.init(self._keys, self.data, self._settings))

    def to_device(self, state: State) -> State:
        """A state that `on_host` made, where the program expects it."""
        return on_device(state, self._walk.state)

    def of_seed(self, i: int) -> Data:
        """The data of one seed."""
        return jax.tree.map(lambda a: a[i], self.data) if self.stacked else self.data

    def walk(self, state: State, done: int, count: int) -> tuple[State, History, np.ndarray]:
        """The next `count` steps after the first `done`: the state, the rows of the records that they end, and which
        seeds are sound: finite in parameters, optimizer and losses."""
        return self._run(self._walk.call, state, done, count)

    def pass_over(self, state: State, done: int) -> tuple[State, History, np.ndarray]:
        """The same for one step, from which nothing is learned."""
        return self._run(self._compiled.chunk("passing").call, state, done, 1)

    def _run(self, compiled: Callable[..., Any], state: State, done: int, count: int):
        record = self.chunks.record
        computed = compiled(state, self.data, np.int32(done % record), np.int32(count), self._watched)
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


def _floats(tree: Any) -> list[Any]:
    return [a for a in jax.tree.leaves(tree) if not is_key(a) and jnp.issubdtype(a.dtype, jnp.inexact)]
