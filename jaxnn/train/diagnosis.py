"""Where a step goes wrong: it is walked again layer by layer, out of the compiled program."""

from collections.abc import Iterator
from typing import Any, TypeGuard

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.layer import Batch, Combined, Layer, Params, layer_name
from jaxnn.losses import Loss
from jaxnn.train.plan import Data, Plan, Prepare
from jaxnn.train.run import dropout_key, order
from jaxnn.train.state import State


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
    names = [f"layer {number} ({layer_name(layer)})" for number, layer in enumerate(flat(model))]
    trained = list(flat_params(model, params))
    for name, own in zip(names, trained, strict=True):
        if not finite(own):
            return f"{name} has parameters that are NaN or infinite"
    residuals = []
    for name, layer, own, k in zip(names, flat(model), trained, flat_keys(model, key), strict=True):
        x, res = layer.forward(own, x, k)
        residuals.append(res)
        if not finite((x, res)):
            return f"{name} makes NaN or infinity in its forward pass"
    value, dy = loss(x, y)
    if not finite((value, loss.terms(x, y))):
        return "the loss is NaN or infinite, every layer's forward pass is finite"
    if not finite(dy):
        return "the loss's derivative is NaN or infinite, the loss is finite"
    for name, layer, own, res in reversed(list(zip(names, flat(model), trained, residuals, strict=True))):
        dparams, dy = layer.backward(own, res, dy)
        if not finite((dparams, dy)):
            return f"{name} makes NaN or infinity in its backward pass"
    return "the update makes NaN or infinity, forward and backward passes are finite: lower optimizer.learning_rate"


def in_a_row(layer: Layer) -> TypeGuard[Combined]:
    return isinstance(layer, Combined) and layer_name(layer) == "serial"


def flat(layer: Layer) -> Iterator[Layer]:
    """The layers of a model in their order; what stands side by side is one."""
    if in_a_row(layer):
        for part in layer.parts:
            yield from flat(part)
    else:
        yield layer


def flat_params(layer: Layer, params: Params) -> Iterator[Params]:
    """The parameters of each layer of `flat`."""
    if in_a_row(layer):
        for part, own in zip(layer.parts, params, strict=True):
            yield from flat_params(part, own)
    else:
        yield params


def flat_keys(layer: Layer, key: Any) -> Iterator[Any]:
    """The key of each layer of `flat`, as `serial` splits it."""
    if in_a_row(layer):
        for i, part in enumerate(layer.parts):
            yield from flat_keys(part, None if key is None else jax.random.fold_in(key, i))
    else:
        yield key
