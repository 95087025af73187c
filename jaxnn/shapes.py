"""What fits a layer: its input, its parameters, and dy. A layer refuses everything else, with both shapes.

Only shapes and types are read, so the checks cost nothing in a compiled program.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
from jax import numpy as jnp

from jaxnn.errors import UserError
from jaxnn.layer import Batch, Key, Layer, Params, Residuals


@jax.tree_util.register_static
@dataclass(frozen=True)
class Shape:
    """The shape and type of an array: a residual without bytes, for a backward that needs no value of it."""

    shape: tuple[int, ...]
    dtype: Any

    @property
    def struct(self) -> Any:
        """The same as a `jax.ShapeDtypeStruct`."""
        return jax.ShapeDtypeStruct(self.shape, self.dtype)

    @property
    def is_floating(self) -> bool:
        """Whether the array has derivatives."""
        return bool(jnp.issubdtype(self.dtype, jnp.inexact))


def shapes_of(tree: Any) -> Any:
    """The `Shape` of each leaf."""
    return jax.tree.map(lambda a: Shape(tuple(a.shape), a.dtype), tree)


def structs_of(tree: Any) -> Any:
    """A tree of `Shape` as one of `jax.ShapeDtypeStruct`."""
    return jax.tree.map(lambda a: a.struct, tree, is_leaf=is_shape)


def is_shape(node: Any) -> bool:
    """Whether `node` is a `Shape`: for `jax.tree.map`, which would look for leaves below it."""
    return isinstance(node, Shape)


def same_shapes(first: Any, second: Any, axes: int | None = None) -> bool:
    """Whether two trees of arrays have one structure and the same shapes.

    axes: −1 compares all axes but the last
    """
    if jax.tree.structure(first) != jax.tree.structure(second):
        return False
    pairs = zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True)
    return all(tuple(getattr(a, "shape", (None,)))[:axes] == tuple(b.shape)[:axes] for a, b in pairs)


def describe_shapes(tree: Any) -> str:
    """The shapes of a tree in words: "(5, 4)" for an array, "weight (5, 4), bias (4,)" for named leaves."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    names = [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in leaves]
    texts = [str(tuple(leaf.shape)) if hasattr(leaf, "shape") else type(leaf).__name__ for _, leaf in leaves]
    return ", ".join(f"{name} {text}".lstrip() for name, text in zip(names, texts, strict=True)) or "none"


def check_arrays(name: str, what: str, tree: Any) -> None:
    """Raises `UserError` unless every leaf is an array (or a `jax.ShapeDtypeStruct`) of numbers.

    name: the layer, for the message; what: "x" or "dy"
    """
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        if not (hasattr(leaf, "shape") and hasattr(leaf, "dtype")):
            where = f"{what}{jax.tree_util.keystr(path)}"
            remedy = f"; convert it: numpy.asarray({what}, 'float32')" if isinstance(leaf, int | float) else ""
            raise UserError(f"{name}: expected {what} of arrays, found {type(leaf).__name__} in {where}{remedy}")
        if getattr(leaf.dtype, "kind", "f") in "USOM":
            raise UserError(f"{name}: expected {what} of numbers, found an array of {leaf.dtype}")


def check_array(name: str, x: Any, axes: int = 0) -> None:
    """Raises `UserError` unless x is one array of numbers with at least so many axes."""
    check_arrays(name, "x", x)
    if not jax.tree_util.all_leaves([x]):
        raise UserError(f"{name}: expected x as one array, found a {type(x).__name__} of {describe_shapes(x)}")
    if len(x.shape) < axes:
        wanted = "(batch, …, n)" if axes > 1 else "(batch, …)"
        raise UserError(
            f"{name}: expected x of shape {wanted}, found {tuple(x.shape)}; a single example is a batch of one: x[None]"
        )


def check_floating(name: str, x: Any, axes: int = 0) -> None:
    """Raises `UserError` unless x is one array of floating numbers with at least so many axes."""
    check_array(name, x, axes)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise UserError(
            f"{name}: expected x of floating numbers, found {x.dtype} of shape {tuple(x.shape)}; "
            "convert it: x.astype('float32')"
        )


def check_no_params(name: str, params: Any) -> None:
    """Raises `UserError` unless the parameters are (), those of a layer without any."""
    if jax.tree.structure(params) != jax.tree.structure(()):
        raise UserError(f"{name}: expected params (), of a layer without parameters, found {describe_shapes(params)}")


def check_elementary(name: str, params: Any, x: Any, axes: int = 0) -> None:
    """What a layer without parameters, of one array of floating numbers, checks before its forward pass."""
    check_no_params(name, params)
    check_floating(name, x, axes)


def check_dy(name: str, dy: Any, shape: tuple[int, ...]) -> None:
    """Raises `UserError` unless dy is an array of y's shape."""
    if tuple(getattr(dy, "shape", (None,))) != tuple(shape):
        raise UserError(f"{name}: expected dy of y's shape {tuple(shape)}, found {describe_shapes(dy)}")


def check_dy_tree(name: str, dy: Any, y: Any) -> None:
    """Raises `UserError` unless dy has the structure and the shapes of y; None may stand where y has no derivative.

    y: a tree of `Shape`
    """
    expected, structure = jax.tree.flatten(y, is_leaf=is_shape)
    try:
        leaves = structure.flatten_up_to(dy)
    except ValueError:
        leaves = [None]
    fits = len(leaves) == len(expected) and all(map(_fits, leaves, expected))
    if not fits:
        wanted = describe_shapes(structs_of(y))
        raise UserError(f"{name}: expected dy of y's shape {wanted}, found {describe_shapes(dy)}")


def _fits(dy: Any, y: Shape) -> bool:
    if dy is None:
        return not y.is_floating
    return tuple(getattr(dy, "shape", (None,))) == y.shape


def parameter_check(name: str, init: Callable[[Any, Batch], Params]) -> Callable[[Params, Batch], None]:
    """The check of a layer: params fit x if `init` makes parameters of their structure and shapes for it.

    The check raises `UserError` with both. It traces `init` once for each shape of x.
    """

    @functools.lru_cache(64)
    def expected_shapes(treedef: Any, shapes: tuple[Shape, ...]) -> Any:
        x = jax.tree.unflatten(treedef, [shape.struct for shape in shapes])
        return jax.eval_shape(init, jax.random.key(0), x)

    def check(params: Params, x: Batch) -> None:
        check_arrays(name, "x", x)
        leaves, treedef = jax.tree.flatten(x)
        expected = expected_shapes(treedef, tuple(Shape(tuple(a.shape), a.dtype) for a in leaves))
        if not same_shapes(params, expected):
            raise UserError(
                f"{name}: expected params {describe_shapes(expected)} for x of shape {describe_shapes(x)}, "
                f"found {describe_shapes(params)}"
            )

    return check


def checked(layer: Layer) -> Layer:
    """The layer, which refuses params, x and dy that do not fit each other. Its `init` refuses a wrong x."""
    check = parameter_check(layer.name, layer.init)

    def forward(params: Params, x: Batch, key: Key) -> tuple[Batch, Residuals]:
        check(params, x)
        y, res = layer.forward(params, x, key)
        return y, (res, shapes_of(x), shapes_of(y))

    def backward(params: Params, res: Residuals, dy: Batch) -> tuple[Params, Batch]:
        inner, x, y = res
        check(params, structs_of(x))
        check_dy_tree(layer.name, dy, y)
        return layer.backward(params, inner, dy)

    return layer._replace(forward=forward, backward=backward)
