"""Dropout: a random mask while training, nothing while evaluating."""

from collections.abc import Sequence

import jax
from jax import numpy as jnp
from jaxtyping import Bool, Float

from jaxnn.errors import UserError
from jaxnn.kernels.array_types import AnyArray, NoParams
from jaxnn.kernels.batch_rows import draw_bernoulli
from jaxnn.layer import Key, Layer, empty_init
from jaxnn.shapes import Shape, check_dy, check_elementary, shapes_of

Values = Float[AnyArray, "*shape"]
#: As many axes as the values; of length 1 along those that share a mask.
Mask = Bool[AnyArray, "..."]


def dropout(rate: float, broadcast_dims: Sequence[int] = ()) -> Layer:
    """Sets the fraction `rate` of its inputs to zero and scales the rest by 1 / (1 − rate).

    y = m ∘ x / (1 − rate),  m = 1 with probability 1 − rate
    dx = m ∘ dy / (1 − rate)

    Derivation: for a given mask, y is linear in x. The scale makes the mean of y over masks x itself.

    `x` and `y` of any shape, alike; the same key gives the same mask; `key=None` gives y = x.
    broadcast_dims: axes along which all entries have one mask: [1] for one mask a sequence (batch, time, n) (Gal and
        Ghahramani 2016), [1, 2] for whole channels of an image
    (Srivastava et al. 2014, with the scale on the training side.)
    Raises `UserError` for a rate outside [0, 1), and for axes that x does not have.
    """
    axes = tuple(broadcast_dims)
    if isinstance(rate, float | int) and not 0 <= rate < 1:
        raise UserError(f"dropout: expected a rate (the fraction dropped) in [0, 1), found {rate}")

    if any(axis < 0 for axis in axes) or len(set(axes)) < len(axes):
        raise UserError(f"dropout: expected broadcast_dims as distinct axes counted from 0, found {list(axes)}")

    def drop(mask: Mask, x: Values) -> Values:
        return jnp.where(jnp.broadcast_to(mask, x.shape), x / (1 - rate), 0)

    def forward(params: NoParams, x: Values, key: Key) -> tuple[Values, tuple[Mask | None, Shape]]:
        check_elementary("dropout", params, x)
        if axes and max(axes) >= x.ndim:
            raise UserError(f"dropout: expected x with the axes {list(axes)}, found shape {x.shape}")
        if key is None:
            return x, (None, shapes_of(x))
        shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
        draw = jax.random.bernoulli if 0 in axes else draw_bernoulli
        mask = draw(key, 1 - rate, shape)
        return drop(mask, x), (mask, shapes_of(x))

    def backward(params: NoParams, res: tuple[Mask | None, Shape], dy: Values) -> tuple[NoParams, Values]:
        del params
        mask, x = res
        check_dy("dropout", dy, x.shape)
        return (), dy if mask is None else drop(mask, dy)

    return Layer(empty_init, forward, backward, "dropout")
