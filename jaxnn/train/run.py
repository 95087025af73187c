"""A training run as a pure function of a key: a step in an epoch, in an evaluation, in a run.

A *step* sees one batch, an *epoch* is all steps of the source, an *evaluation* comes after every `plan.eval_every`
epochs: it measures the validation part, chooses the best parameters and ends a row of the history.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp
from jaxtyping import PRNGKeyArray

from jaxnn.batch_statistics import MAX_BATCHES
from jaxnn.kernels.trace_context import constant_batch
from jaxnn.layer import Batch, Params
from jaxnn.quantities import mark_undefined, unmark_undefined, values
from jaxnn.train.batches import epoch_key
from jaxnn.train.check import check_update
from jaxnn.train.evaluation import evaluate
from jaxnn.train.plan import Plan
from jaxnn.train.sharing import Sharing, shared_step
from jaxnn.train.shuffle import stream
from jaxnn.train.source import Batches, Prepare, Source
from jaxnn.train.state import Best, History, State, no_score
from jaxnn.train.step import Bind, Hyperparameters, Update
from jaxnn.train.update_shapes import constant, update_shapes


class Data(NamedTuple):
    """What a compiled training reads: the source's buffer, the validation part, the arrays of `prepare`.

    settling: the first batches of the next epoch, for a model with statistics of its own; None: those of the buffer
    """

    buffer: Any
    validation: Any = None
    stats: Any = ()
    settling: Any = None


class Training(NamedTuple):
    """A run in pure functions, which can pause after any step.

    init(key, hyperparameters) -> state
    run_steps(state, data, start, count, length, learn=True) -> (state, history): the next `count` steps, the first of
        which is the `start`-th since the last evaluation; `length` rows, one for each evaluation that the steps touch,
        0 unless its last step is among them, with values that are not defined marked by `mark_undefined`.
        learn=False skips the steps: nothing is learned from them

    `start` and `count` may be traced: one compilation serves all, and how a run is cut changes no bit.
    """

    init: Callable[[PRNGKeyArray, Hyperparameters], State]
    run_steps: Callable[..., tuple[State, History]]


class Shape(NamedTuple):
    """What of a source and a plan a compiled training depends on: equal shapes share a program."""

    example: Any
    steps: int
    batches: Batches
    prepare: Prepare
    constant: bool
    rows: int | None
    best: str
    sign: int
    patience: int | None
    eval_every: int
    sharing: Sharing


def shape_of(source: Source, plan: Plan, sharing: Sharing | None = None) -> Shape:
    """The static part of a training. Its example is hashable: leaves beside their structure."""
    leaves, treedef = jax.tree.flatten(source.example)
    return Shape(
        (treedef, tuple(leaves)),
        source.steps,
        source.batches,
        source.prepare,
        source.constant,
        source.rows,
        plan.best,
        plan.sign,
        plan.patience,
        plan.eval_every,
        sharing or Sharing(),
    )


@functools.lru_cache(256)
def make_training(bind: Bind, shape: Shape) -> Training:
    """The training of the update that `bind` makes of the hyper-parameters, which are traced.

    The same functions for the same arguments, so that what was compiled is found again.
    """
    part, _, metric = shape.best.partition(".")
    # In full-batch training a "train" metric is measured before each update, so it chooses among those parameters.
    best_before_update = shape.constant and part == "train"

    def init(key, hyperparameters):
        update, (treedef, leaves) = bind(_weakly_typed(hyperparameters)), shape.example
        example = jax.tree.unflatten(treedef, leaves)
        state = update.init(stream(key, "init"), example)
        sums = update_shapes(bind, hyperparameters, example).sums
        blank = jax.tree.map(lambda a: jnp.zeros((shape.steps, *a.shape), a.dtype), sums)
        score = jnp.asarray(no_score(jax.tree.leaves(sums)[0].dtype))
        best = Best(update.params(state), score, score, jnp.zeros((), jnp.int32))
        return State(key, state, jnp.zeros((), jnp.int32), best, blank, hyperparameters)

    def keep_best(best: Best, params: Params, metrics: dict[str, Any], epoch) -> Best:
        dtype = best.score.dtype
        tie_breaker = -metrics["loss"].astype(dtype) if "loss" in metrics else jnp.asarray(no_score(dtype))
        score = shape.sign * metrics[metric].astype(dtype) if metric else epoch.astype(dtype)
        new = Best(params, score, tie_breaker, epoch)
        tie = (new.score == best.score) & (new.tie_breaker > best.tie_breaker)
        better = (new.score > best.score) | tie
        return jax.tree.map(lambda a, b: jnp.where(better, a, b), new, best)

    def settled(update: Update, state: State, batch_of) -> State:
        """The state with the statistics that the update's model evaluates with."""
        if update.settle is None:
            return state
        key = jax.random.fold_in(stream(state.key, "settle"), state.epoch)
        return state._replace(update=update.settle(state.update, batch_of, min(shape.steps, MAX_BATCHES), key))

    def learn_step(update: Update, state: State, i, batch, key) -> State:
        if shape.sharing.is_shared:
            new, sums = shared_step(shape.sharing, update, state.update, batch, key)
        else:
            new, sums = update.step(state.update, batch, key)
        return state._replace(update=new, sums=jax.tree.map(lambda a, s: a.at[i].set(s), state.sums, dict(sums)))

    def skip_step(update: Update, state: State, i, batch, key) -> State:
        del update, batch, key
        return state._replace(sums=jax.tree.map(lambda a: a.at[i].set(0), state.sums))

    def epoch(step, update: Update, state: State, epoch_batches, first, last) -> State:
        batch_of = epoch_batches(state.key, state.epoch)
        if shape.constant:
            if best_before_update:
                state = settled(update, state, batch_of)
            with constant_batch():
                new = step(update, state, 0, batch_of(0), epoch_key(state.key, state.epoch))
            if best_before_update:
                params = update.params(state.update)
                new = new._replace(best=keep_best(state.best, params, values(new.sums), state.epoch))
            return new._replace(epoch=state.epoch + 1)
        keys = epoch_key(state.key, state.epoch)

        def body(i, state):
            return step(update, state, i, batch_of(i), jax.random.fold_in(keys, i))

        state = lax.fori_loop(first, last, body, state)
        return state._replace(epoch=state.epoch + (last == shape.steps).astype(jnp.int32))

    def finish(update: Update, state: State, data: Data, epoch_batches) -> tuple[State, History]:
        if data.settling is not None:
            epoch_batches = shape.batches(data.settling, data.stats)
        state = settled(update, state, epoch_batches(state.key, state.epoch))
        params, train = update.params(state.update), values(state.sums)
        validation, sums = {}, {}
        if data.validation is not None:
            key = jax.random.fold_in(stream(state.key, "evaluate"), state.epoch)
            prepare = functools.partial(shape.prepare, data.stats)
            sums = evaluate(update.evaluate, params, data.validation, key, prepare=prepare, rows=shape.rows)
            validation = values(sums)
        history = History(train, validation)
        if not best_before_update:
            measured = getattr(history, part if metric else "train")
            state = state._replace(best=keep_best(state.best, params, measured, state.epoch))
        return state, History(mark_undefined(train, state.sums), mark_undefined(validation, sums))

    def run_steps(state, data, start, count, length, learn=True):
        update = bind(_weakly_typed(state.hyperparameters))
        step = learn_step if learn else skip_step
        whole = shape.steps * shape.eval_every
        epoch_batches = shape.batches(data.buffer, data.stats)
        rows = jax.eval_shape(lambda state: finish(update, state, data, epoch_batches)[1], state)
        # Not NaN, at which JAX's flag `jax_debug_nans` would end the run.
        blank = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), rows)

        def until_evaluation(state, first, last):
            def one_epoch(e, state):
                ends = (jnp.clip(edge - e * shape.steps, 0, shape.steps) for edge in (first, last))
                return epoch(step, update, state, epoch_batches, *ends)

            state = lax.fori_loop(first // shape.steps, (last + shape.steps - 1) // shape.steps, one_epoch, state)
            return lax.cond(
                last == whole,
                lambda state: finish(update, state, data, epoch_batches),
                lambda state: (state, blank),
                state,
            )

        def body(state, i):
            first, last = (jnp.clip(edge - i * whole, 0, whole) for edge in (start, start + count))
            active = first < last
            if shape.patience is not None:  # what was begun is continued until its evaluation
                active &= (state.epoch % shape.eval_every > 0) | (state.epoch - state.best.epoch <= shape.patience)
            return lax.cond(
                active, lambda state: until_evaluation(state, first, last), lambda state: (state, blank), state
            )

        return lax.scan(body, state, jnp.arange(length, dtype=jnp.int32))

    return Training(init, run_steps)


def _weakly_typed(hyperparameters: Hyperparameters) -> Hyperparameters:
    """The values weakly typed, as Python's numbers are: they leave the precision of the parameters as it is."""
    return {name: lax.full_like(0.0, value) for name, value in hyperparameters.items()}


class Trained(NamedTuple):
    """The parameters with the best score, and those after the last step."""

    best: Params
    last: Params


def make_run(
    update: Update, source: Source, plan: Plan, validation: Batch | None = None
) -> Callable[[PRNGKeyArray], tuple[Trained, History]]:
    """A whole run, `run(key) -> (trained, history)`: pure, so `jax.jit(jax.vmap(run))(keys)` trains many seeds.

    validation: examples like those of the source, which are evaluated
    `history` has one row for each of `plan.evaluations`, NaN after an early stop.
    The source must be one that is loaded once (`block` 0).
    Raises `UserError`, before anything is compiled, for a run that cannot be.
    """
    check_update(update, source, plan, validation)
    training = make_training(constant(update), shape_of(source, plan))
    data = jax.tree.map(jnp.asarray, Data(source.load(0, 0, source.steps, ()), validation, source.stats))

    def run(key: PRNGKeyArray) -> tuple[Trained, History]:
        steps = plan.epochs * source.steps
        state, history = training.run_steps(training.init(key, {}), data, 0, steps, plan.evaluations)
        history = jax.tree.map(unmark_undefined, history)
        if plan.patience is not None:
            measured = jnp.arange(plan.evaluations, dtype=jnp.int32) < state.epoch // plan.eval_every
            history = jax.tree.map(lambda a: jnp.where(measured, a, np.asarray(np.nan, a.dtype)), history)
        return Trained(state.best.params, update.params(state.update)), history

    return run
