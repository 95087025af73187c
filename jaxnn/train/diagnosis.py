"""Where a step produces NaN or infinity: the step is repeated layer by layer, outside the compiled program."""

from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.layer import Batch, Layer, Params
from jaxnn.loss import Loss, LossFunction
from jaxnn.traverse import backwards, steps, visits


def finite(tree: Any) -> bool:
    """Whether every floating number of a tree is finite."""
    floats = [a for a in jax.tree.leaves(tree) if jnp.issubdtype(a.dtype, jnp.inexact)]
    return all(bool(jnp.isfinite(a).all()) for a in floats)


def diagnose_step(
    model: Layer, loss: LossFunction, params: Params, batch: tuple[Batch, Batch], key: Any, rows: Any = None
) -> str:
    """The first place of one step of training that is not finite, in words: the data, a layer, the loss, the update.

    rows: where the examples of the batch stand in the training data
    """
    x, target = batch
    for name, values in (("input", x), ("target", target)):
        if not finite(values):
            row = _first_bad_row(values)
            example = f"example {row} of the batch" if rows is None else f"training example {int(rows[row])}"
            return f"the data hold NaN or infinity: {name} of {example}, before the first layer"
    for step in steps(model, params, key):
        if not finite(step.params):
            return f"{step.label} has parameters that are NaN or infinite"
    passed = []
    for visit in visits(model, params, x, key):
        passed.append(visit)
        if not finite((visit.y, visit.res)):
            return f"{visit.step.label} produces NaN or infinity in its forward pass"
    y = passed[-1].y if passed else x
    value, dy = loss(y, target)
    if not finite((value, loss.sums(y, target) if isinstance(loss, Loss) else ())):
        return "the loss is NaN or infinite, every layer's forward pass is finite"
    if not finite(dy):
        return "the loss's derivative is NaN or infinite, the loss is finite"
    for step, dparams, dx in backwards(passed, dy):
        if not finite((dparams, dx)):
            return f"{step.label} produces NaN or infinity in its backward pass"
    return "the update produces NaN or infinity, forward and backward passes are finite: lower optimizer.learning_rate"


def _first_bad_row(values: Batch) -> int:
    """The first example of a batch with a number that is not finite."""
    rows = [
        np.asarray(jnp.isfinite(a).reshape(len(a), -1).all(axis=1))
        for a in jax.tree.leaves(values)
        if jnp.issubdtype(a.dtype, jnp.inexact)
    ]
    return int(np.argmin(np.stack(rows).all(axis=0)))
