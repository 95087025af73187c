"""Supervised learning: a model, a loss and an optimizer as an update."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import optax

from jaxnn.backprop import ValueAndGrad, value_and_grad
from jaxnn.batch_statistics import has_statistics, leave_statistics, settle
from jaxnn.errors import UserError, describe
from jaxnn.layer import Layer, Params, check_layer
from jaxnn.loss import Loss, LossFunction
from jaxnn.losses import check_loss, prediction_of
from jaxnn.metrics import Metric
from jaxnn.quantities import Quantity, Sum
from jaxnn.train.diagnosis import diagnose_step
from jaxnn.train.second_order import SecondOrder
from jaxnn.train.step import Descent, Update
from jaxnn.train.task import activation_of, default_metrics
from jaxnn.variational import log_likelihood, sample_prior


class Learner(NamedTuple):
    """The parameters, the optimizer's state and, where one is asked for, the running average of the parameters."""

    params: Params
    optimizer: Any
    average: Params = ()


def supervised(
    model: Layer,
    loss: LossFunction,
    optimizer: optax.GradientTransformation | SecondOrder,
    *,
    metrics: Mapping[str, Metric] | None = None,
    grad: Callable[[Layer, LossFunction], ValueAndGrad] = value_and_grad,
    predict: Callable[[Any], Any] | None = None,
    average: float | jax.Array | None = None,
) -> Update:
    """The update of a model under a loss. Its batches are pairs (x, target).

    loss: any function (y, target) -> (value, dy); the losses of `jaxnn` also measure sums of weighted places
    optimizer: an optax transformation, or one of `jaxnn.train.SECOND_ORDER`
    metrics: name -> function (prediction, target) -> Sum, beside the loss; None: those of `default_metrics` that apply
    grad: `value_and_grad` (by hand) or `autodiff_value_and_grad`
    predict: what turns the model's output into a prediction; default: the loss's activation, else the output itself
    average: a in [0, 1): what is scored and saved is ā ← a ā + (1 − a) params, taken after each step

    Raises `UserError` for what is no model, loss or optimizer, and for a second-order optimizer with an average or with
    a model that normalizes over the batch.
    """
    check_layer("supervised", model)
    check_loss("supervised", loss)
    if not isinstance(optimizer, SecondOrder | optax.GradientTransformation):
        raise UserError(f"supervised: expected an optimizer, found {describe(optimizer)}")
    activation = activation_of(loss) if predict is None else ""
    metrics = dict(default_metrics(activation) if metrics is None else metrics)
    if "loss" in metrics:
        raise UserError("metrics: expected names other than 'loss', which is always measured, found 'loss'")
    prediction = prediction_of(loss) if predict is None else predict
    if isinstance(optimizer, SecondOrder):
        if average is not None:
            raise UserError(
                f"{optimizer.name}: expected no average of the parameters, found one; use an optax optimizer"
            )
        if has_statistics(model):
            raise UserError(
                f"{optimizer.name}: expected a model whose examples do not depend on each other, found batch_norm; use "
                "group_norm, or an optax optimizer"
            )
        restart, step = _second_order_step(optimizer, model, loss, grad(model, loss), metrics, prediction)
        descent = None
    else:
        restart, descent = _first_order(optimizer, model, loss, grad(model, loss), metrics, prediction, average)
        step = descent.step

    def init(key, example):
        return restart(model.init(key, example[0]), example)

    draws = isinstance(loss, Loss) and loss.draws

    def evaluate(params, batch, key):
        x, target = batch
        return measure(loss, metrics, prediction, model.apply(params, x, key if draws else None), target)

    def params_of(state: Learner) -> Params:
        return state.params if average is None else state.average

    def settled(state: Learner, batch, count, key):
        params = settle(model, params_of(state), lambda i: batch(i)[0], count, key)
        return state._replace(params=params) if average is None else state._replace(average=params)

    def sample(params, key, x, label):
        del label
        return sample_prior(model, params, key, x)

    def score(params, batch, key):
        likelihood = log_likelihood(model, params, batch[0], batch[1], key)
        return {"likelihood": Sum(likelihood.sum(), jax.numpy.full((), len(likelihood), likelihood.dtype))}

    return Update(
        init,
        step,
        evaluate,
        params_of,
        sample=sample if draws else None,
        score=score if draws else None,
        predict=lambda params, x: prediction(model.apply(params, x)),
        diagnose=lambda state, batch, key, rows: diagnose_step(model, loss, state.params, batch, key, rows),
        settle=settled if has_statistics(model) else None,
        restart=restart,
        one_device=isinstance(optimizer, SecondOrder),
        full_batch=isinstance(optimizer, SecondOrder),
        activation=activation,
        model=model,
        descent=descent,
    )


def measure(
    loss: LossFunction, metrics: Mapping[str, Metric], prediction: Callable[[Any], Any], y: Any, target: Any
) -> dict[str, Quantity]:
    """The loss and the metrics of a batch of outputs."""
    sums: dict[str, Quantity] = {}
    sums |= loss.measured(y, target) if isinstance(loss, Loss) else {"loss": _loss_sum(loss, y, target)}
    if metrics:
        predicted = prediction(y)
        measured = {name: metric(predicted, target) for name, metric in metrics.items()}
        sums |= {name: quantity for name, quantity in measured.items() if quantity is not None}
    return sums


def _loss_sum(loss: LossFunction, y: Any, target: Any) -> Sum:
    """A plain function's value counts for each example of its batch: it is taken to be their mean."""
    value, _ = loss(y, target)
    n = jax.tree.leaves(y)[0].shape[0]
    return Sum(value * n, jax.numpy.full((), n, value.dtype))


@contextmanager
def library_arithmetic() -> Iterator[None]:
    """While active, types and ranks are promoted as JAX does by default: optax and optimistix rely on it."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def _weight_of(loss: LossFunction, sums: Mapping[str, Quantity]) -> Any:
    """What the gradient of a batch counts for beside those of others; None for a sum, which is added to them."""
    total = sums["loss"]
    assert isinstance(total, Sum)
    return None if isinstance(loss, Loss) and loss.reduction == "sum" else total.count


def _first_order(optimizer, model, loss, gradient, metrics, prediction, average):
    def restart(params, example):
        del example
        with library_arithmetic():
            state = leave_statistics(optimizer, params).init(params)
            return Learner(params, state, () if average is None else params)

    def batch_gradient(state: Learner, batch, key):
        x, target = batch
        (_, y), dparams = gradient(state.params, x, target, key)
        sums = measure(loss, metrics, prediction, y, target)
        return dparams, sums, _weight_of(loss, sums)

    def apply(state: Learner, dparams):
        with library_arithmetic():
            updates, opt_state = leave_statistics(optimizer, state.params).update(
                dparams, state.optimizer, state.params
            )
        params = optax.apply_updates(state.params, updates)
        averaged = () if average is None else optax.incremental_update(params, state.average, 1 - average)
        return Learner(params, opt_state, averaged)

    return restart, Descent(batch_gradient, apply)


def _second_order_step(optimizer, model, loss, gradient, metrics, prediction):
    from jaxnn.train.solvers import solver_steps  # optimistix takes a second to import

    solver = solver_steps(optimizer, model, loss, gradient, lambda y, t: measure(loss, metrics, prediction, y, t))

    def restart(params, example):
        with library_arithmetic():
            return Learner(params, solver.begin(params, *example))

    def step(state: Learner, batch, key):
        del key  # a second-order method sees no dropout
        with library_arithmetic():
            params, solver_state, sums = solver.step(state.params, state.optimizer, *batch)
        return Learner(params, solver_state), sums

    return restart, step
