"""Whole nets with their losses as targets of `jaxnn certify`: arguments at random, and the costs of a training step."""

import math
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.certify.case import Case, cast_floating, layer_args, make_case
from jaxnn.certify.cost import CostComparison, float32_cost, residual_bytes
from jaxnn.certify.vjp_rule import layer_rule, model_rule
from jaxnn.layer import Layer
from jaxnn.losses import Loss
from jaxnn.sequence import Sequence
from jaxnn.targets import plain_output


def batch_like(example: Any, batch: int) -> Any:
    """A batch of the shapes and types of one input, for `layer_args`; sequences have lengths from 1 to their time."""
    x = jax.tree.map(lambda a: jax.ShapeDtypeStruct((batch, *a.shape[1:]), a.dtype), example)
    if isinstance(x, Sequence):
        lengths = np.random.default_rng(3).integers(1, x.values.shape[1], size=batch, endpoint=True)
        x = x._replace(lengths=lengths.astype(x.lengths.dtype))
    return x


def net_case(name: str, model: Layer, loss: Loss, x: Any) -> Case:
    """A net and its loss as a case. x: as for `layer_args`."""
    params, x, target = _net_args(model, x)
    # Scaled like initial weights: random weights of size 1 would saturate every neuron.
    params = jax.tree.map(lambda a: a / math.sqrt(max(a.size // a.shape[-1], 1)), params)
    return make_case(name, name, model_rule(model, loss), (params, x, target))


def net_cost(model: Layer, loss: Loss, x: Any) -> CostComparison:
    """The costs of a net's training step: the gradient with respect to its parameters, and the model's residuals."""
    params, x, target = _net_args(model, x)
    step = float32_cost(model_rule(model, loss), (params, x, target))
    # The residual of a step's rule is the gradient itself: the bytes kept in between are those of the model.
    model_bytes = residual_bytes(layer_rule(model), cast_floating((params, x), np.float32))
    return CostComparison(*(cost._replace(residual_bytes=n) for cost, n in zip(step, model_bytes, strict=True)))


def _net_args(model: Layer, x: Any) -> tuple[Any, Any, jax.Array]:
    """The parameters and the inputs that `layer_args` draws, and a label for each place of the output."""
    params, x = layer_args(model, x)
    output = plain_output(jax.eval_shape(model.apply, params, x)).shape
    return params, x, labels(output[:-1], output[-1])


def labels(places: tuple[int, ...], outputs: int) -> jax.Array:
    """Labels: every loss takes them, whatever the targets of the config are."""
    return jnp.asarray(np.random.default_rng(2).integers(max(outputs, 2), size=places))
