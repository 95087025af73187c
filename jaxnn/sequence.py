"""Batches of sequences with different lengths, and the layers that treat each place alike.

A batch of sequences of one length is an array (batch, time, ...). With different lengths it is a `Sequence`: the array,
padded at the end, and the lengths. Whatever stands at padding has no influence: every layer sets its output there to
zero, and so is the gradient.
"""

from typing import Any, NamedTuple

import jax
from jax import numpy as jnp
from jaxtyping import Array, Bool, Int, Shaped

from jaxnn.errors import UserError
from jaxnn.graph import Graph, check_graph, node_values, with_values, without_integers
from jaxnn.layer import Batch, Key, Layer, Params, Residuals
from jaxnn.shapes import check_array, check_dy_tree, check_floating, shapes_of


class Sequence(NamedTuple):
    """A batch of sequences of different lengths. A derivative with respect to one has `lengths` None.

    values: (batch, time, ...), padded at the end
    lengths: (batch,), the number of valid places of each, from 0 to time
    """

    values: Any
    lengths: Any


class _PerPlaceResiduals(NamedTuple):
    res: Residuals
    lengths: Int[Array, "batch"]
    y: Any


class _PerNodeResiduals(NamedTuple):
    res: Residuals
    x: Any


def valid_places(lengths: Int[Array, "batch"], time: int) -> Bool[Array, "batch time"]:
    """Whether a place is before the end of its sequence."""
    return jnp.arange(time, dtype=lengths.dtype)[None] < lengths[:, None]


def clear_padding(values: Shaped[Array, "batch time *rest"], lengths: Int[Array, "batch"]) -> Any:
    """The values with zeros at padding. A select, not a product: padding may hold NaN."""
    valid = valid_places(lengths, values.shape[1])
    return jnp.where(valid.reshape(*valid.shape, *[1] * (values.ndim - 2)), values, jnp.zeros((), values.dtype))


def check_sequences(name: str, x: Any) -> Any:
    """The values of x, (batch, time, features). Raises `UserError` for another shape or type, and for other lengths."""
    values = x.values if isinstance(x, Sequence) else x
    check_floating(name, values)
    if len(values.shape) != 3:
        raise UserError(f"{name}: expected x (batch, time, features), found shape {tuple(values.shape)}")
    check_lengths(name, x)
    return values


def check_lengths(name: str, x: Any) -> None:
    """Raises `UserError` for a `Sequence` whose lengths are not one integer for each of its sequences."""
    if not isinstance(x, Sequence):
        return
    check_array(name, x.values, axes=2)
    check_array(name, x.lengths)
    if tuple(x.lengths.shape) != tuple(x.values.shape[:1]) or not jnp.issubdtype(x.lengths.dtype, jnp.integer):
        raise UserError(
            f"{name}: expected an integer length for each of {x.values.shape[0]} sequences, found lengths of "
            f"{x.lengths.dtype} and shape {tuple(x.lengths.shape)}"
        )


def split_lengths(x: Any) -> tuple[Any, Any]:
    """The values of a batch of sequences, zero at padding, and its lengths; None for an array, where all are alike.

    Raises `UserError` for lengths that do not fit the values, which JAX would broadcast.
    """
    check_lengths("sequence", x)
    return (clear_padding(x.values, x.lengths), x.lengths) if isinstance(x, Sequence) else (x, None)


def join_lengths(values: Any, lengths: Any) -> Any:
    """The inverse of `split_lengths`, which sets padding to zero."""
    return values if lengths is None else Sequence(clear_padding(values, lengths), lengths)


def split_derivative(dy: Any, lengths: Any) -> Any:
    """The array of a derivative with respect to an output that `join_lengths` made; zero at padding."""
    return dy if lengths is None else clear_padding(dy.values, lengths)


def join_derivative(dx: Any, lengths: Any) -> Any:
    """A derivative in the structure of the input: an array, or a `Sequence` without lengths."""
    if lengths is None:
        return dx
    return Sequence(None if dx is None else clear_padding(dx, lengths), None)


def per_place(layer: Layer) -> Layer:
    """The layer, also for a `Sequence` or a `Graph`: it is applied to all places, or nodes, alike.

    Padding is set to zero. A layer that takes a `Sequence` or a `Graph` itself (see `Time`) is returned as it is. Of
    `SparseFeatures` dropout drops values; every other layer for nodes wants features as an array.
    Raises `UserError` where the output has another number of places than the input.
    """
    if layer.time is not None and layer.time.lengths:
        return layer

    def init(key: Any, x: Batch) -> Params:
        check_lengths(layer.name, x)
        if isinstance(x, Graph):
            check_graph(layer.name, x)
            return layer.init(key, node_values(layer.name, x))
        return layer.init(key, x.values if isinstance(x, Sequence) else x)

    def forward(params: Params, x: Batch, key: Key) -> tuple[Batch, Residuals]:
        if isinstance(x, Graph):
            check_graph(layer.name, x)
            y, res = layer.forward(params, node_values(layer.name, x), key)
            return with_values(x, y), _PerNodeResiduals(res, shapes_of(x))
        if not isinstance(x, Sequence):
            return layer.forward(params, x, key)
        check_lengths(layer.name, x)
        values, lengths = split_lengths(x)
        y, res = layer.forward(params, values, key)
        places = values.shape[:2]
        if not hasattr(y, "shape") or y.shape[:2] != places:
            shape = jax.tree.map(lambda a: a.shape, y)
            raise UserError(
                f"{layer.name or 'a layer'}: expected an output for each of (batch, time) = {places} places of a "
                f"Sequence, found shape {shape}; use a layer for each place, or pool_sequence"
            )
        y = join_lengths(y, lengths)
        return y, _PerPlaceResiduals(res, lengths, shapes_of(y))

    def backward(params: Params, res: Residuals, dy: Batch) -> tuple[Params, Batch]:
        if isinstance(res, _PerNodeResiduals):
            dparams, dx = layer.backward(params, res.res, node_values(layer.name, dy))
            return dparams, with_values(without_integers(res.x), dx)
        if not isinstance(res, _PerPlaceResiduals):
            return layer.backward(params, res, dy)
        check_dy_tree(layer.name, dy, res.y)
        dparams, dx = layer.backward(params, res.res, split_derivative(dy, res.lengths))
        return dparams, join_derivative(dx, res.lengths)

    return layer._replace(init=init, forward=forward, backward=backward)
