"""A part of each example, for a net that sees no more of it."""

from collections.abc import Sequence

from jax import lax
from jax import numpy as jnp
from jaxtyping import Shaped

from jaxnn.errors import UserError
from jaxnn.kernels.array_types import AnyArray, NoParams
from jaxnn.layer import Key, Layer, empty_init
from jaxnn.shapes import Shape, check_array, check_dy_tree, check_no_params, shapes_of

Examples = Shaped[AnyArray, "batch *rest"]
Slices = Shaped[AnyArray, "batch *part"]


def part(bounds: Sequence[Sequence[int]]) -> Layer:
    """A slice of each example: from `start` to before `end` along each of its first axes, all of the others.

    y[n, i, j, …] = x[n, start₁ + i, start₂ + j, …]
    dx[n, h, w, …] = dy[n, h − start₁, w − start₂, …] inside the slice, 0 outside

    Derivation: each y is one x, and an x outside the slice is in no y.

    bounds: [[start, end], …], one pair for each axis after the batch: [[0, 14], [0, 14]] is the upper left quarter of
        a 28×28 image
    x (batch, …), y (batch, end₁ − start₁, …). Integers pass through; where x holds them, dx is None.
    Raises `UserError` for bounds that are none, and for x without so many axes or entries.
    """
    pairs = tuple(tuple(pair) for pair in bounds)
    if not pairs or any(len(pair) != 2 or not 0 <= pair[0] < pair[1] for pair in pairs):
        raise UserError(f"part: expected bounds [[start, end], …] with 0 ≤ start < end, found {list(map(list, pairs))}")

    def shape_of(x: Shape) -> tuple[int, ...]:
        return (x.shape[0], *(end - start for start, end in pairs), *x.shape[1 + len(pairs) :])

    def forward(params: NoParams, x: Examples, key: Key) -> tuple[Slices, Shape]:
        del key
        check_no_params("part", params)
        check_array("part", x, axes=1)
        if len(pairs) >= x.ndim or any(end > n for (_, end), n in zip(pairs, x.shape[1:], strict=False)):
            raise UserError(
                f"part: expected examples with at least {tuple(end for _, end in pairs)} entries along their first "
                f"axes, found the shape {tuple(x.shape[1:])}"
            )
        return x[(slice(None), *(slice(*pair) for pair in pairs))], shapes_of(x)

    def backward(params: NoParams, res: Shape, dy: Slices | None) -> tuple[NoParams, Examples | None]:
        del params
        check_dy_tree("part", dy, Shape(shape_of(res), res.dtype))
        if dy is None:
            return (), None
        around = [(start, n - end, 0) for (start, end), n in zip(pairs, res.shape[1:], strict=False)]
        rest = [(0, 0, 0)] * (dy.ndim - 1 - len(pairs))
        return (), lax.pad(dy, jnp.zeros((), dy.dtype), [(0, 0, 0), *around, *rest])

    return Layer(empty_init, forward, backward, "part")
