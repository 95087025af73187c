"""Layers that change the shape of each example and no number: flatten and reshape.

Their residual is `x[:0]`: it has no bytes, and the shape that `backward` restores.
"""

import math
from collections.abc import Sequence

from jaxtyping import Shaped

from jaxnn.errors import UserError
from jaxnn.kernels.array_types import AnyArray, NoParams
from jaxnn.layer import Key, Layer, empty_init

Examples = Shaped[AnyArray, "batch *rest"]
Reshaped = Shaped[AnyArray, "batch *shape"]
Rows = Shaped[AnyArray, "batch n"]
NoExamples = Shaped[AnyArray, "0 *rest"]


def reshape(shape: Sequence[int]) -> Layer:
    """y is x with each example in `shape`;  dx is dy with each example in x's shape.

    x (batch, …), y (batch, *shape). Raises `UserError` when an example has another number of entries.
    """
    shape = tuple(shape)

    def forward(params: NoParams, x: Examples, key: Key) -> tuple[Reshaped, NoExamples]:
        del params, key
        if math.prod(x.shape[1:]) != math.prod(shape):
            raise UserError(
                f"reshape: expected examples of {math.prod(shape)} entries for the shape {shape}, "
                f"found {math.prod(x.shape[1:])} in the shape {x.shape[1:]}"
            )
        return x.reshape(x.shape[0], *shape), x[:0]

    def backward(params: NoParams, res: NoExamples, dy: Reshaped) -> tuple[NoParams, Examples]:
        del params
        return (), dy.reshape(dy.shape[0], *res.shape[1:])

    return Layer(empty_init, forward, backward, "reshape")


def flatten() -> Layer:
    """y is x with each example as one row;  dx is dy with each example in x's shape.

    x (batch, …), y (batch, n).
    """

    def forward(params: NoParams, x: Examples, key: Key) -> tuple[Rows, NoExamples]:
        del params, key
        return x.reshape(x.shape[0], math.prod(x.shape[1:])), x[:0]

    def backward(params: NoParams, res: NoExamples, dy: Rows) -> tuple[NoParams, Examples]:
        del params
        return (), dy.reshape(dy.shape[0], *res.shape[1:])

    return Layer(empty_init, forward, backward, "flatten")
