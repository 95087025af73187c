"""The one error that a user can cause: the door prints its line and exits with 2."""

import difflib
from collections.abc import Callable, Iterable


class UserError(ValueError):
    """A mistake in what was asked for: says what was expected, what was found and what to do."""


def nearest(found: object, known: Iterable[str]) -> str | None:
    """The name that was meant, if one is near."""
    near = difflib.get_close_matches(found, list(known), n=1) if isinstance(found, str) else []
    return near[0] if near else None


def hint(found: object, known: Iterable[str], form: Callable[[str], str] = str) -> str:
    """The end of a refusal: `; did you mean NAME?`, the name in this form; nothing where none is near."""
    near = nearest(found, known)
    return f"; did you mean {form(near)}?" if near else ""
