"""Dropout: a random mask while training, nothing while evaluating."""

import jax
from jax import numpy as jnp
from jaxtyping import Bool, Float

from jaxnn.errors import UserError
from jaxnn.kernels.array_types import AnyArray, NoParams
from jaxnn.layer import Key, Layer, empty_init
from jaxnn.shapes import Shape, check_dy, check_elementary, shapes_of

Values = Float[AnyArray, "*shape"]
Mask = Bool[AnyArray, "*shape"]


def dropout(rate: float) -> Layer:
    """Sets the fraction `rate` of its inputs to zero and scales the rest by 1 / (1 − rate).

    y = m ∘ x / (1 − rate),  m = 1 with probability 1 − rate
    dx = m ∘ dy / (1 − rate)

    Derivation: for a given mask, y is linear in x. The scale makes the mean of y over masks x itself.

    `x` and `y` of any shape, alike; the same key gives the same mask; `key=None` gives y = x.
    (Srivastava et al. 2014, with the scale on the training side.)
    Raises `UserError` for a rate outside [0, 1).
    """
    if isinstance(rate, float | int) and not 0 <= rate < 1:
        raise UserError(f"dropout: expected a rate (the fraction dropped) in [0, 1), found {rate}")

    def drop(mask: Mask, x: Values) -> Values:
        return jnp.where(mask, x / (1 - rate), 0)

    def forward(params: NoParams, x: Values, key: Key) -> tuple[Values, Mask | Shape]:
        check_elementary("dropout", params, x)
        if key is None:
            return x, shapes_of(x)
        mask = jax.random.bernoulli(key, 1 - rate, x.shape)
        return drop(mask, x), mask

    def backward(params: NoParams, res: Mask | Shape, dy: Values) -> tuple[NoParams, Values]:
        del params
        check_dy("dropout", dy, res.shape)
        return (), dy if isinstance(res, Shape) else drop(res, dy)

    return Layer(empty_init, forward, backward, "dropout")
