"""A run that meets every wrong number there is, each in a step of its own, and knows what must be said of it."""

from functools import cache
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from jax import numpy as jnp

from jaxnn import dense, mean_squared_error, serial, tanh
from jaxnn.engine.driver import Outcome, drive
from jaxnn.engine.hooks import Hooks
from jaxnn.engine.job import Job
from jaxnn.engine.snapshot import Snapshot
from jaxnn.layer import Layer, empty_init
from jaxnn.loss import Loss
from jaxnn.train import Plan, in_memory, supervised
from jaxnn.train.batches import order
from jaxnn.train.plan import Policy
from tests.trust.precision import cli_precision

VALUES = (np.nan, np.inf, -np.inf)
#: How many spikes stand in the model, each behind a layer.
SPIKES = 3
EXAMPLES = 61
#: One example in each step.
PLAN = Plan(1, best="train.loss")
BATCH_SIZE = 1


def codes(kind: int) -> range:
    """The first features by which examples ask for a value of `VALUES` at a place; 0 asks for none."""
    return range(1 + kind * len(VALUES), 1 + (kind + 1) * len(VALUES))


def wrong(kind: int, code: Any, a: Any) -> Any:
    """`a`, or the value that the example's code asks for where it is one of `kind`."""
    which = code.astype(jnp.int32) - codes(kind)[0]
    asked = (which >= 0) & (which < len(VALUES))
    return jnp.where(asked, jnp.asarray(VALUES, a.dtype)[jnp.clip(which, 0, len(VALUES) - 1)], a)


def spike(i: int) -> Layer:
    """The identity, but for the examples whose code asks for a value in the i-th spike's forward or backward pass."""

    def forward(params, x, key):
        del params, key
        return wrong(2 * i, x[:, :1], x), x[:, :1]

    def backward(params, code, dy):
        del params
        return (), wrong(2 * i + 1, code, dy)

    return Layer(empty_init, forward, backward, "spike")


def beside_the_code(layer: Layer) -> Layer:
    """`layer` on all features but the first, which goes through."""

    def init(key, x):
        return layer.init(key, jax.ShapeDtypeStruct((*x.shape[:-1], x.shape[-1] - 1), x.dtype))

    def forward(params, x, key):
        y, res = layer.forward(params, x[:, 1:], key)
        return jnp.concatenate([x[:, :1], y], axis=1), res

    def backward(params, res, dy):
        dparams, dx = layer.backward(params, res, dy[:, 1:])
        return dparams, jnp.concatenate([dy[:, :1], dx], axis=1)

    return Layer(init, forward, backward, "beside_the_code")


def model() -> Layer:
    one, two, three = beside_the_code(dense(7)), beside_the_code(tanh()), beside_the_code(dense(2))
    return serial(one, spike(0), two, spike(1), three, spike(2))


def loss() -> Loss:
    """The squared error, but for the examples whose code asks for a value of the loss or of its derivative."""
    plain = mean_squared_error()
    return plain._replace(
        terms=lambda y, target: wrong(2 * SPIKES, target[:, 0], plain.terms(y, target)),
        derivative=lambda y, target: wrong(2 * SPIKES + 1, target[:, :1], plain.derivative(y, target)),
    )


def examples() -> tuple[tuple[np.ndarray, np.ndarray], dict[int, str]]:
    """The data, and what must be said of the examples that are wrong; the others are sound."""
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(EXAMPLES, 5)).astype(np.float32), draw.normal(size=(EXAMPLES, 3)).astype(np.float32)
    x[:, 0] = 0
    rows, said = iter(draw.permutation(EXAMPLES).tolist()), {}
    for i in range(SPIKES):
        for way, place in enumerate(("forward", "backward")):
            for code in codes(2 * i + way):
                x[row := next(rows), 0] = code
                said[row] = f"layer {2 * i + 1} (spike) produces NaN or infinity in its {place} pass"
    for way, place in enumerate(
        (
            "the loss is NaN or infinite, every layer's forward pass is finite",
            "the loss's derivative is NaN or infinite, the loss is finite",
        )
    ):
        for code in codes(2 * SPIKES + way):
            x[row := next(rows), 0] = code
            said[row] = place
    y[:, 0] = x[:, 0]
    for array, place in ((x, "input"), (y, "target")):
        for value in VALUES:
            array[row := next(rows), 2] = value
            said[row] = f"the data hold NaN or infinity: {place} of training example {row}, before the first layer"
    return (x, y), said


DATA, SAID = examples()


def met(seed: int, epochs: int = PLAN.epochs) -> list[tuple[int, int, str]]:
    """What a seed meets in its order: epoch and step, counted from 1, and what must be said of it."""
    with cli_precision():
        rows = [np.asarray(order(jax.random.key(seed), jnp.int32(epoch), EXAMPLES)).tolist() for epoch in range(epochs)]
    return [(e + 1, s + 1, SAID[row]) for e in range(epochs) for s, row in enumerate(rows[e]) if row in SAID]


class Run(NamedTuple):
    """What `train` needs to know."""

    model: Layer = model()
    loss: Loss = loss()
    optimizer: Any = optax.sgd(0.01)
    data: tuple[Any, Any] = DATA
    plan: Plan = PLAN
    batch_size: int | None = BATCH_SIZE


@cache
def binding(model: Layer, loss: Loss, optimizer: Any) -> Any:
    """The same function for the same net, so that its program is found again."""
    update = supervised(model, loss, optimizer)
    return lambda hyperparameters: update


def train(
    run: Run,
    *,
    seeds: tuple[int, ...] = (0,),
    resume_from: Snapshot | None = None,
    on_nonfinite: Policy = "stop",
    **hooks: Any,
) -> Outcome:
    """Trains with `Hooks(**hooks)`."""
    with cli_precision():
        source = in_memory(*run.data, batch_size=run.batch_size)
        plan = run.plan._replace(on_nonfinite=on_nonfinite)
        job = Job(binding(run.model, run.loss, run.optimizer), source, plan, seeds)
        return drive(job, Hooks(**hooks), resume_from)
