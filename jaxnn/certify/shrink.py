"""The smallest input that breaks a law: fewer examples, features or pixels make a failure easier to read."""

from collections.abc import Callable, Iterator
from typing import Any

import jax

from jaxnn.errors import UserError

#: An axis of a leaf: the number of the leaf, the number of the axis.
Axis = tuple[int, int]


def check_input(x: Any, batched: bool) -> None:
    """Raises `UserError` if `x` is not a pytree of arrays or shapes, or its leaves are not a batch."""
    leaves = jax.tree.leaves(x)
    for leaf in leaves:
        if not hasattr(leaf, "shape") or not hasattr(leaf, "dtype"):
            raise UserError(
                f"certify: expected x as an array, a jax.ShapeDtypeStruct or a pytree of these, found {leaf!r}"
            )
    sizes = {leaf.shape[0] if leaf.shape else None for leaf in leaves}
    if batched and (len(sizes) != 1 or None in sizes):
        shapes = ", ".join(str(tuple(leaf.shape)) for leaf in leaves)
        raise UserError(
            f"certify: expected leaves of x with the batch as their first axis, found shapes {shapes or 'none'}; "
            "for an x without a batch axis use batched=False"
        )


def shrink_input(x: Any, breaks: Callable[[Any], bool]) -> Any:
    """The smallest part of `x`, one axis after another, for which `breaks` is still true.

    Axes of one size are shrunk together first, since they may be the same axis (the batch) in several leaves.
    """
    leaves, structure = jax.tree.flatten(x)

    def fails(leaves: list[Any]) -> bool:
        try:
            return breaks(structure.unflatten(leaves))
        except Exception:  # a layer may refuse a shape with any error: that is not a smaller failure
            return False

    for axes in _axis_groups(leaves):
        first_leaf, first_axis = axes[0]
        for n in range(1, leaves[first_leaf].shape[first_axis]):
            smaller = list(leaves)
            for i, axis in axes:
                smaller[i] = _cut(smaller[i], axis, n)
            if fails(smaller):
                leaves = smaller
                break
    return structure.unflatten(leaves)


def _axis_groups(leaves: list[Any]) -> Iterator[list[Axis]]:
    """All axes of each size, then each axis alone."""
    by_size: dict[int, list[Axis]] = {}
    for i, leaf in enumerate(leaves):
        for axis, n in enumerate(leaf.shape):
            by_size.setdefault(n, []).append((i, axis))
    yield from by_size.values()
    yield from ([axis] for axes in by_size.values() if len(axes) > 1 for axis in axes)


def _cut(leaf: Any, axis: int, n: int) -> Any:
    """The first `n` entries of a leaf along an axis."""
    if isinstance(leaf, jax.ShapeDtypeStruct):
        return jax.ShapeDtypeStruct((*leaf.shape[:axis], n, *leaf.shape[axis + 1 :]), leaf.dtype)
    return leaf[(*[slice(None)] * axis, slice(n))]


def shape_text(x: Any) -> str:
    """The shape of an array, such as 3×5, or the shapes of a pytree with their names."""
    texts = []
    for path, leaf in jax.tree_util.tree_leaves_with_path(x):
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        texts.append(f"{name} {'×'.join(map(str, leaf.shape))}".strip())
    return ", ".join(texts)
