"""Config tables derived from signatures: the keyword arguments of a constructor are the keys of its table."""

import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping
from inspect import Parameter, signature
from typing import Annotated, Any, Literal, Union

from pydantic import AfterValidator, BeforeValidator, Strict, create_model

from jaxnn.config.base import AnyTable, Expected
from jaxnn.errors import UserError

#: Shapes with which an initializer is tried: of a bias, of a dense layer's weight, of a convolution's kernel.
BIAS_SHAPE, WEIGHT_SHAPE, KERNEL_SHAPE = (5,), (5, 7), (3, 3, 5, 7)
#: The words that stand for a number of the data, and the sizes of layers that they may stand for.
DATA_SIZES = ("classes", "tokens")
SIZES = ("rows", "units")
#: The number with which a table is checked before the data are known.
_ANY_SIZE = 2


def table_class(base: type[AnyTable], name: str, fields: Mapping[str, Any]) -> type[AnyTable]:
    """The subclass of `base` with the additional keys `fields`: key -> (type, default)."""
    return create_model(name, __base__=base, **dict(fields))


def constructor_fields(constructor: Callable[..., Any]) -> dict[str, Any]:
    """The keyword arguments of a jaxnn constructor as fields, without arguments that are layers."""
    from jaxnn.layer import Layer

    parameters = signature(constructor, eval_str=True).parameters
    weight_shape = KERNEL_SHAPE if "kernel" in parameters else WEIGHT_SHAPE
    return {
        key: _constructor_field(parameter, BIAS_SHAPE if key == "bias_init" else weight_shape)
        for key, parameter in parameters.items()
        if parameter.annotation is not Layer and parameter.kind is not Parameter.VAR_KEYWORD
    }


def checked_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a layer with some number in place of a word, to check the others."""
    return {key: _ANY_SIZE if key in SIZES and value in DATA_SIZES else value for key, value in options.items()}


def dataset_fields(parameters: Mapping[str, Parameter]) -> dict[str, Any]:
    """The options of a data set as fields."""
    return {key: _constructor_field(parameter, WEIGHT_SHAPE) for key, parameter in parameters.items()}


def _constructor_field(parameter: Parameter, shape: tuple[int, ...]) -> tuple[Any, Any]:
    from jaxnn.initializers import Init
    from jaxnn.layers.cells import CellSpec

    annotation = parameter.annotation
    if annotation == Init:
        check = AfterValidator(lambda spec: _check_initializer(spec, shape))
        annotation = Annotated[str | dict[str, Any], check, Expected("an initializer's name or its table")]
    elif annotation == CellSpec:
        annotation = Annotated[dict[str, Any], AfterValidator(_check_cell), Expected("a cell's table")]
    elif annotation is int and parameter.name in SIZES:
        annotation = int | Literal["classes", "tokens"]
    else:
        annotation = _with_lists(annotation)
    return annotation, ... if parameter.default is Parameter.empty else parameter.default


def _with_lists(annotation: Any) -> Any:
    """A type whose tuples, alone or in a union, also take lists: TOML has no tuples."""
    if typing.get_origin(annotation) is tuple:
        return Annotated[annotation, Strict(False)]
    if _is_union(annotation):
        return Union[tuple(_with_lists(member) for member in typing.get_args(annotation))]  # noqa: UP007  # `|` takes no tuple of types
    return annotation


def _check_initializer(spec: str | dict[str, Any], shape: tuple[int, ...]) -> str | dict[str, Any]:
    """Returns `spec` if it makes float32 values of `shape`, else raises `UserError`."""
    import jax
    from jax import numpy as jnp

    from jaxnn.initializers import initializer

    try:
        init = initializer(spec)
        values = jax.eval_shape(lambda: init(jax.random.key(0), shape, jnp.float32))
    except UserError:
        raise
    except Exception as error:  # JAX's initializers check little, so a wrong option can raise anything
        reason = str(error).split("\n")[0]
        raise UserError(f"expected an initializer for an array of {len(shape)} axes, found {spec}: {reason}") from error
    if (values.shape, values.dtype) != (shape, jnp.float32):
        raise UserError(f"expected an initializer of float32 values, found {spec}, which makes {values.dtype}")
    return spec


def _check_cell(spec: dict[str, Any]) -> dict[str, Any]:
    """Returns `spec` if a recurrent cell can be built of it, else raises `UserError`."""
    from jaxnn.layers.cells import cell_of

    cell_of(spec)
    return spec


def optax_fields(constructor: Callable[..., Any], exclude: Collection[str] = ()) -> dict[str, Any]:
    """The options of an optax function that TOML can express (numbers, switches, names) as fields."""
    fields = {}
    for key, parameter in signature(constructor, eval_str=True).parameters.items():
        annotation, default = _optax_type(parameter), parameter.default
        if annotation is None or key in exclude:
            continue
        if default is Parameter.empty:
            fields[key] = (annotation, ...)
        elif isinstance(default, bool | int | float | str | None):
            fields[key] = (annotation | None if default is None else annotation, default)
    return fields


def _optax_type(parameter: Parameter) -> Any:
    """The type of an option in a config. Optax annotates most numbers as a union of array types; TOML has numbers."""
    annotation = parameter.annotation
    if annotation in (bool, int, float, str):
        return annotation
    members = typing.get_args(annotation) if _is_union(annotation) else (annotation,)
    if float in members:
        return float
    if parameter.name.endswith("_dtype"):
        return str
    if any(typing.get_origin(m) is dict and typing.get_args(m)[0] is int for m in members):
        # The keys of a TOML table are strings.
        return Annotated[dict[int, float], BeforeValidator(_with_integer_keys), Expected("a table of step = number")]
    if any(typing.get_origin(m) is Iterable and typing.get_origin(typing.get_args(m)[0]) is dict for m in members):
        return Annotated[
            tuple[dict[str, int | float], ...],
            Strict(False),  # TOML has lists only
            Expected("a list of tables of numbers"),
        ]
    return None


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (Union, types.UnionType)


def _with_integer_keys(table: Any) -> Any:
    if not isinstance(table, dict):
        return table
    return {int(k) if isinstance(k, str) and k.isdecimal() and len(k) < 19 else k: v for k, v in table.items()}
