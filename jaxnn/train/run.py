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
from jaxtyping import Array, Int, PRNGKeyArray

from jaxnn.backprop import ValueAndGrad, value_and_grad
from jaxnn.kernels.trace_context import same_batch
from jaxnn.layer import Layer
from jaxnn.losses import Loss
from jaxnn.metrics import Metrics, evaluate
from jaxnn.train.plan import Data, Plan, Prepare, as_float, check, prepared_example
from jaxnn.train.second_order import FullBatch, check_optimizer
from jaxnn.train.shuffle import shuffled
from jaxnn.train.state import Best, History, Seen, Settings, State, Trained
from jaxnn.train.supervised import Parts, begin_and_update


class Training(NamedTuple):
    """A run in pure functions, so that it can pause after any step.

    init(key, data, settings={}) -> state
    advance(state, data, n, length) -> (state, history): the next `n` ≤ `length` records; `length` rows, NaN after the
        n-th
    part(state, data, start, count, length) -> (state, history): the next `count` steps, of which the first is the
        `start`-th of its record; a row for each record that they touch, NaN unless its last step is among them
    passing(state, data, start, count, length) -> (state, history): the same without learning from these steps

    `n`, `start` and `count` may be traced: then one compilation serves all, and how a run is cut changes no bit.
    """

    init: Callable[..., State]
    advance: Callable[[State, Data, Int[Array, ""] | int, int], tuple[State, History]]
    part: Callable[[State, Data, Int[Array, ""] | int, Int[Array, ""] | int, int], tuple[State, History]]
    passing: Callable[[State, Data, Int[Array, ""] | int, Int[Array, ""] | int, int], tuple[State, History]]


def stream(key: PRNGKeyArray, name: str) -> PRNGKeyArray:
    """The key of the stream `name`: what is drawn from one stream does not depend on the others."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()))


def order(key: PRNGKeyArray, epoch: Int[Array, ""], n: int) -> Int[Array, "n"]:
    """The order in which an epoch sees the `n` training examples: of the run's key and the epoch alone."""
    return shuffled(jax.random.fold_in(stream(key, "order"), epoch), n)


def dropout_key(key: PRNGKeyArray, epoch: Int[Array, ""]) -> PRNGKeyArray:
    """The key of an epoch's masks."""
    return jax.random.fold_in(stream(key, "dropout"), epoch)


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
    parts = Parts(model, loss, optimizer, grad(model, loss))
    return bound_training(lambda settings: parts, plan, prepare=prepare)


def bound_training(bind: Callable[[Settings], Parts], plan: Plan, *, prepare: Prepare = as_float) -> Training:
    """The training of what `bind` makes of the settings, which are traced: it is called wherever a state is read."""

    def init(key, data, settings=None):
        settings = {} if settings is None else settings
        parts = bind(settings)
        example = prepared_example(data, prepare)
        params = parts.model.init(stream(key, "init"), example)
        best = Best(params, jnp.full((), -jnp.inf, example.dtype), jnp.zeros((), jnp.int32))
        blank = jnp.zeros(plan.steps(len(data.train.y)), example.dtype)
        seen = Seen(Metrics(blank, blank), jnp.zeros(blank.shape, bool))
        begun = begin_and_update(parts)[0](params, data, prepare)
        return State(key, params, begun, jnp.zeros((), jnp.int32), best, seen, settings)

    def keep_best(best, params, metrics, epoch):
        value = getattr(metrics, plan.best_metric).astype(best.score.dtype)
        seen = Best(params, value if plan.best_metric == "accuracy" else -value, epoch)
        return jax.tree.map(lambda new, old: jnp.where(seen.score > best.score, new, old), seen, best)

    def learning(parts):
        update = begin_and_update(parts)[1]

        def learn(state, i, x, y, key):
            params, opt_state, seen = update(state.params, state.optimizer, x, y, key)
            metrics = jax.tree.map(lambda a, m: a.at[i].set(m), state.seen.metrics, seen)
            seen = Seen(metrics, state.seen.counts.at[i].set(True))
            return state._replace(params=params, optimizer=opt_state, seen=seen)

        return learn

    def passing(parts):
        del parts

        def pass_over(state, i, x, y, key):
            del x, y, key
            return state._replace(seen=state.seen._replace(counts=state.seen.counts.at[i].set(False)))

        return pass_over

    def full_batch_epoch(step, state, data):
        with same_batch():
            new = step(state, 0, *data.train, dropout_key(state.key, state.epoch))
        if plan.best_part == "train":
            # What was measured was measured before the update.
            new = new._replace(best=keep_best(state.best, state.params, new.seen.mean(), state.epoch))
        return new._replace(epoch=state.epoch + 1)

    def mini_batch_epoch(step, state, data, size, first, last):
        n = len(data.train.y)
        steps, key = plan.steps(n), dropout_key(state.key, state.epoch)
        batches = order(state.key, state.epoch, n)[: steps * size].reshape(steps, size)

        def body(i, state):
            rows = batches[i]
            x, y = (a.at[rows].get(mode="promise_in_bounds", unique_indices=True) for a in data.train)
            return step(state, i, prepare(data.stats, x), y, jax.random.fold_in(key, i))

        state = lax.fori_loop(first, last, body, state)
        return state._replace(epoch=state.epoch + (last == steps))

    def finish(parts, state, data):
        train = state.seen.mean()
        validation = jax.tree.map(lambda a: jnp.full_like(a, jnp.nan), train)
        if data.validation is not None:
            x, y = data.validation
            own = functools.partial(prepare, data.stats)
            validation = evaluate(parts.model, parts.loss, state.params, x, y, prepare=own)
        history = History(train, validation)
        if plan.best_part == "validation" or plan.batch_size is not None:
            best = keep_best(state.best, state.params, getattr(history, plan.best_part), state.epoch)
            state = state._replace(best=best)
        return state, history

    def walk(kind):
        def part(state, data, start, count, length):
            parts = bind(state.settings)
            step = kind(parts)
            steps = plan.steps(len(data.train.y))
            whole = steps * plan.record_every
            if plan.batch_size is None:  # every step sees the same x: it is prepared once
                data = data._replace(train=data.train._replace(x=prepare(data.stats, data.train.x)))
            rows = jax.eval_shape(lambda state: finish(parts, state, data)[1], state)
            blank = jax.tree.map(lambda a: jnp.full(a.shape, jnp.nan, a.dtype), rows)

            def epoch(state, first, last):
                size = plan.batch_size
                if size is None:
                    return full_batch_epoch(step, state, data)
                return mini_batch_epoch(step, state, data, size, first, last)

            def record(state, first, last):
                def one(e, state):
                    return epoch(state, jnp.clip(first - e * steps, 0, steps), jnp.clip(last - e * steps, 0, steps))

                state = lax.fori_loop(first // steps, (last + steps - 1) // steps, one, state)
                return lax.cond(
                    last == whole, lambda state: finish(parts, state, data), lambda state: (state, blank), state
                )

            def body(state, i):
                first, last = (jnp.clip(step - i * whole, 0, whole) for step in (start, start + count))
                going = first < last
                if plan.patience is not None:  # a record that was begun is ended
                    going &= (state.epoch % plan.record_every > 0) | (state.epoch - state.best.epoch <= plan.patience)
                return lax.cond(going, lambda state: record(state, first, last), lambda state: (state, blank), state)

            return lax.scan(body, state, jnp.arange(length, dtype=jnp.int32))

        return part

    part = walk(learning)

    def advance(state, data, n, length):
        return part(state, data, 0, n * plan.steps(len(data.train.y)) * plan.record_every, length)

    return Training(init, advance, part, walk(passing))


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
