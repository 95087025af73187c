"""Where a step goes wrong: it is walked again layer by layer, out of the compiled program."""

from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.layer import Batch, Layer, Params
from jaxnn.losses import Loss
from jaxnn.train.plan import Data, Plan, Prepare
from jaxnn.train.run import dropout_key, order
from jaxnn.train.state import State
from jaxnn.traverse import backwards, steps, visits


def finite(tree: Any) -> bool:
    """Whether every number of a tree is finite."""
    floats = [a for a in jax.tree.leaves(tree) if jnp.issubdtype(a.dtype, jnp.inexact)]
    return all(bool(jnp.isfinite(a).all()) for a in floats)


def diagnose(model: Layer, loss: Loss, plan: Plan, prepare: Prepare, state: State, data: Data, step: int) -> str:
    """What is wrong with the next step of one seed, in words: the data, a layer forward or backward, the loss."""
    key, rows = dropout_key(state.key, jnp.asarray(state.epoch)), None
    x, y = data.train
    if plan.batch_size is not None:
        rows = order(state.key, jnp.asarray(state.epoch), len(y))[step * plan.batch_size :][: plan.batch_size]
        x, y, key = jnp.asarray(x)[rows], jnp.asarray(y)[rows], jax.random.fold_in(key, step)
    state = jax.tree.map(jnp.asarray, state)
    return walk(model, loss, state.params, prepare(data.stats, jnp.asarray(x)), jnp.asarray(y), key, rows)


def walk(model: Layer, loss: Loss, params: Params, x: Batch, y: Batch, key: Any, rows: Any = None) -> str:
    """The first place of one step where a number is not finite."""
    for what, batch in (("input", x), ("target", y)):
        if not finite(batch):
            bad = int(np.argmin(np.asarray(jnp.isfinite(batch).reshape(len(batch), -1).all(axis=1))))
            example = bad if rows is None else int(rows[bad])
            return f"the data hold NaN or infinity: {what} of training example {example}, before the first layer"
    for step in steps(model, params, key):
        if not finite(step.params):
            return f"{step.label} has parameters that are NaN or infinite"
    passed = []
    for visit in visits(model, params, x, key):
        passed.append(visit)
        if not finite((visit.y, visit.res)):
            return f"{visit.step.label} makes NaN or infinity in its forward pass"
    x = passed[-1].y
    value, dy = loss(x, y)
    if not finite((value, loss.terms(x, y))):
        return "the loss is NaN or infinite, every layer's forward pass is finite"
    if not finite(dy):
        return "the loss's derivative is NaN or infinite, the loss is finite"
    for step, dparams, dx in backwards(passed, dy):
        if not finite((dparams, dx)):
            return f"{step.label} makes NaN or infinity in its backward pass"
    return "the update makes NaN or infinity, forward and backward passes are finite: lower optimizer.learning_rate"
