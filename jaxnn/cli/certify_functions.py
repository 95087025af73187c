"""The functions of a user as targets of `jaxnn certify`, and the arguments that the command line gives them."""

import ast
import inspect
import math
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax

from jaxnn.certify import Certificate, certify_vjp, domains
from jaxnn.errors import UserError, hint

#: The largest array that a function of the user's own is certified at.
MAX_NUMBERS = 1 << 24
#: Text such as `integers(10) 7,3`.
_DRAW = re.compile(r"(?P<name>[a-z_]+)(?:\((?P<numbers>[\d, ]*)\))?(?:\s+(?P<shape>\S+))?")


def parse_shape(text: str, option: str = "--shape") -> tuple[int, ...]:
    """Sizes with commas between them, such as 7,13; a scalar is ().

    Raises `UserError` for anything else.
    """
    try:
        shape = tuple(int(word) for word in text.replace("×", ",").strip("()").split(",") if word.strip())
    except ValueError:
        shape = (0,)
    if any(n < 1 for n in shape) or math.prod(shape) > MAX_NUMBERS:
        raise UserError(
            f"{option} {text}: expected positive sizes with commas between them, such as 7,13, of at most "
            f"{MAX_NUMBERS:,} numbers in all"
        )
    return shape


def parse_argument(text: str, seed: int) -> tuple[str, Any]:
    """The name ("" without one) and value of `NAME=VALUE`.

    VALUE is a generator of `jaxnn.certify.domains` and a shape, such as `positive 7,13` or `integers(10) 7`; or a
    number, True, False, None or a word.
    Raises `UserError` for a generator that does not exist.
    """
    name, equals, value = text.partition("=")
    name, value = (name.strip(), value.strip()) if equals else ("", text.strip())
    if name and not name.isidentifier():
        raise UserError(f"--arg {text}: expected NAME=VALUE, found the name {name!r}")
    draw = _DRAW.fullmatch(value)
    if draw is not None and draw["name"] in domains.GENERATORS:
        return name, _draw(text, draw, seed)
    if draw is not None and (draw["shape"] or draw["numbers"] is not None):
        names = list(domains.GENERATORS)
        raise UserError(
            f"--arg {text}: expected one of {', '.join(names)}, found {draw['name']!r}{hint(draw['name'], names, repr)}"
        )
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def _draw(text: str, draw: re.Match[str], seed: int) -> domains.Domain:
    numbers = [int(word) for word in (draw["numbers"] or "").split(",") if word.strip()]
    shape = parse_shape(draw["shape"] or "", f"--arg {text}: shape")
    if (draw["name"] == "integers") != (len(numbers) == 1):
        example = "integers(10) 7,3" if draw["name"] == "integers" else f"{draw['name']} 7,13"
        raise UserError(f"--arg {text}: expected a generator and a shape, such as {example}")
    try:
        return domains.GENERATORS[draw["name"]](*numbers, *shape, seed=seed)
    except (ValueError, IndexError) as error:
        raise UserError(f"--arg {text}: no {draw['name']} of this shape: {error}") from error


def is_function(subject: Any, arguments: Sequence[str]) -> bool:
    """Whether a target is a function to certify, not one that returns a layer: it takes arguments."""
    if isinstance(subject, jax.custom_vjp | jax.custom_jvp) or arguments:
        return callable(subject)
    if not callable(subject) or isinstance(subject, tuple):
        return False
    try:
        parameters = inspect.signature(subject).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)


class OwnOptions(NamedTuple):
    """What the command line says of a user's own layer or function.

    shapes: of a layer's batch, or of the arguments of a function
    arguments: of a function, such as "x=positive 7,13"
    reference: the name of the function that a function is compared with, FILE.py:NAME; None: itself
    mutants: whether mistakes are planted
    """

    shapes: Sequence[tuple[int, ...]] = ()
    arguments: Sequence[str] = ()
    reference: str | None = None
    mutants: bool = False


def function_laws(
    target: str, f: Callable[..., Any], options: OwnOptions, reference: Callable[..., Any] | None = None
) -> Callable[[bool], Certificate]:
    """quick -> the certificate of a function at normal arrays of the shapes and at the arguments of `--arg`.

    Raises `UserError` for arguments that the function does not take.
    """
    values = [domains.normal(*shape, seed=i) for i, shape in enumerate(options.shapes)]
    named: dict[str, Any] = {}
    for i, text in enumerate(options.arguments):
        name, value = parse_argument(text, seed=len(values) + i)
        if name in named:
            raise UserError(f"{target}: --arg {name}= is given twice")
        if name:
            named[name] = value
        else:
            values.append(value)
    if not values and not named:
        raise UserError(
            f"{target}: expected --shape with the shape of each argument, or --arg NAME=VALUE for each, found none"
        )
    # Positional where the function allows it: a keyword could be an option of `certify_vjp`.
    for name in _positional_names(f)[len(values) :]:
        if name not in named:
            break
        values.append(named.pop(name))
    chosen = {"reference": reference, "mutants": options.mutants}
    return lambda quick: certify_vjp(f, None, None, *values, quick=quick, timed=not quick, **chosen, **named)


def _positional_names(f: Callable[..., Any]) -> list[str]:
    try:
        parameters = inspect.signature(f.fun if isinstance(f, jax.custom_vjp) else f).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
