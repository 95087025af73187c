"""The rule of a function that is not a layer: a `jax.custom_vjp` function, its three parts, or any function as a whole.

A whole function is called as its users call it; its backward is the one that JAX finds for it, with the custom rules
inside. Its reference is the same function without these rules.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp
from jax.custom_derivatives import CustomVJPPrimal
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from jaxnn.certify.arguments import Arguments, bind
from jaxnn.certify.case import is_number
from jaxnn.certify.intent import Intent, compose, meant_gradient, selection, whole_cotangent
from jaxnn.certify.pullback import whole_rule
from jaxnn.certify.vjp_rule import Reduction, VjpRule, without_float0
from jaxnn.errors import UserError, hint

MAX_DEVICES = 8


class Foreign(NamedTuple):
    """A function with its derivative, and its arguments.

    function: what is certified, as a function of the arrays
    whole: whether its backward is the one that JAX finds for the whole function
    """

    rule: VjpRule
    arguments: Arguments
    function: Callable[..., Any]
    whole: bool


def foreign_rule(
    f: Callable[..., Any],
    fwd: Callable[..., tuple[Any, Any]] | None,
    bwd: Callable[..., tuple[Any, ...]] | None,
    args: Sequence[Any],
    keywords: Mapping[str, Any],
    intent: Intent,
    *,
    static: Sequence[str] = (),
    batched: tuple[bool, ...] = (),
    reduction: Reduction = "rows",
    axis_names: Sequence[str] = (),
) -> Foreign:
    """The rule of a function and its arguments.

    axis_names: axes of devices that f uses: it runs in a `jax.shard_map`, which splits the batched arguments
    Raises `UserError` for what cannot be certified.
    """
    if not callable(f):
        raise UserError(f"certify_vjp: expected a function, found {type(f).__name__}")
    if (fwd is None) != (bwd is None):
        raise UserError("certify_vjp: expected fwd and bwd together, found one of them")
    if isinstance(f, jax.custom_vjp) and fwd is None and (f.fwd is None or f.bwd is None):
        raise UserError("certify_vjp: expected a jax.custom_vjp function with a rule, found none: call its defvjp")
    whole = (not isinstance(f, jax.custom_vjp) and fwd is None) or bool(axis_names)
    if axis_names and fwd is not None:
        raise UserError("certify_vjp: with axis_names, expected a jax.custom_vjp function, found fwd and bwd")
    primal, nondiff = (f.fun, tuple(f.nondiff_argnums)) if isinstance(f, jax.custom_vjp) else (f, ())
    if whole:
        arguments = bind(f, args, keywords, static=static, resolve=False)
    else:
        arguments = bind(primal, args, keywords, static=static, static_argnums=nondiff, resolve=True)
    _check_arguments(arguments, batched, intent)
    select = selection(intent.outputs)
    if whole:
        function = arguments.bound(f)
        if axis_names:
            function = _over_devices(function, arguments, batched, reduction, axis_names)
            batched = ()
        function = compose(select, function)
        forward, backward = whole_rule(function)
    else:
        function = compose(select, arguments.bound(primal))
        forward, backward = _parts(f, fwd, bwd, arguments, nondiff, intent.outputs)
    names = arguments.names
    rule = VjpRule(
        function if intent.reference is None else compose(select, arguments.bound(intent.reference)),
        forward,
        backward,
        names,
        tuple(range(len(names))),
        batched,
        reduction,
        stopped=intent.stopped,
        symmetric=arguments.symmetric,
        meant=None if intent.meant is None else meant_gradient(intent.meant, arguments, select),
    )
    return Foreign(rule, arguments, function, whole)


def _check_arguments(arguments: Arguments, batched: tuple[bool, ...], intent: Intent) -> None:
    names = arguments.names
    if batched and len(batched) != len(names):
        raise UserError(f"certify_vjp: expected batched for each of {len(names)} arguments, found {len(batched)}")
    if not any(map(is_number, jax.tree.leaves(arguments.arrays))):
        fixed = ", ".join(repr(item.value)[:40] for item in arguments.items if not any(item.is_array))
        raise UserError(f"certify_vjp: expected an argument with floating numbers, found none{fixed and f' ({fixed})'}")
    for name in intent.stopped:
        if name.split(".")[0] not in names:
            expected = f"expected names among {', '.join(names)}, found {name!r}{hint(name, names, repr)}"
            raise UserError(f"certify_vjp: stopped: {expected}")


def _parts(
    f: Any, fwd: Any, bwd: Any, arguments: Arguments, nondiff: tuple[int, ...], outputs: tuple[Any, ...] | None
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The forward and backward of a `jax.custom_vjp` function, or of its parts, as functions of arrays."""
    if isinstance(f, jax.custom_vjp):
        symbolic = f.symbolic_zeros and fwd is None
        fwd, bwd = fwd or f.fwd, bwd or f.bwd
    else:
        symbolic = False
    constants = [arguments.items[i].value for i in nondiff]
    differentiated = [item for i, item in enumerate(arguments.items) if i not in nondiff]

    def call_fwd(*values):
        if symbolic:
            values = [
                value
                if i in nondiff
                else jax.tree.map(lambda a: CustomVJPPrimal(a, bool(jnp.issubdtype(a.dtype, jnp.inexact))), value)
                for i, value in enumerate(values)
            ]
        result = fwd(*values)
        if not isinstance(result, tuple | list) or len(result) != 2:
            raise UserError("certify_vjp: fwd must return a pair (y, residuals)")
        return result

    def forward(*arrays):
        y, residuals = call_fwd(*arguments.values(arrays))
        return (y, residuals) if outputs is None else (selection(outputs)(y), (residuals, y))

    def backward(residuals, dy):
        if outputs is not None:
            residuals, y = residuals
            dy = whole_cotangent(y, outputs, dy)
        cotangents = bwd(*constants, residuals, dy)
        if not isinstance(cotangents, tuple | list) or len(cotangents) != len(differentiated):
            return cotangents
        return tuple(
            item.cotangent(without_float0(cotangent))
            for item, cotangent in zip(differentiated, cotangents, strict=True)
            if any(item.is_array)
        )

    return forward, backward


def _over_devices(
    function: Callable[..., Any],
    arguments: Arguments,
    batched: tuple[bool, ...],
    reduction: Reduction,
    axis_names: Sequence[str],
) -> Callable[..., Any]:
    """The function in a `jax.shard_map` over the devices of the first axis; the other axes have one device."""
    shapes = [
        leaf.shape
        for item, is_split in zip(arguments.arrays, batched or [False] * len(arguments.arrays), strict=True)
        if is_split
        for leaf in jax.tree.leaves(item)
    ]
    devices = max(
        n
        for n in range(1, min(jax.device_count(), MAX_DEVICES) + 1)
        if all(s and s[0] % n == 0 for s in shapes) or n == 1
    )
    mesh = Mesh(np.asarray(jax.devices()[:devices]).reshape(devices, *[1] * (len(axis_names) - 1)), tuple(axis_names))
    split = P(axis_names[0])
    in_specs = tuple(split if is_split else P() for is_split in batched) if batched else P()
    return jax.shard_map(
        function, mesh=mesh, in_specs=in_specs, out_specs=split if reduction == "rows" and batched else P()
    )
