"""Work that needs more memory than there is: one line that says what was asked for and what to lower."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from jaxnn.errors import UserError

#: What makes any work fit that trains or evaluates a net.
SMALLER = "make the layers smaller, or read the examples as they are needed (data.where = 'stream')"


@contextmanager
def explained(work: str, remedy: str) -> Iterator[None]:
    """Raises `UserError` in place of what JAX and Python raise when they get no memory.

    work: what asked for it, such as "a step on 32 examples, 1 seed"; remedy: what the user can do
    """
    try:
        yield
    except Exception as error:
        if (size := asked_memory(error)) is None:
            raise
        raise UserError(f"out of memory: {work}, asked for {size}; {remedy}") from error


def asked_memory(error: BaseException) -> str | None:
    """How much memory was asked for where an error says that there is too little; None for another error."""
    text = str(error)
    # JAX raises a RuntimeError, and a ValueError where it finds no room for the examples themselves.
    of_jax = isinstance(error, RuntimeError | ValueError) and re.search("RESOURCE_EXHAUSTED|[Oo]ut of memory", text)
    if isinstance(error, UserError) or not (of_jax or isinstance(error, MemoryError)):
        return None
    asked = re.search(r"(\d[\d.]*) ?([KMGTP]?i?B|bytes)", text)
    return _size(asked[1], asked[2]) if asked else "more memory"


def _size(number: str, unit: str) -> str:
    if unit != "bytes":
        return f"{number} {unit}"
    size, units = float(number), ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"]
    while size >= 1024 and len(units) > 1:
        size, units = size / 1024, units[1:]
    return f"{size:.4g} {units[0]}"
