"""The error and the warning that a user can cause, and the wording that error messages share."""

import difflib
from collections.abc import Callable, Iterable


class UserError(ValueError):
    """A mistake in what was asked for. Its one line says what was expected, what was found and what to do.

    The command line prints that line and exits with 2.
    """


class DataWarning(UserWarning):
    """Data that are valid but may not be what was meant. The command line prints its one line and goes on."""


class FigureWarning(UserWarning):
    """Figures of a run that could not be drawn. The run ends without them; the command line prints its one line."""


def nearest(name: object, known: Iterable[str]) -> str | None:
    """The known name that is spelled most like `name`; None if none is close."""
    close = difflib.get_close_matches(name, list(known), n=1) if isinstance(name, str) else []
    return close[0] if close else None


def hint(name: object, known: Iterable[str], form: Callable[[str], str] = str) -> str:
    """The end of an error message, `; did you mean NAME?`, with `form` applied to the name; empty if none is close."""
    close = nearest(name, known)
    return f"; did you mean {form(close)}?" if close else ""


def describe(value: object) -> str:
    """A value of the wrong kind, in words for a message: "the loss quadratic", "the function tanh, …"."""
    name = getattr(value, "name", None) or getattr(value, "__name__", None)
    if isinstance(value, type):
        return f"the class {name}"
    if callable(value) and not isinstance(value, tuple):
        return f"the function {name}, which is not called: write {name}(…)" if name else f"a {type(value).__name__}"
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return f"the {type(value).__name__.lower()} {name}" if name else f"a {type(value).__name__}"
    return f"{value!r}" if isinstance(value, str | int | float | None) else f"a {type(value).__name__}"


def plural(count: int, noun: str) -> str:
    """A count with its noun: "1 seed", "2,000 seeds"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
