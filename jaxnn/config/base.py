"""What all the tables of a config have in common: frozen, unknown keys refused, mistakes said in a reader's words."""

import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union

from annotated_types import Ge, Gt
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from jaxnn.config.errors import Path, Problem, among, shown
from jaxnn.errors import nearest


class Says(NamedTuple):
    """In an annotation: what is expected, where its type does not say it well."""

    words: str


class Table(BaseModel):
    """A table of the config. What is wrong with it is raised as a `ValidationError` of `Problem`s."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, protected_namespaces=(), validate_default=False
    )

    @model_validator(mode="wrap")
    @classmethod
    def _say(cls, table: Any, handler: Callable[[Any], "Table"]) -> "Table":
        try:
            return handler(table)
        except ValidationError as error:
            raise refusal(_in_words(cls, table, error)) from None

    def options_beyond(self, base: type["Table"]) -> dict[str, Any]:
        """The keys that this kind of `base` has and others do not."""
        return {key: getattr(self, key) for key in type(self).model_fields if key not in base.model_fields}


AnyTable = TypeVar("AnyTable", bound=Table)


def refusal(problems: Sequence[Problem]) -> ValidationError:
    """The error that a validator raises to report several mistakes at once."""
    return ValidationError.from_exception_data(
        "config",
        [
            InitErrorDetails(type=PydanticCustomError("problem", "{text}", {"text": p.message}), loc=p.path, input=None)
            for p in problems
        ],
    )


def problems_of(error: ValidationError) -> list[Problem]:
    """The mistakes that `refusal` reported, with their places in the whole config."""
    return [Problem(e["loc"], e["msg"]) for e in error.errors(include_url=False) if e["type"] == "problem"]


def _in_words(cls: type[Table], table: Any, error: ValidationError) -> list[Problem]:
    problems: dict[Path, str] = {}
    errors = error.errors(include_url=False)
    inside = {e["loc"][0] for e in errors if e["type"] in ("problem", "value_error") and len(e["loc"]) > 1}
    for e in errors:
        key = e["loc"][:1]
        if e["type"] == "problem":
            problems[e["loc"]] = e["msg"]
        elif e["type"] == "value_error":
            problems[e["loc"]] = str(e.get("ctx", {})["error"])
        elif not key:
            problems[()] = f"expected a table, found {shown(table)}"
        elif e["type"] == "extra_forbidden":
            problems[key] = f"unknown key; {among(key[0], cls.model_fields)}"
        elif key[0] not in inside:  # a list all of whose entries are wrong is not also too short
            found = "none" if e["type"] == "missing" else shown(table[key[0]])
            problems[key] = f"expected {described(cls, str(key[0]))}, found {found}"
    return [Problem(path, message) for path, message in problems.items()]


def described(cls: type[Table], key: str) -> str:
    """What a key of a table takes: "an integer of at least 1"."""
    field = cls.model_fields[key]
    return _described(Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation)


_WORDS = {int: "an integer", float: "a number", bool: "true or false", str: "text"}


def _described(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        says = [m.words for m in arguments[1:] if isinstance(m, Says)]
        return says[0] if says else _described(arguments[0]) + _bounds(arguments[1:])
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_described(a) for a in arguments if a is not types.NoneType))
    if origin is Literal:
        return f"{'one of ' if len(arguments) > 1 else ''}{', '.join(str(a) for a in arguments)}"
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return f"a list of {_plural(arguments[0])}"
    if origin is dict:
        return "a table"
    return _WORDS.get(annotation, "a value")


def _plural(annotation: Any) -> str:
    return _described(annotation).removeprefix("an ").replace("a list", "lists").removeprefix("a ") + (
        "" if typing.get_args(annotation) else "s"
    )


def _bounds(metadata: Sequence[Any]) -> str:
    words = ""
    for bound in metadata:
        match bound:
            case Ge(ge=low):
                words += f" of at least {low}"
            case Gt(gt=low):
                words += f" above {low}"
    return words


def choose(
    table: Any, key: str, base: type[AnyTable], names: Collection[str], kind: Callable[[str], type[AnyTable]]
) -> AnyTable:
    """The table, checked as the kind of `base` that its `key` names.

    Under a name that is not known the rest is checked all the same: as the kind that was meant, if one is near, else
    for the keys that all kinds have. Raises a `refusal`.
    """
    if isinstance(table, base):
        return table
    if not isinstance(table, Mapping):
        raise refusal([Problem((), f"expected a table, found {shown(table)}")])
    name = table.get(key)
    if isinstance(name, str) and name in names:
        return kind(name).model_validate(table)
    message = f"expected one of {', '.join(names)}, found {shown(name) if key in table else 'none'}"
    if isinstance(name, str):
        message = f"unknown name {shown(name)}; {among(name, names)}"
    meant = nearest(name, names)
    try:
        (kind(meant) if meant else _lenient(base)).model_validate({**table, key: meant or ""})
    except ValidationError as error:
        raise refusal([Problem((key,), message), *problems_of(error)]) from None
    raise refusal([Problem((key,), message)])


@cache
def _lenient(base: type[Table]) -> type[Table]:
    """`base` that passes over the keys it does not know, which may belong to one of its kinds."""
    return type(base.__name__, (base,), {"model_config": ConfigDict(extra="ignore"), "__module__": base.__module__})
