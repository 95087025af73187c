"""The gradient of a loss: forward, loss, backward. Hand-written and automatic gradients have the same signature."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxnn.errors import UserError, describe
from jaxnn.layer import Batch, Layer, Params, check_layer
from jaxnn.loss import LossFunction
from jaxnn.losses import check_loss
from jaxnn.shapes import check_dy_tree, is_shape, parameter_check, shapes_of, structs_of

#: (params, x, target, key) -> ((value, y), dparams)
ValueAndGrad = Callable[..., tuple[tuple[Any, Batch], Params]]


def value_and_grad(model: Layer, loss: LossFunction) -> ValueAndGrad:
    """The loss and its hand-written gradient: a function of (params, x, target, key=None).

    It returns ((value, y), dparams), exactly what `jax.value_and_grad(objective(model, loss), has_aux=True)` returns.
    Raises `UserError` for what is no layer or no loss.
    """
    check_layer("value_and_grad", model)
    check_loss("value_and_grad", loss)

    def hand_written(params, x, target, key=None):
        y, res = model.forward(params, x, key)
        value, dy = loss(y, target)
        dparams, _ = model.backward(params, res, dy)
        return (value, y), dparams

    return hand_written


def objective(model: Layer, loss: LossFunction) -> Callable[..., tuple[Any, Batch]]:
    """The plain function (params, x, target, key=None) -> (value, y) of a model under a loss."""
    check_layer("objective", model)
    check_loss("objective", loss)

    def value_and_output(params, x, target, key=None):
        y = model.apply(params, x, key)
        return loss(y, target)[0], y

    return value_and_output


def autodiff_value_and_grad(model: Layer, loss: LossFunction) -> ValueAndGrad:
    """The same function with JAX's gradient: `jax.value_and_grad` of the plain forward pass."""
    return jax.value_and_grad(objective(model, loss), has_aux=True)


#: The two kinds of gradient by their names on the command line.
GRADIENTS = {"hand": value_and_grad, "auto": autodiff_value_and_grad}


def custom_vjp(layer: Layer) -> Callable[..., Batch]:
    """`apply(params, x, key=None) -> y` of a layer; its derivative under `jax.grad` is the layer's `backward`."""
    check_layer("custom_vjp", layer)

    @jax.custom_vjp
    def rule(params, x, key):
        return layer.apply(params, x, key)

    def forward(params, x, key):
        y, res = layer.forward(params, x, key)
        return y, (params, res)

    def backward(saved, dy):
        params, res = saved
        dparams, dx = layer.backward(params, res, jax.tree.map(_none_for_float0, dy))
        return dparams, dx, None

    rule.defvjp(forward, backward)

    def apply(params, x, key=None):
        return rule(params, x, key)

    return apply


def autodiff(init: Callable, apply: Callable) -> Layer:
    """A layer without a hand-written backward: JAX differentiates `apply(params, x, key) -> y`.

    The pullback that `jax.vjp` makes is the residual, with the shapes of x and y.
    Raises `UserError` for what is no function, and for params, x or dy that do not fit each other.
    """
    for name, function in (("init", init), ("apply", apply)):
        if isinstance(function, tuple) or not callable(function):
            raise UserError(f"autodiff: expected a function {name}, found {describe(function)}")
    check = parameter_check("autodiff", init)

    def forward(params, x, key):
        check(params, x)
        y, pullback = jax.vjp(lambda params, x: apply(params, x, key), params, x)
        return y, (pullback, shapes_of(x), shapes_of(y))

    def backward(params, res, dy):
        pullback, x, y = res
        check(params, structs_of(x))
        check_dy_tree("autodiff", dy, y)
        # JAX wants zeros of its type float0 where the output holds integers; a layer's contract has None there.
        dy = jax.tree.map(
            lambda a, dy: dy if a.is_floating else np.zeros(a.shape, jax.dtypes.float0), y, dy, is_leaf=is_shape
        )
        dparams, dx = pullback(dy)
        return dparams, jax.tree.map(_none_for_float0, dx)

    return Layer(init, forward, backward, "autodiff")


def _none_for_float0(a: Any) -> Any:
    """A cotangent as a layer has it: None in place of JAX's zeros for integers."""
    return None if a.dtype == jax.dtypes.float0 else a
