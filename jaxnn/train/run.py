"""A training run as a pure function of a key: step in epoch in record in run, each a scan.

A *step* sees one mini-batch (or the whole training part), an *epoch* sees every example once, a *record* is the epochs
between two rows of the history, at whose end the validation part is evaluated.
"""

import functools
import zlib
from collections.abc import Callable
from typing import NamedTuple

import jax
import optax
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxnn.backprop import ValueAndGrad, value_and_grad
from jaxnn.layer import Layer, Params
from jaxnn.losses import Loss
from jaxnn.train.metrics import Metrics, evaluate, measure
from jaxnn.train.plan import Data, Plan, Prepare, as_float, check, prepared_example
from jaxnn.train.second_order import FullBatch, check_optimizer


class Best(NamedTuple):
    """The best parameters seen, their score (larger is better) and the epochs done when they were seen."""

    params: Params
    score: Float[Array, ""]
    epoch: Int[Array, ""]


class State(NamedTuple):
    """Everything that the next step reads."""

    key: PRNGKeyArray
    params: Params
    optimizer: optax.OptState
    epoch: Int[Array, ""]
    best: Best


class History(NamedTuple):
    """One row a record; NaN for what was not measured, and after an early stop."""

    train: Metrics
    validation: Metrics


class Trained(NamedTuple):
    """The parameters with the best score, and those after the last step."""

    best: Params
    last: Params


class Training(NamedTuple):
    """A run in two pure functions, so that it can pause between records.

    init(key, data) -> state
    advance(state, data, n, length) -> (state, history): the next `n` ≤ `length` records; `length` rows, NaN after the
        n-th. `n` may be traced: then one compilation serves every n, and how a run is cut into pieces changes no bit.
    """

    init: Callable[[PRNGKeyArray, Data], State]
    advance: Callable[[State, Data, Int[Array, ""] | int, int], tuple[State, History]]


def stream(key: PRNGKeyArray, name: str) -> PRNGKeyArray:
    """The key of the stream `name`: what is drawn from one stream does not depend on the others."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()))


def make_training(
    model: Layer,
    loss: Loss,
    optimizer: optax.GradientTransformation | FullBatch,
    plan: Plan,
    *,
    prepare: Prepare = as_float,
    grad: Callable[[Layer, Loss], ValueAndGrad] = value_and_grad,
) -> Training:
    """The training of `model`.

    prepare: runs inside the step, so that images stay `uint8` in memory
    grad: `value_and_grad` (by hand) or `autodiff_value_and_grad`
    """
    begin, step = _updates(optimizer, model, loss, grad(model, loss))

    def init(key, data):
        example = prepared_example(data, prepare)
        params = model.init(stream(key, "init"), example)
        best = Best(params, jnp.full((), -jnp.inf, example.dtype), jnp.zeros((), jnp.int32))
        return State(key, params, begin(params, data, prepare), jnp.zeros((), jnp.int32), best)

    def keep_best(best, params, metrics, epoch):
        value = getattr(metrics, plan.best_metric).astype(best.score.dtype)
        seen = Best(params, value if plan.best_metric == "accuracy" else -value, epoch)
        return jax.tree.map(lambda new, old: jnp.where(seen.score > best.score, new, old), seen, best)

    def full_batch_epoch(state, data):
        x, y = data.train
        key = jax.random.fold_in(stream(state.key, "dropout"), state.epoch)
        params, opt_state, metrics = step(state.params, state.optimizer, x, y, key)
        best = keep_best(state.best, state.params, metrics, state.epoch) if plan.best_part == "train" else state.best
        return State(state.key, params, opt_state, state.epoch + 1, best), metrics

    def mini_batch_epoch(state, data, size):
        n = len(data.train.y)
        order = jax.random.permutation(jax.random.fold_in(stream(state.key, "order"), state.epoch), n)
        key = jax.random.fold_in(stream(state.key, "dropout"), state.epoch)

        def body(carry, batch):
            i, rows = batch
            x, y = (a.at[rows].get(mode="promise_in_bounds", unique_indices=True) for a in data.train)
            params, opt_state, metrics = step(carry[0], carry[1], prepare(data.stats, x), y, jax.random.fold_in(key, i))
            return (params, opt_state), metrics

        batches = jnp.arange(n // size), order[: n // size * size].reshape(-1, size)
        (params, opt_state), metrics = lax.scan(body, (state.params, state.optimizer), batches)
        return State(state.key, params, opt_state, state.epoch + 1, state.best), jax.tree.map(jnp.mean, metrics)

    def epoch(state, data):
        size = plan.batch_size
        return full_batch_epoch(state, data) if size is None else mini_batch_epoch(state, data, size)

    def record(state, data):
        state, metrics = lax.scan(lambda state, _: epoch(state, data), state, length=plan.record_every)
        train = jax.tree.map(lambda a: a[-1], metrics)
        validation = jax.tree.map(lambda a: jnp.full_like(a, jnp.nan), train)
        if data.validation is not None:
            x, y = data.validation
            validation = evaluate(model, loss, state.params, x, y, prepare=functools.partial(prepare, data.stats))
        history = History(train, validation)
        if plan.best_part == "validation" or plan.batch_size is not None:
            best = keep_best(state.best, state.params, getattr(history, plan.best_part), state.epoch)
            state = state._replace(best=best)
        return state, history

    def advance(state, data, n, length):
        if plan.batch_size is None:  # every step sees the same x: it is prepared once
            data = data._replace(train=data.train._replace(x=prepare(data.stats, data.train.x)))
        rows = jax.eval_shape(lambda state: record(state, data)[1], state)
        blank = jax.tree.map(lambda a: jnp.full(a.shape, jnp.nan, a.dtype), rows)

        def body(state, i):
            going = i < n
            if plan.patience is not None:
                going &= state.epoch - state.best.epoch <= plan.patience
            return lax.cond(going, lambda state: record(state, data), lambda state: (state, blank), state)

        return lax.scan(body, state, jnp.arange(length))

    return Training(init, advance)


def _updates(optimizer, model, loss, gradient):
    """begin(params, data, prepare) -> state;  update(params, state, x, y, key) -> (params, state, metrics).

    `state` is the optimizer's; the metrics are those of the parameters that the update began with.
    """
    if isinstance(optimizer, FullBatch):
        from jaxnn.train.solvers import solver_steps  # optimistix takes a second to import

        solver = solver_steps(optimizer, model, loss, gradient)
        return (
            lambda params, data, prepare: solver.begin(params, prepare(data.stats, data.train.x), data.train.y),
            lambda params, state, x, y, key: solver.step(params, state, x, y),
        )

    def update(params, opt_state, x, y, key):
        (_, out), dparams = gradient(params, x, y, key)
        updates, opt_state = optimizer.update(dparams, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, measure(loss, out, y)

    return lambda params, data, prepare: optimizer.init(params), update


def make_run(
    model: Layer,
    loss: Loss,
    optimizer: optax.GradientTransformation | FullBatch,
    data: Data,
    plan: Plan,
    *,
    prepare: Prepare = as_float,
    grad: Callable[[Layer, Loss], ValueAndGrad] = value_and_grad,
) -> Callable[[PRNGKeyArray], tuple[Trained, History]]:
    """A whole run, `run(key) -> (params, history)`: pure, so `jax.jit(jax.vmap(run))(keys)` trains many seeds.

    Arguments as `make_training`'s. `history` has one row for each of `plan.records`.
    Raises `UserError`, before anything is compiled, for a run that cannot be.
    """
    data = jax.tree.map(jnp.asarray, data)
    check(model, data, plan, prepare)
    check_optimizer(optimizer, model, loss, data, plan, prepare)
    training = make_training(model, loss, optimizer, plan, prepare=prepare, grad=grad)

    def run(key: PRNGKeyArray) -> tuple[Trained, History]:
        state, history = training.advance(training.init(key, data), data, plan.records, plan.records)
        return Trained(state.best.params, state.params), history

    return run
