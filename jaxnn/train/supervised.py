"""One step of learning: what a training is made of, and how it changes the parameters."""

from typing import NamedTuple

import optax

from jaxnn.backprop import ValueAndGrad
from jaxnn.layer import Layer
from jaxnn.losses import Loss
from jaxnn.metrics import measure
from jaxnn.train.second_order import FullBatch


class Parts(NamedTuple):
    """What a training is made of; `gradient` is that of the model under the loss."""

    model: Layer
    loss: Loss
    optimizer: optax.GradientTransformation | FullBatch
    gradient: ValueAndGrad


def begin_and_update(parts: Parts):
    """begin(params, data, prepare) -> state;  update(params, state, x, y, key) -> (params, state, metrics).

    `state` is the optimizer's; the metrics are those of the parameters that the update began with.
    """
    model, loss, optimizer, gradient = parts
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
