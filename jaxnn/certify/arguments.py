"""The arguments of a function: names, defaults and keywords; the arrays among them, and what stays fixed."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.certify.domains import Domain
from jaxnn.errors import UserError, hint


class Argument(NamedTuple):
    """An argument of a function.

    leaves: of its pytree
    is_array: for each leaf, whether it is an array, which the laws may change; the other leaves are fixed
    keyword: whether it is passed by its name
    """

    name: str
    leaves: tuple[Any, ...]
    structure: Any
    is_array: tuple[bool, ...]
    keyword: bool

    @property
    def value(self) -> Any:
        """The whole argument."""
        return self.structure.unflatten(self.leaves)

    @property
    def arrays(self) -> Any:
        """The argument with None in place of its fixed leaves."""
        return self.structure.unflatten(
            [leaf if array else None for leaf, array in zip(self.leaves, self.is_array, strict=True)]
        )

    def with_arrays(self, tree: Any) -> Any:
        """The whole argument with the arrays of `tree`, which has the form of `arrays`."""
        arrays = iter(jax.tree.leaves(tree))
        return self.structure.unflatten(
            [next(arrays) if array else leaf for leaf, array in zip(self.leaves, self.is_array, strict=True)]
        )

    def cotangent(self, tree: Any) -> Any:
        """A cotangent of the whole argument as one of `arrays`; unchanged if it has another structure."""
        if tree is None or all(self.is_array):
            return tree
        try:
            leaves = self.structure.flatten_up_to(tree)
        except ValueError:
            return tree
        kept = [leaf for leaf, array in zip(leaves, self.is_array, strict=True) if array]
        return jax.tree.structure(self.arrays).unflatten(kept)


class Arguments(NamedTuple):
    """All arguments of a call. The laws see only those that hold an array."""

    items: tuple[Argument, ...]

    @property
    def with_arrays(self) -> tuple[Argument, ...]:
        """The arguments that hold an array."""
        return tuple(item for item in self.items if any(item.is_array))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the arguments that hold an array."""
        return tuple(item.name for item in self.with_arrays)

    @property
    def arrays(self) -> tuple[Any, ...]:
        """Those arguments, without their fixed leaves."""
        return tuple(item.arrays for item in self.with_arrays)

    @property
    def symmetric(self) -> tuple[str, ...]:
        """The names of the leaves that are symmetric matrices."""
        return tuple(
            f"{item.name}.{path}" if path else item.name
            for item in self.items
            for path, leaf in zip(_leaf_paths(item), item.leaves, strict=True)
            if isinstance(leaf, _Symmetric)
        )

    def values(self, arrays: Sequence[Any]) -> list[Any]:
        """All arguments in their order, with these arrays."""
        remaining = iter(arrays)
        return [item.with_arrays(next(remaining)) if any(item.is_array) else item.value for item in self.items]

    def bound(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """`f` as a function of the arrays alone."""

        def call(*arrays: Any) -> Any:
            values = self.values(arrays)
            positional = [value for item, value in zip(self.items, values, strict=True) if not item.keyword]
            keywords = {item.name: value for item, value in zip(self.items, values, strict=True) if item.keyword}
            return f(*positional, **keywords)

        return call


class _Symmetric(np.ndarray):
    """An array that is a symmetric matrix by its domain."""


def _leaf_paths(item: Argument) -> list[str]:
    flat = jax.tree_util.tree_leaves_with_path(item.structure.unflatten(range(len(item.leaves))))
    return [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in flat]


def bind(
    f: Callable[..., Any],
    args: Sequence[Any],
    keywords: Mapping[str, Any],
    *,
    static: Sequence[str] = (),
    static_argnums: Sequence[int] = (),
    resolve: bool,
) -> Arguments:
    """The arguments of the call `f(*args, **keywords)`.

    static: the names of arguments that stay fixed, besides all that is no array
    resolve: whether keywords and defaults become positional arguments, as `jax.custom_vjp` makes them
    Raises `UserError` for arguments that f does not take.
    """
    try:
        signature = inspect.signature(f)
    except (TypeError, ValueError):
        signature = None
    if signature is not None:
        try:
            bound = signature.bind(*args, **keywords)
        except TypeError as error:
            raise UserError(f"certify_vjp: the arguments do not fit the function: {error}") from error
        if resolve:
            bound.apply_defaults()
            passed = [name for name in bound.kwargs if name in keywords]
            if passed:
                raise UserError(
                    f"certify_vjp: expected positional arguments, found {', '.join(passed)} by keyword only: "
                    "jax.custom_vjp takes none"
                )
            args, keywords = bound.args, {}
    elif resolve and keywords:
        raise UserError(f"certify_vjp: expected positional arguments, found keywords: {', '.join(keywords)}")
    names = [*_positional_names(signature, len(args)), *keywords]
    for name in static:
        if name not in names:
            raise UserError(
                f"certify_vjp: static: expected among {', '.join(names)}, found {name!r}{hint(name, names, repr)}"
            )
    fixed = {*static, *(names[i] for i in static_argnums)}
    values = [*args, *keywords.values()]
    return Arguments(
        tuple(
            _argument(name, value, i >= len(args), name in fixed)
            for i, (name, value) in enumerate(zip(names, values, strict=True))
        )
    )


def _positional_names(signature: inspect.Signature | None, n: int) -> list[str]:
    names: list[str] = []
    for parameter in signature.parameters.values() if signature is not None else ():
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            names += [f"{parameter.name}{i}" for i in range(n - len(names))]
        elif parameter.kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD):
            names.append(parameter.name)
    return [names[i] if i < len(names) else f"argument {i}" for i in range(n)]


def _argument(name: str, value: Any, keyword: bool, fixed: bool) -> Argument:
    if fixed:
        structure = jax.tree.structure(0)
        return Argument(name, (value,), structure, (False,), keyword)
    leaves, structure = jax.tree.flatten(value)
    arrays = [_array(leaf) for leaf in leaves]
    return Argument(
        name,
        tuple(leaf if array is None else array for leaf, array in zip(leaves, arrays, strict=True)),
        structure,
        tuple(array is not None for array in arrays),
        keyword,
    )


def _array(leaf: Any) -> Any:
    """A leaf as an array, on the host so that no digit is lost; None for what is fixed (text, an integer of Python)."""
    if isinstance(leaf, Domain):
        return leaf.value.view(_Symmetric) if leaf.symmetric else leaf.value
    if isinstance(leaf, jax.ShapeDtypeStruct):
        if jnp.issubdtype(leaf.dtype, jnp.inexact):
            return np.random.default_rng(0).normal(size=leaf.shape).astype(leaf.dtype)
        return np.zeros(leaf.shape, leaf.dtype)
    if isinstance(leaf, jax.Array):
        return leaf
    if isinstance(leaf, bool | int | str | bytes | None) or leaf is None:
        return None
    if isinstance(leaf, float | complex | np.generic | np.ndarray):
        array = np.asarray(leaf)
        return None if array.dtype.kind in "OUSMmV" and not jnp.issubdtype(array.dtype, jnp.inexact) else array
    return None
