"""The base class of all config tables. Tables are frozen, refuse unknown keys and report mistakes in plain words."""

import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, TypeVar, Union

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from jaxnn.config.errors import ConfigProblem, KeyPath, preview, suggest
from jaxnn.errors import nearest


class Expected(NamedTuple):
    """In an annotation: the words for an expected value, where its type does not describe it well."""

    words: str


class Table(BaseModel):
    """A table of the config. Its mistakes are raised as one `ValidationError` that holds `ConfigProblem`s."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, protected_namespaces=(), validate_default=False
    )

    @model_validator(mode="wrap")
    @classmethod
    def _reword_errors(cls, table: Any, handler: Callable[[Any], "Table"]) -> "Table":
        try:
            return handler(table)
        except ValidationError as error:
            raise validation_error(_reword(cls, table, error)) from None

    def extra_options(self, base: type["Table"]) -> dict[str, Any]:
        """The values of the keys that this class adds to `base`."""
        return {key: getattr(self, key) for key in type(self).model_fields if key not in base.model_fields}


AnyTable = TypeVar("AnyTable", bound=Table)


def validation_error(problems: Sequence[ConfigProblem]) -> ValidationError:
    """The error that a validator raises to report several problems at once."""
    return ValidationError.from_exception_data(
        "config",
        [
            InitErrorDetails(type=PydanticCustomError("problem", "{text}", {"text": p.message}), loc=p.path, input=None)
            for p in problems
        ],
    )


def config_problems(error: ValidationError) -> list[ConfigProblem]:
    """The problems of a `validation_error`, with their paths from the top of the config."""
    return [ConfigProblem(e["loc"], e["msg"]) for e in error.errors(include_url=False) if e["type"] == "problem"]


def _reword(cls: type[Table], table: Any, error: ValidationError) -> list[ConfigProblem]:
    """The problems of pydantic's error about a table of class `cls`, in plain words."""
    problems: dict[KeyPath, str] = {}
    errors = error.errors(include_url=False)
    keys_with_inner_problems = {
        e["loc"][0] for e in errors if e["type"] in ("problem", "value_error") and len(e["loc"]) > 1
    }
    for e in errors:
        key = e["loc"][:1]
        if e["type"] == "problem":
            problems[e["loc"]] = e["msg"]
        elif e["type"] == "value_error":
            problems[e["loc"]] = str(e.get("ctx", {})["error"])
        elif not key:
            problems[()] = f"expected a table, found {preview(table)}"
        elif e["type"] == "extra_forbidden":
            problems[key] = f"unknown key; {suggest(key[0], cls.model_fields)}"
        elif key[0] not in keys_with_inner_problems:  # pydantic also calls a list too short whose entries are all wrong
            value = "none" if e["type"] == "missing" else preview(table[key[0]])
            problems[key] = f"expected {describe_field(cls, str(key[0]))}, found {value}"
    return [ConfigProblem(path, message) for path, message in problems.items()]


def describe_field(cls: type[Table], key: str) -> str:
    """The values that a key of a table takes, in words: "an integer of at least 1"."""
    field = cls.model_fields[key]
    return _describe_type(Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation)


_TYPE_WORDS = {int: "an integer", float: "a number", bool: "true or false", str: "text"}


def _describe_type(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        expected = next((m for m in arguments[1:] if isinstance(m, Expected)), None)
        return expected.words if expected else _describe_type(arguments[0]) + _describe_bounds(arguments[1:])
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_describe_type(a) for a in arguments if a is not types.NoneType))
    if origin is Literal:
        return f"{'one of ' if len(arguments) > 1 else ''}{', '.join(str(a) for a in arguments)}"
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return f"a list of {_plural(arguments[0])}"
    if origin is dict:
        return "a table"
    return _TYPE_WORDS.get(annotation, "a value")


def _plural(annotation: Any) -> str:
    return _describe_type(annotation).removeprefix("an ").replace("a list", "lists").removeprefix("a ") + (
        "" if typing.get_args(annotation) else "s"
    )


def _describe_bounds(metadata: Sequence[Any]) -> str:
    words = []
    for bound in metadata:
        match bound:
            case Ge(ge=low):
                words.append(f"of at least {low}")
            case Gt(gt=low):
                words.append(f"above {low}")
            case Le(le=high):
                words.append(f"of at most {high}")
            case Lt(lt=high):
                words.append(f"below {high}")
    return f" {' and '.join(words)}" if words else ""


def select_variant(
    table: Any, key: str, base: type[AnyTable], names: Collection[str], variant: Callable[[str], type[AnyTable]]
) -> AnyTable:
    """Validates `table` as the subclass of `base` that its value at `key` names.

    Under an unknown name the other keys are still checked: as the variant with the nearest name or, if no name is
    near, for the keys that all variants have. Raises a `validation_error`.
    """
    if isinstance(table, base):
        return table
    if not isinstance(table, Mapping):
        raise validation_error([ConfigProblem((), f"expected a table, found {preview(table)}")])
    name = table.get(key)
    if isinstance(name, str) and name in names:
        return variant(name).model_validate(table)
    message = f"expected one of {', '.join(names)}, found {preview(name) if key in table else 'none'}"
    if isinstance(name, str):
        message = f"unknown name {preview(name)}; {suggest(name, names)}"
    problem = ConfigProblem((key,), message)
    nearest_name = nearest(name, names)
    checked_as = variant(nearest_name) if nearest_name else _ignoring_unknown_keys(base)
    try:
        checked_as.model_validate({**table, key: nearest_name or ""})
    except ValidationError as error:
        raise validation_error([problem, *config_problems(error)]) from None
    raise validation_error([problem])


@cache
def _ignoring_unknown_keys(base: type[Table]) -> type[Table]:
    """`base` without the check for unknown keys: these may belong to one of its variants."""
    return type(base.__name__, (base,), {"model_config": ConfigDict(extra="ignore"), "__module__": base.__module__})
