"""Tables made of signatures: a constructor's keyword arguments are the keys that it takes in a config."""

import types
import typing
from collections.abc import Callable, Iterable, Mapping
from inspect import Parameter, signature
from typing import Annotated, Any, Union

from pydantic import AfterValidator, BeforeValidator, Strict, create_model

from jaxnn.config.base import AnyTable, Says
from jaxnn.errors import UserError

#: Sizes with which an initializer is tried: what it makes of a bias, a dense layer's weight and a kernel.
BIAS, WEIGHT, KERNEL = (5,), (5, 7), (3, 3, 5, 7)


def derived(base: type[AnyTable], name: str, fields: Mapping[str, Any]) -> type[AnyTable]:
    """The kind of `base` that has the keys `fields` too: key -> (type, default)."""
    return create_model(name, __base__=base, **dict(fields))


def own_fields(constructor: Callable[..., Any]) -> dict[str, Any]:
    """The keyword arguments of one of our own constructors, as fields; layers that it takes are left out."""
    from jaxnn.layer import Layer

    parameters = signature(constructor, eval_str=True).parameters
    kernel = "kernel" in parameters
    return {
        key: _own_field(parameter, BIAS if key == "bias_init" else KERNEL if kernel else WEIGHT)
        for key, parameter in parameters.items()
        if parameter.annotation is not Layer
    }


def dataset_fields(parameters: Mapping[str, Parameter]) -> dict[str, Any]:
    """The options of a data set, as fields."""
    return {key: _own_field(parameter, WEIGHT) for key, parameter in parameters.items()}


def _own_field(parameter: Parameter, shape: tuple[int, ...]) -> tuple[Any, Any]:
    from jaxnn.initializers import Init

    annotation = parameter.annotation
    if annotation == Init:
        check = AfterValidator(lambda spec: _initializer(spec, shape))
        annotation = Annotated[str | dict[str, Any], check, Says("an initializer's name or its table")]
    elif typing.get_origin(annotation) is tuple:
        annotation = Annotated[annotation, Strict(False)]  # TOML has lists only
    return annotation, ... if parameter.default is Parameter.empty else parameter.default


def _initializer(spec: str | dict[str, Any], shape: tuple[int, ...]) -> str | dict[str, Any]:
    """`spec`, if it can make float32 values of `shape`. Raises `UserError`."""
    import jax
    from jax import numpy as jnp

    from jaxnn.initializers import initializer

    try:
        make = initializer(spec)
        made = jax.eval_shape(lambda key: make(key, shape, jnp.float32), jax.random.key(0))
    except UserError:
        raise
    except Exception as error:  # JAX's initializers check little: anything may come of a wrong option
        first = str(error).split("\n")[0]
        raise UserError(f"expected an initializer for an array of {len(shape)} axes, found {spec}: {first}") from error
    if (made.shape, made.dtype) != (shape, jnp.float32):
        raise UserError(f"expected an initializer of float32 values, found {spec}, which makes {made.dtype}")
    return spec


def optax_fields(constructor: Callable[..., Any], without: Iterable[str]) -> dict[str, Any]:
    """The options of one of optax's functions that a file can hold (numbers, switches, names), as fields."""
    fields = {}
    for key, parameter in signature(constructor, eval_str=True).parameters.items():
        kind, default = _optax_kind(parameter), parameter.default
        if kind is None or key in without:
            continue
        if default is Parameter.empty:
            fields[key] = (kind, ...)
        elif isinstance(default, bool | int | float | str | None):
            fields[key] = (kind | None if default is None else kind, default)
    return fields


def _optax_kind(parameter: Parameter) -> Any:
    """Optax writes most numbers as a union of every array type there is; the file has numbers."""
    annotation = parameter.annotation
    if annotation in (bool, int, float, str):
        return annotation
    members = typing.get_args(annotation) if _is_union(annotation) else (annotation,)
    if float in members:
        return float
    if parameter.name.endswith("_dtype"):
        return str
    if any(typing.get_origin(m) is dict and typing.get_args(m)[0] is int for m in members):
        # A key of a TOML table is text.
        return Annotated[dict[int, float], BeforeValidator(_with_integer_keys), Says("a table of step = number")]
    return None


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (Union, types.UnionType)


def _with_integer_keys(table: Any) -> Any:
    if not isinstance(table, dict):
        return table
    return {int(k) if isinstance(k, str) and k.isdecimal() and len(k) < 19 else k: v for k, v in table.items()}
