"""What a training run is given: its examples, how long to train on them and what to keep; checked before compiling."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Shaped

from jaxnn.errors import UserError
from jaxnn.layer import Batch, Layer
from jaxnn.losses import check_labels

Score = Literal["validation.accuracy", "validation.loss", "train.accuracy", "train.loss"]


class Examples(NamedTuple):
    """Inputs, and their targets: integer labels (n,), or as wide as the output (n, output)."""

    x: Shaped[Array, "n ..."] | Shaped[np.ndarray, "n ..."]
    y: Shaped[Array, "n ..."] | Shaped[np.ndarray, "n ..."]


class Data(NamedTuple):
    """What a run learns from, what it is validated on, and what `prepare` needs to know of them."""

    train: Examples
    validation: Examples | None = None
    stats: Any = ()


#: (stats, x) -> what the model sees of a batch x
Prepare = Callable[[Any, Batch], Batch]


def as_float(stats: Any, x: Batch) -> Batch:
    """x as it is, integers as float32."""
    del stats
    return jax.tree.map(lambda a: a if jnp.issubdtype(a.dtype, jnp.floating) else a.astype(jnp.float32), x)


class Plan(NamedTuple):
    """How long to train, and what to keep.

    batch_size: None for the whole training part; what does not fill a last batch sits an epoch out, others the next
    best: the metric that chooses the best parameters. With full batches a "train" metric is looked at in every step
        (before its update); otherwise the metric is looked at, at every record, after the updates
    patience: stop after more than so many epochs without a better score
    record_every: epochs from one row of the history to the next
    """

    epochs: int
    batch_size: int | None = None
    best: Score = "train.loss"
    patience: int | None = None
    record_every: int = 1

    @property
    def records(self) -> int:
        """The rows of a whole history."""
        return self.epochs // self.record_every

    def steps(self, examples: int) -> int:
        """The steps of an epoch."""
        return 1 if self.batch_size is None else examples // self.batch_size

    @property
    def best_part(self) -> str:
        return self.best.split(".")[0]

    @property
    def best_metric(self) -> str:
        return self.best.split(".")[1]


def check(model: Layer, data: Data, plan: Plan, prepare: Prepare) -> None:
    """Raises `UserError`, before anything is compiled, for a run that cannot be."""
    x, y = data.train
    if len(x) != len(y) or len(y) == 0:
        raise UserError(f"expected as many targets as training examples, at least one, found {len(y)} for {len(x)}")
    if plan.batch_size is not None and not 1 <= plan.batch_size <= len(y):
        raise UserError(f"expected a batch size of 1 … {len(y)}, the training examples, found {plan.batch_size}")
    if plan.epochs < 1 or plan.record_every < 1 or plan.epochs % plan.record_every:
        raise UserError(
            f"expected epochs to be a positive multiple of record_every, found {plan.epochs} and {plan.record_every}"
        )
    if plan.best_part == "validation" and data.validation is None:
        raise UserError(f"expected a validation part for best = {plan.best!r}, found none; 'train.loss' needs none")
    classes = jnp.issubdtype(y.dtype, jnp.integer)
    if plan.best_metric == "accuracy" and not classes:
        raise UserError(f"expected best to be a loss where targets are no classes, found {plan.best!r}")
    out = output(model, data, prepare)
    for part in (data.train, data.validation):
        if part is not None and classes:
            check_labels(np.asarray(part.y), out.shape[-1])
        elif part is not None and part.y.shape[1:] != out.shape[1:]:
            raise UserError(f"expected targets of the model's output shape {out.shape[1:]}, found {part.y.shape[1:]}")


def output(model: Layer, data: Data, prepare: Prepare) -> jax.ShapeDtypeStruct:
    """Shape and dtype of the model's output for one training example."""
    example = prepared_example(data, prepare)
    params = jax.eval_shape(model.init, jax.random.key(0), example)
    return jax.eval_shape(lambda params, x: model.forward(params, x, None)[0], params, example)


def prepared_example(data: Data, prepare: Prepare) -> jax.ShapeDtypeStruct:
    """Shape and dtype of a batch of one, as the model sees it."""
    x = data.train.x
    return jax.eval_shape(prepare, data.stats, jax.ShapeDtypeStruct((1, *x.shape[1:]), x.dtype))
