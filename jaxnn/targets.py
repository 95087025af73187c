"""Targets: what an output is compared with, by every loss and metric.

The output y has the shape (*places, output): (batch, output), or (batch, time, output) for a sequence. A target is
either integer labels of shape (*places), or has exactly the shape of y. Label k stands for the row with a one at k
and, where the output is one number wide, for the number itself. `Weighted(target, weight)` weighs places or examples.
Of a `Sequence`, output or target, padding has the weight 0.
Everything else is refused: no target is broadcast.
"""

import collections.abc
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float, Int, Shaped

from jaxnn.errors import UserError
from jaxnn.sequence import Sequence, valid_places

Output = Float[Array, "*places output"]
Target = Shaped[Array | np.ndarray, "..."]


class Weighted(NamedTuple):
    """A target whose places count by their weight: Σ w·term / Σ w. A place of weight 0 has neither value nor gradient.

    weight: (batch,), or the shape of the places; class weights, masks of padding, unlabelled nodes
    """

    target: Any
    weight: Shaped[Array | np.ndarray, "..."]


#: Numbers of a box: the place of its centre, its height and its width.
BOX = 4


class Boxes(NamedTuple):
    """The objects of pictures, each at the cell of a grid that its centre lies in: the target of the loss `detection`.

    label: (batch, rows, columns): 0 where no object has its centre, k for class k
    box: (batch, rows, columns, 4): how far the centre lies below and to the right of the cell's upper left corner, and
        the box's height and width, all in cells; 0 where there is no object
    """

    label: Int[Array | np.ndarray, "batch rows columns"]
    box: Float[Array | np.ndarray, "batch rows columns 4"]


def split_weight(name: str, output: Any, target: Any) -> tuple[Output, Target, Float[Array, "*places"] | None]:
    """An output and its target as arrays, and the weight of each place; None where all count alike.

    name: the loss or metric, for the message. Raises `UserError` for a target or a weight that does not fit.
    """
    y, plain = jnp.asarray(plain_output(output)), plain_target(target)
    weight = place_weight(name, output, target, y.shape, y.dtype)
    check_target(name, plain, y.shape, weight)
    return y, plain, weight


def place_weight(
    name: str, output: Any, target: Any, shape: tuple[int, ...], dtype: Any
) -> Float[Array, "*places"] | None:
    """The weight of each place of an output of this shape, 0 at padding; None where all places count alike.

    output: a `Sequence` whose padding does not count, or anything else
    name: as for `split_weight`, which raises as this does
    """
    plain, weight = (target.target, target.weight) if isinstance(target, Weighted) else (target, None)
    places = shape[:-1]
    if weight is not None:
        weight = spread_weight(name, weight, places, dtype)
    for item in (output, plain):
        if isinstance(item, Sequence):
            if len(shape) < 3 or shape[1] != item.values.shape[1]:
                raise UserError(
                    f"{name}: expected a target for each sequence, or outputs (batch, {item.values.shape[1]}, n), one "
                    f"for each place, found outputs of shape {tuple(shape)} and a Sequence"
                )
            valid = spread_weight(name, valid_places(jnp.asarray(item.lengths), shape[1]), places, dtype)
            # A select: what stands at padding may be NaN.
            weight = valid if weight is None else jnp.where(valid == 0, 0, weight)
    return weight


def plain_target(target: Any) -> Any:
    """The array of a target, which may be `Weighted`, a `Sequence` or both."""
    target = target.target if isinstance(target, Weighted) else target
    return target.values if isinstance(target, Sequence) else target


def plain_output(output: Any) -> Any:
    """The array of an output, which may be a `Sequence`."""
    return output.values if isinstance(output, Sequence) else output


def check_target(name: str, target: Target, output: collections.abc.Sequence[int], weight: Any = None) -> None:
    """Raises `UserError` unless a target fits an output of shape `output`: in shape, and labels among the classes.

    weight: of each place; a label of weight 0 may be any number
    The values of a traced target are not known, so only its shape is checked.
    """
    output, shape = tuple(output), tuple(getattr(target, "shape", ()))
    kind = f"integer labels of shape {output[:-1]} or targets" if output[:-1] else "targets"
    expected = f"{name}: expected {kind} of the output's shape {output}"
    if not (hasattr(target, "dtype") and hasattr(target, "shape")):
        raise UserError(f"{expected}, found a {type(target).__name__}; convert it: numpy.asarray(target)")
    integers, floats = (jnp.issubdtype(target.dtype, t) for t in (jnp.integer, jnp.floating))
    if shape == output and (integers or floats or target.dtype == bool):
        return
    if shape == output[:-1] and integers:
        check_labels(name, target, output[-1], weight)
        return
    raise UserError(f"{expected}, found {target.dtype} targets of shape {shape}{_remedy(target, output)}")


def _remedy(target: Target, output: tuple[int, ...]) -> str:
    """What makes a target fit, where that is known."""
    if tuple(target.shape) == output[:-1] and jnp.issubdtype(target.dtype, jnp.floating) and output[-1] == 1:
        return "; numbers: target[..., None], labels: target.astype('int32')"
    if tuple(target.shape) == output[:-1] and (target.dtype == bool or jnp.issubdtype(target.dtype, jnp.floating)):
        return "; labels: target.astype('int32')"
    if tuple(target.shape) == (*output[:-1], 1):
        return "; labels: target[..., 0]"
    return ""


def check_labels(name: str, target: Target, outputs: int, weight: Any = None) -> None:
    """Raises `UserError` unless integer labels lie among the classes. The values of a traced target are not known."""
    if any(isinstance(a, Tracer | jax.ShapeDtypeStruct) for a in (target, weight)):
        return
    if not jnp.issubdtype(target.dtype, jnp.integer):
        return
    labels, classes = np.asarray(target), max(outputs, 2)
    labels = labels if weight is None else labels[np.asarray(weight) != 0]
    if labels.size and not (labels.min() >= 0 and labels.max() < classes):
        raise UserError(
            f"{name}: expected labels 0 … {classes - 1} for {outputs} outputs, "
            f"found labels {labels.min()} … {labels.max()}; number them from 0, or give the last layer a unit for each"
        )


def dense_target(target: Target, y: Output) -> Output:
    """The target in the shape and type of the output.

    A label that is no class becomes NaN: a traced target cannot be checked, and a run must not learn from it.
    """
    if target.ndim == y.ndim:
        return jnp.asarray(target, y.dtype)
    classes = y.shape[-1]
    rows = jnp.asarray(target, y.dtype)[..., None] if classes == 1 else jax.nn.one_hot(target, classes, dtype=y.dtype)
    is_class = (target >= 0) & (target < max(classes, 2))
    return jnp.where(is_class[..., None], rows, np.asarray(np.nan, y.dtype))


def binary_labels(target: Target, y: Output) -> Int[Array, "*places"]:
    """Labels 0 and 1 of a target for an output that is one number wide."""
    labels = jnp.asarray(target)
    labels = labels[..., 0] if labels.ndim == y.ndim else labels
    return (labels.astype(y.dtype) >= 0.5).astype(jnp.int32)


def spread_weight(name: str, weight: Any, places: tuple[int, ...], dtype: Any) -> Float[Array, "*places"]:
    """A weight for each place, from one for each example or each place. Raises `UserError` for another shape."""
    found = tuple(np.shape(weight))
    if not found or len(found) > len(places) or found != places[: len(found)]:
        raise UserError(f"{name}: expected a weight for each of {places} places or each of {places[:1]}, found {found}")
    weight = jnp.asarray(weight, dtype)
    return jnp.broadcast_to(weight.reshape(*found, *[1] * (len(places) - len(found))), places)
