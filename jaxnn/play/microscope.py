"""The gradient microscope: a derivative written by hand, by autodiff and by a central difference, side by side."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.backprop import ValueAndGrad, autodiff_value_and_grad, objective, value_and_grad
from jaxnn.certify.generic_mutants import mutations
from jaxnn.certify.vjp_rule import layer_rule
from jaxnn.errors import UserError
from jaxnn.experiment.definition import Experiment
from jaxnn.kernels.devices import copied_to_device
from jaxnn.layer import Layer, Params
from jaxnn.loss import LossFunction
from jaxnn.storage.arrays import named_arrays, restore

#: Examples of the training part that the loss is the mean of.
MAX_EXAMPLES = 500
#: The mistakes that can be planted into a layer's rule: names of `jaxnn.certify.generic_mutants`.
MISTAKES = ("factor 1.001", "wrong sign", "first entry zero", "mean instead of sum", "residuals 0.1 % too large")
#: The bounds of the certificate's laws, as shares of the largest entry of a layer's gradient.
AUTODIFF_BOUND, DIFFERENCE_BOUND = 1e-12, 1e-6
#: Of the central difference, as a share of the parameter, or of 1 where that is more.
DIFFERENCE_STEP = 1e-5


class Reading(NamedTuple):
    """What the microscope says of one parameter, in float64, by the loss of the training part without dropout.

    value: of the parameter; hand, autodiff, difference: three derivatives of the loss by it
    ulp: units in the last place between the first two
    worst_ulp, worst_leaf, worst: the same of the parameter where they differ most, its array and their distance, as a
        share of the largest entry of that array's gradient
    difference_distance: of the hand-written derivative from the difference, as a share in the same way
    smooth: whether the loss has no kink within the step of the difference, as of ReLU, where it judges nothing
    holds: whether the laws of the certificate hold: autodiff for every parameter, the difference for this one
    """

    value: float
    hand: float
    autodiff: float
    difference: float
    ulp: float
    worst_ulp: float
    worst_leaf: str
    worst: float
    difference_distance: float
    smooth: bool
    holds: bool


class Microscope:
    """The derivatives of a net's loss. Compiled once for each net and mistake; `read` takes any parameters of it.

    model, loss: as they are trained; examples of `experiment`'s first seed are those of the loss
    """

    def __init__(self, model: Layer, loss: LossFunction, experiment: Experiment):
        self._model, self._loss = model, loss
        single_seed = experiment.of_seed(0)
        examples = jax.tree.map(lambda a: np.asarray(a)[:MAX_EXAMPLES], single_seed.examples("train"))
        with jax.enable_x64(True):
            source = single_seed.source
            prepared = source.prepare(source.stats, copied_to_device(examples))
            self._batch: Any = jax.tree.map(_as_float64, prepared)

    def read(self, params: Params, leaf: str, index: int, mistake: str = "", layer: int = 0) -> Reading:
        """The derivatives by the `index`-th number of an array of parameters.

        leaf: the array's name, such as "0/weight"
        mistake: one of `MISTAKES`, planted into the rule of the `layer`-th layer; "": none
        Raises `UserError` for a parameter or a mistake that there is not.
        """
        arrays = named_arrays(params)
        if leaf not in arrays or not 0 <= index < arrays[leaf].size:
            raise UserError(f"expected a parameter of {', '.join(arrays)}, found {leaf}[{index}]")
        if mistake and (mistake not in MISTAKES or not 0 <= layer < len(self._model.parts)):
            raise UserError(f"expected a mistake among {', '.join(MISTAKES)} in a layer of this net, found {mistake}")
        with jax.enable_x64(True):
            params = jax.tree.map(_as_float64, params)
            hand = named_arrays(jax.device_get(self._gradient(mistake, layer)(params, *self._batch)))
            auto = named_arrays(jax.device_get(self._autodiff(params, *self._batch)))
            difference, step_error = self._difference(params, leaf, index)
        distances = {name: _distance(hand[name], auto[name]) for name in auto}
        worst_leaf = max(distances, key=lambda name: distances[name])
        one, other = float(hand[leaf].flat[index]), float(auto[leaf].flat[index])
        scale = float(np.abs(auto[leaf]).max()) or 1.0
        far, smooth = abs(one - difference) / scale, step_error / scale <= DIFFERENCE_BOUND
        return Reading(
            float(arrays[leaf].flat[index]),
            one,
            other,
            difference,
            float(_ulps(np.float64(one), np.float64(other))),
            float(_ulps(hand[worst_leaf], auto[worst_leaf]).max()),
            worst_leaf,
            distances[worst_leaf],
            far,
            smooth,
            distances[worst_leaf] <= AUTODIFF_BOUND and (far <= DIFFERENCE_BOUND or not smooth),
        )

    @functools.cached_property
    def _autodiff(self) -> Callable[..., Any]:
        return _gradient_alone(autodiff_value_and_grad(self._model, self._loss))

    @functools.cached_property
    def _value(self) -> Callable[..., Any]:
        value = objective(self._model, self._loss)
        return jax.jit(lambda params, x, target: value(params, x, target)[0])

    @functools.lru_cache(16)  # noqa: B019  # a microscope lives as long as its page shows this net
    def _gradient(self, mistake: str, layer: int) -> Callable[..., Any]:
        model = broken(self._model, layer, mistake) if mistake else self._model
        return _gradient_alone(value_and_grad(model, self._loss))

    def _difference(self, params: Params, leaf: str, index: int) -> tuple[float, float]:
        """The central difference, and how much it changes with half the step."""
        arrays = named_arrays(jax.device_get(params))
        size = max(abs(float(arrays[leaf].flat[index])), 1.0)

        def slope(h: float) -> float:
            values = []
            for sign in (1, -1):
                moved = arrays[leaf].copy()
                moved.flat[index] += sign * h
                values.append(float(self._value(restore(params, arrays | {leaf: moved}), *self._batch)))
            return (values[0] - values[1]) / (2 * h)

        coarse, fine = slope(2 * DIFFERENCE_STEP * size), slope(DIFFERENCE_STEP * size)
        return (4 * fine - coarse) / 3, abs(fine - coarse)


def _gradient_alone(function: ValueAndGrad) -> Callable[..., Any]:
    return jax.jit(lambda params, x, target: function(params, x, target)[1])


def broken(model: Layer, position: int, mistake: str) -> Layer:
    """A `serial` with a mistake planted into the rule of one of its layers."""
    from jaxnn.combine import serial

    part = model.parts[position]
    rule = layer_rule(part.layer)
    wrong = dict(mutations(rule))[mistake](rule)
    planted = part.layer._replace(
        forward=lambda params, x, key: wrong.forward(params, x),
        backward=lambda params, res, dy: wrong.backward(res, dy),
    )
    layers: Mapping[str, Layer] = {part.name: part.layer for part in model.parts} | {part.name: planted}
    if part.name.isdecimal():
        return serial(*layers.values())
    return serial(**layers)


def _as_float64(a: Any) -> Any:
    a = jnp.asarray(a)
    return a.astype(jnp.float64) if jnp.issubdtype(a.dtype, jnp.floating) else a


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference, as a share of the largest entry."""
    scale = float(np.abs(other).max(initial=0)) or 1.0
    difference = float(np.abs(one - other).max(initial=0)) / scale
    return difference if np.isfinite(difference) else float("inf")


def _ulps(one: Any, other: Any) -> Any:
    """Units in the last place between two numbers, by the larger of them."""
    spacing = np.spacing(np.maximum(np.maximum(np.abs(one), np.abs(other)), np.finfo(np.float64).tiny))
    return np.abs(one - other) / spacing
