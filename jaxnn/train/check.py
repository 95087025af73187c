"""What is checked of a training before anything is compiled."""

from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.errors import UserError
from jaxnn.layer import Batch
from jaxnn.sequence import Sequence
from jaxnn.targets import check_labels, place_weight, plain_output, plain_target
from jaxnn.train.plan import Plan, check_plan
from jaxnn.train.sharing import Sharing, check_sharing
from jaxnn.train.source import Source, count_examples, example_of
from jaxnn.train.step import Update
from jaxnn.train.update_shapes import UpdateShapes, constant, update_shapes


def check_update(
    update: Update,
    source: Source,
    plan: Plan,
    *held_out: Batch | None,
    sharing: Sharing | None = None,
    shapes: UpdateShapes | None = None,
) -> None:
    """Raises `UserError`, before anything is compiled, for a run that cannot be: by shapes, metrics and labels.

    held_out: the validation part, which the plan may need, then others that are evaluated
    shapes: those that the update makes, where they are known
    """
    if update.full_batch and not source.constant:
        raise UserError(
            "a second-order optimizer compares the cost of one step with that of the next: expected "
            "batch_size = 'full', found mini-batches; or choose a first-order optimizer"
        )
    check_sharing(sharing or Sharing(), update, source.example)
    params, sums = shapes or update_shapes(constant(update), {}, source.example)
    part, metrics = plan.best_part, tuple(sums)
    for i, examples in enumerate(held_out):
        if examples is not None:
            rows = count_examples(examples)
            example = example_of(examples, min(rows, source.rows or rows), source.prepare, source.stats)
            measured = jax.eval_shape(update.evaluate, params, example, jax.random.key(0))
            metrics = tuple(measured) if i == 0 and part == "validation" else metrics
    if update.predict is not None:
        parts = [source.training_examples(), *held_out]
        for examples in parts:
            _check_classes(update, params, source, examples)
            _check_values(update, params, source, examples)
    check_plan(plan, metrics, validation=bool(held_out) and held_out[0] is not None)


def _check_classes(update: Update, params: Any, source: Source, examples: Batch | None) -> None:
    """Raises `UserError` where a supervised batch, (x, labels), has labels that the prediction has no class for."""
    if not (isinstance(examples, tuple) and len(examples) == 2):
        return
    target = plain_target(examples[1])
    if not hasattr(target, "dtype") or not jnp.issubdtype(target.dtype, jnp.integer):
        return
    assert update.predict is not None
    prediction = jax.eval_shape(update.predict, params, source.example[0])
    shape: tuple[int, ...] = getattr(plain_output(prediction), "shape", ())
    if shape and len(shape) == target.ndim + 1:
        weight = _weight_of_places(*examples, prediction, (*target.shape, shape[-1]))
        check_labels("targets", np.asarray(target), shape[-1], weight)


def _weight_of_places(x: Any, target: Any, prediction: Any, shape: tuple[int, ...]) -> Any:
    """The weight of each place of a prediction of this shape; where it is a `Sequence`, its lengths are those of x."""
    return place_weight("targets", x if isinstance(prediction, Sequence) else None, target, shape, np.float32)


def _check_values(update: Update, params: Any, source: Source, examples: Batch | None) -> None:
    """Raises `UserError` for targets as wide as the prediction that the loss gives no meaning to, such as prices under
    a cross-entropy."""
    if not (isinstance(examples, tuple) and len(examples) == 2) or update.activation == "":
        return
    assert update.predict is not None
    target = plain_target(examples[1])
    prediction = jax.eval_shape(update.predict, params, source.example[0])
    shape = getattr(plain_output(prediction), "shape", (0,))
    if not hasattr(target, "dtype") or np.shape(target)[1:] != shape[1:]:
        return
    rows = np.asarray(target)
    weight = _weight_of_places(*examples, prediction, rows.shape)
    if weight is not None:
        rows = rows[np.asarray(weight) > 0]
    if not rows.size:
        return
    sums = rows.sum(axis=-1)
    expected, valid = {
        "softmax": (
            "rows of probabilities, at least 0 and 1 in sum",
            rows.min() >= 0 and np.allclose(sums, 1, atol=1e-3),
        ),
        "sigmoid": ("probabilities from 0 to 1", rows.min() >= 0 and rows.max() <= 1),
        "threshold": ("0 or 1", np.isin(rows, (0, 1)).all()),
    }[update.activation]
    if not valid:
        found = f"numbers from {rows.min():.4g} to {rows.max():.4g}"
        found += f" with sums from {sums.min():.4g} to {sums.max():.4g}" if update.activation == "softmax" else ""
        raise UserError(
            f"targets: expected {expected}, as the loss takes them, found {found}; for other numbers choose the loss "
            "mean_squared_error or quadratic"
        )
