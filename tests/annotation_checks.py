"""beartype's checks of annotations, each written once.

A layer defines its functions each time that it is made, and writing the check of one takes a millisecond: most of the
time of making a layer. Two functions of one name with the same annotations have the same check.
"""

from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, FrozenDict, beartype
from jax.core import Tracer

# An integer is a number too, a real number a complex one, and so is one that is traced: rates are inputs of a compiled
# training.
NUMBERS = FrozenDict({float: float | int | Tracer, complex: complex | float | int})
_write = beartype(conf=BeartypeConf(hint_overrides=NUMBERS))
_written: dict[Any, Callable[..., Any]] = {}


def checked(function: Any) -> Any:
    """beartype's check of a function without a body, which jaxtyping makes of the signature of another."""
    if not hasattr(function, "__code__"):
        return _write(function)
    code = function.__code__
    signature = code.co_varnames, code.co_posonlyargcount, code.co_argcount, code.co_kwonlyargcount, code.co_flags
    key = (function.__module__, function.__qualname__, signature, tuple(function.__annotations__.items()))
    try:
        known = _written.get(key)
    except TypeError:  # an annotation that cannot be a key
        return _write(function)
    if known is None:
        known = _written[key] = _write(function)
    return known
