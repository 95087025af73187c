"""The fully connected layer."""

from typing import NamedTuple

import jax
from jaxtyping import Array, Float, PRNGKeyArray

from jaxnn.errors import UserError
from jaxnn.initializers import Init, initializer
from jaxnn.kernels.array_types import AnyArray, ArrayOrShape
from jaxnn.kernels.matmul import add_bias, bias_gradient, matmul, weight_gradient
from jaxnn.layer import Key, Layer
from jaxnn.shapes import check_dy, check_floating, parameter_check

# Named here, because a shape inside the constructor would be parsed again for each layer.
Inputs = Float[AnyArray, "batch *rest n"]
ExampleInputs = Float[ArrayOrShape, "batch *rest n"]
Outputs = Float[AnyArray, "batch *rest units"]


class DenseParams(NamedTuple):
    """The parameters of `dense`; without a bias, `bias` is None."""

    weight: Float[Array, "n units"]
    bias: Float[Array, "units"] | None


def dense(units: int, weight_init: Init = "glorot_uniform", bias_init: Init = "zeros", bias: bool = True) -> Layer:
    """A fully connected layer: each of `units` outputs weighs every input.

    y = x W + b
    dW = xᵀ dy,  db = Σ dy,  dx = dy Wᵀ

    Derivation: with yᵢₖ = Σⱼ xᵢⱼ Wⱼₖ + bₖ, the factor of Wⱼₖ is xᵢⱼ for each example i, so dWⱼₖ = Σᵢ xᵢⱼ dyᵢₖ; the
    factor of xᵢⱼ is Wⱼₖ for each unit k, so dxᵢⱼ = Σₖ dyᵢₖ Wⱼₖ; that of bₖ is 1 for each example.

    x (batch, …, n), W (n, units), b (units), y (batch, …, units); the sums run over all axes but the last.
    Raises `UserError` when built with fewer than one unit, and for params, x or dy that do not fit each other.
    """
    if units < 1:
        raise UserError(f"dense: expected at least 1 unit, found {units}")
    make_weight, make_bias = initializer(weight_init), initializer(bias_init)

    def init(key: PRNGKeyArray, x: ExampleInputs) -> DenseParams:
        check_floating("dense", x, axes=2)
        key_weight, key_bias = jax.random.split(key)
        weight = make_weight(key_weight, (x.shape[-1], units), x.dtype)
        return DenseParams(weight, make_bias(key_bias, (units,), x.dtype) if bias else None)

    check = parameter_check("dense", init)

    def forward(params: DenseParams, x: Inputs, key: Key) -> tuple[Outputs, Inputs]:
        del key
        check(params, x)
        return add_bias(matmul(x, params.weight), params.bias), x

    def backward(params: DenseParams, res: Inputs, dy: Outputs) -> tuple[DenseParams, Inputs]:
        x = res
        check(params, x)
        check_dy("dense", dy, (*x.shape[:-1], units))
        dx = matmul(dy, params.weight.T)
        return DenseParams(weight_gradient(x, dy), bias_gradient(params.bias, dy)), dx

    return Layer(init, forward, backward, "dense")
