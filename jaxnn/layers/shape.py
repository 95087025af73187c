"""Layers that change the shape of each example and no number: flatten and reshape.

Their residual is the shape of x, which `backward` restores. Integers pass through; where x holds them, dy is None.
"""

import math
from collections.abc import Sequence

from jaxtyping import Shaped

from jaxnn.errors import UserError
from jaxnn.kernels.array_types import AnyArray, NoParams
from jaxnn.layer import Key, Layer, empty_init
from jaxnn.shapes import Shape, check_array, check_dy_tree, check_no_params, shapes_of

Examples = Shaped[AnyArray, "batch *rest"]
Reshaped = Shaped[AnyArray, "batch *shape"]
Rows = Shaped[AnyArray, "batch n"]


def reshape(shape: Sequence[int]) -> Layer:
    """y is x with each example in `shape`;  dx is dy with each example in x's shape.

    x (batch, …), y (batch, *shape). Raises `UserError` when an example has another number of entries.
    """
    shape = tuple(shape)

    def forward(params: NoParams, x: Examples, key: Key) -> tuple[Reshaped, Shape]:
        del key
        check_no_params("reshape", params)
        check_array("reshape", x, axes=1)
        if math.prod(x.shape[1:]) != math.prod(shape):
            raise UserError(
                f"reshape: expected examples of {math.prod(shape)} entries for the shape {shape}, "
                f"found {math.prod(x.shape[1:])} in the shape {x.shape[1:]}"
            )
        return x.reshape(x.shape[0], *shape), shapes_of(x)

    def backward(params: NoParams, res: Shape, dy: Reshaped | None) -> tuple[NoParams, Examples | None]:
        del params
        check_dy_tree("reshape", dy, Shape((res.shape[0], *shape), res.dtype))
        return (), None if dy is None else dy.reshape(res.shape)

    return Layer(empty_init, forward, backward, "reshape")


def flatten() -> Layer:
    """y is x with each example as one row;  dx is dy with each example in x's shape.

    x (batch, …), y (batch, n).
    """

    def forward(params: NoParams, x: Examples, key: Key) -> tuple[Rows, Shape]:
        del key
        check_no_params("flatten", params)
        check_array("flatten", x, axes=1)
        return x.reshape(x.shape[0], math.prod(x.shape[1:])), shapes_of(x)

    def backward(params: NoParams, res: Shape, dy: Rows | None) -> tuple[NoParams, Examples | None]:
        del params
        check_dy_tree("flatten", dy, Shape((res.shape[0], math.prod(res.shape[1:])), res.dtype))
        return (), None if dy is None else dy.reshape(res.shape)

    return Layer(empty_init, forward, backward, "flatten")
