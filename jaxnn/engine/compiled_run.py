"""The functions of a run, compiled for data of given shapes, once in a process."""

import functools
from typing import Any, NamedTuple

import jax
from jax import numpy as jnp
from jaxtyping import Array, Bool

from jaxnn.engine.chunks import MAX_EVALUATIONS
from jaxnn.engine.parallel import SeedStrategy, jit_is_disabled, map_seeds
from jaxnn.engine.snapshot import is_key
from jaxnn.kernels import backend
from jaxnn.kernels.devices import local_devices
from jaxnn.kernels.xla_options import compiler_options
from jaxnn.train.run import Data, Training
from jaxnn.train.sharing import Sharing
from jaxnn.train.state import History, State

#: Compiled programs that a process keeps at once.
MAX_PROGRAMS = 64


class CompiledChunk(NamedTuple):
    """A compiled chunk of a run for all seeds, and the shapes of the state and the rows that it returns."""

    call: Any
    state: State
    rows: History

    @property
    def bytes(self) -> int:
        """The memory that it takes on this machine by the compiler's figures, with a copy of the state.

        0 where it is not compiled.
        """
        if not hasattr(self.call, "memory_analysis"):
            return 0
        figures = self.call.memory_analysis()
        per_device = figures.argument_size_in_bytes + figures.output_size_in_bytes + figures.temp_size_in_bytes
        devices = len(jax.tree.leaves(self.state)[0].sharding.device_set)
        # The devices of a CPU share the machine's memory, and each has the data.
        return per_device * devices if backend.platform() == "cpu" else per_device


@functools.lru_cache(MAX_PROGRAMS)
def _jitted(
    training: Training, n: int, stacked: Data, strategy: SeedStrategy, sharing: Sharing, devices: tuple[Any, ...]
) -> dict[str, Any]:
    """The functions of a run of n seeds, by name, to be compiled. `devices` is part of the key alone."""
    del devices

    def chunk(learn: bool):
        def run_chunk(state, start, count, checked, *data):
            state, rows = training.run_steps(state, Data(*data), start, count, MAX_EVALUATIONS, learn)
            return state, rows, _finite(state, checked)

        seeds = map_seeds(run_chunk, n, (True, False, False, False, *stacked), strategy, sharing)

        def run_seeds(state, data, start, count, checked):
            return seeds(state, start, count, checked, *data)

        # The state is donated to the next one: training needs no second copy of the parameters.
        return jax.jit(run_seeds, donate_argnums=0, compiler_options=compiler_options())

    # It runs once: a fast compilation is worth more than fast code. Where JAX optimizes nothing, level 1 is more.
    optimizes = not jax.config.read("jax_disable_most_optimizations")
    fast_compile = compiler_options({"xla_backend_optimization_level": 1} if optimizes else None)

    def first(seed, hyperparameters):
        return training.init(jax.random.key(seed), hyperparameters)

    init = jax.jit(map_seeds(first, n, (True, True), strategy, sharing), compiler_options=fast_compile)
    return {"init": init, "learn": chunk(True), "skip": chunk(False)}


@functools.lru_cache(MAX_PROGRAMS)
def _compiled(function: Any, treedef: Any, leaves: tuple[Any, ...], x64: bool, disable_jit: bool) -> tuple[Any, Any]:
    """A function compiled for arguments of these shapes, once in a process, and the shapes that it returns.

    With JAX's flag `jax_disable_jit` it is the function itself, which runs an operation at a time.
    """
    del x64  # a key alone
    args = jax.tree.unflatten(treedef, leaves)
    if disable_jit:
        return function, jax.eval_shape(function, *args)
    lowered = function.lower(*args)
    compiled = lowered.compile()
    shapes = jax.tree.map(
        lambda a, sharding: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=sharding),
        lowered.out_info,
        compiled.output_shardings,
    )
    return compiled, shapes


def _compile(function: Any, *args: Any) -> tuple[Any, Any]:
    leaves, treedef = jax.tree.flatten(args)
    shapes = tuple(a if isinstance(a, jax.ShapeDtypeStruct) else jax.ShapeDtypeStruct(a.shape, a.dtype) for a in leaves)
    return _compiled(function, treedef, shapes, bool(jax.config.read("jax_enable_x64")), jit_is_disabled())


def _finite(state: State, checked: Bool[Array, "leaves"]) -> Bool[Array, ""]:
    """Whether a seed is finite: in what it measured, and in the leaves of its state that are checked."""

    # A stack of all leaves and one `|`: an operation for each leaf takes a tenth of a program's time to compile.
    def each(tree):
        return jnp.array([jnp.isfinite(leaf).all() for leaf in floats(tree)], bool)

    return each(state.sums).all() & (each(state.update) | ~checked).all()


def floats(tree: Any) -> list[Any]:
    """The floating leaves of a state."""
    return [a for a in jax.tree.leaves(tree) if not is_key(a) and jnp.issubdtype(a.dtype, jnp.inexact)]


class CompiledRun:
    """The programs of n seeds, compiled for data and hyper-parameters of given shapes, once in a process for each.

    stacked: which parts of `data` have a leading axis of seeds
    """

    def __init__(
        self,
        training: Training,
        n: int,
        hyperparameters: Any,
        data: Data,
        stacked: Data,
        strategy: SeedStrategy,
        sharing: Sharing,
    ):
        self._functions = _jitted(training, n, stacked, strategy, sharing, tuple(local_devices()))
        self.data: Any = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), data)
        seeds = jax.ShapeDtypeStruct((n,), jnp.uint32)
        init, state = _compile(self._functions["init"], seeds, hyperparameters)
        self.init: Any = init
        self.state: Any = state

    def chunk(self, name: str) -> CompiledChunk:
        """The program "learn", or "skip", which learns nothing."""
        number = jax.ShapeDtypeStruct((), jnp.int32)
        checked = jax.ShapeDtypeStruct((len(floats(self.state.update)),), bool)
        call, (state, rows, _) = _compile(self._functions[name], self.state, self.data, number, number, checked)
        return CompiledChunk(call, state, rows)
