"""The training of several processes: rank 0 decides what all do next, and gives them the state to begin with."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np
from jax import numpy as jnp
from jax.experimental import multihost_utils

from jaxnn.engine.hooks import Hooks
from jaxnn.engine.snapshot import Snapshot, is_key, rows_of
from jaxnn.errors import UserError
from jaxnn.experiment.definition import Experiment
from jaxnn.processes.peers import Peers


@runtime_checkable
class Stop(Protocol):
    """Whether a signal has asked this process to stop, and which one."""

    signal: int | None

    def __call__(self) -> bool: ...


def leading(hooks: Hooks, peers: Peers, stop: Stop) -> Hooks:
    """The hooks of rank 0, which stops when any process is asked to."""

    def should_stop() -> bool:
        if stop.signal is None:
            stop.signal = peers.stop_signal
        return stop()

    return hooks._replace(should_stop=should_stop, agree=_agreement(peers))


def following(peers: Peers, stop: Stop) -> Hooks:
    """The hooks of another rank: it saves nothing, and tells rank 0 when it is asked to stop."""

    def should_stop() -> bool:
        if stop.signal is not None:
            peers.stop(stop.signal)
        return False

    return Hooks(should_stop=should_stop, agree=_agreement(peers))


def _agreement(peers: Peers) -> Callable[[tuple[int, ...]], tuple[int, ...]]:
    return lambda numbers: tuple(peers.agree([int(number) for number in numbers]))


def share_start(peers: Peers, experiment: Experiment, start: Snapshot | None) -> Snapshot | None:
    """Where all processes begin: rank 0's `start`, which it sends to the others; None at the first step.

    Raises `UserError` for a plan that goes back to a checkpoint, which only rank 0 has.
    """
    if experiment.plan.on_nonfinite == "rollback":
        raise UserError("train.on_nonfinite: expected 'stop' or 'skip' in a run of several processes, found 'rollback'")
    facts = None
    if start is not None:
        facts = {"steps": start.steps, "rows": rows_of(start.history), "faults": start.faults, "seconds": start.seconds}
    facts = peers.agree(facts)
    if facts is None:
        return None
    if start is None:
        start = _blank(experiment, facts["rows"])
    plain = jax.tree.map(lambda a: np.asarray(jax.random.key_data(a)) if is_key(a) else a, (start.state, start.history))
    shared = multihost_utils.broadcast_one_to_all(plain, is_source=peers.place.rank == 0)

    def typed(a: Any, like: Any) -> Any:
        return jax.random.wrap_key_data(jnp.asarray(a), impl=jax.random.key_impl(like)) if is_key(like) else a

    state, history = jax.tree.map(typed, jax.tree.map(np.asarray, shared), (start.state, start.history))
    return Snapshot(facts["steps"], state, history, tuple(facts["faults"]), facts["seconds"])


def _blank(experiment: Experiment, rows: int) -> Snapshot:
    """A snapshot of zeros, of the shapes of rank 0's."""

    def zeros(a: Any, shape: tuple[int, ...]) -> Any:
        if jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            return jax.random.split(jax.random.key(0), shape)
        return np.zeros(shape, a.dtype)

    state = jax.tree.map(lambda a: zeros(a, a.shape), experiment.state_shapes())
    history = jax.tree.map(lambda a: zeros(a, (a.shape[0], rows)), experiment.history_shapes())
    return Snapshot(0, state, history)
