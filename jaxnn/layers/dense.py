"""The fully connected layer."""

import jax

from jaxnn.errors import UserError
from jaxnn.initializers import Init, initializer
from jaxnn.kernels.matmul import outer, product
from jaxnn.layer import Layer
from jaxnn.layers.affine import Affine, Linear, add_bias, affine_gradient


def dense(units: int, weight_init: Init = "glorot_uniform", bias_init: Init = "zeros", bias: bool = True) -> Layer:
    """A fully connected layer: each of `units` outputs weighs every input.

    y = x W + b
    dW = xᵀ dy,  db = Σ dy,  dx = dy Wᵀ

    Derivation: with yᵢₖ = Σⱼ xᵢⱼ Wⱼₖ + bₖ, the factor of Wⱼₖ is xᵢⱼ for each example i, so dWⱼₖ = Σᵢ xᵢⱼ dyᵢₖ; the
    factor of xᵢⱼ is Wⱼₖ for each unit k, so dxᵢⱼ = Σₖ dyᵢₖ Wⱼₖ; that of bₖ is 1 for each example.

    x (batch, …, n), W (n, units), b (units), y (batch, …, units); the sums run over all axes but the last.
    Raises `UserError` when built with fewer than one unit.
    """
    if units < 1:
        raise UserError(f"dense: expected at least 1 unit, found {units}")
    make_weight, make_bias = initializer(weight_init), initializer(bias_init)

    def init(key, x):
        key_weight, key_bias = jax.random.split(key)
        weight = make_weight(key_weight, (x.shape[-1], units), x.dtype)
        return Affine(weight, make_bias(key_bias, (units,), x.dtype)) if bias else Linear(weight)

    def forward(params, x, key):
        del key
        return add_bias(params, product(x, params.weight)), x

    def backward(params, res, dy):
        x, dx = res, product(dy, params.weight.T)
        return affine_gradient(params, outer(x, dy), dy), dx

    return Layer(init, forward, backward, "dense")
