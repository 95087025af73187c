"""A run that needs more memory than there is, in one line that says what was asked for and what to lower."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import jax

from jaxnn.errors import UserError, plural
from jaxnn.layer import Batch


@contextmanager
def explained(example: Batch, seeds: int, *, full_batch: bool) -> Iterator[None]:
    """Raises `UserError` in place of what JAX and Python raise when they get no memory.

    example: a batch, or its shapes
    """
    try:
        yield
    except (MemoryError, jax.errors.JaxRuntimeError, ValueError) as error:
        text = str(error)
        # A ValueError: JAX finds no room for the examples themselves.
        if not isinstance(error, MemoryError) and not re.search("RESOURCE_EXHAUSTED|[Oo]ut of memory", text):
            raise
        asked = re.search(r"(\d[\d.]*) ?([KMGTP]?i?B|bytes)", text)
        size = _size(asked[1], asked[2]) if asked else "more memory"
        batch = "the whole training part" if full_batch else f"{jax.tree.leaves(example)[0].shape[0]} examples"
        lower = "set train.batch_size" if full_batch else "lower train.batch_size"
        fewer = ", train fewer seeds at once" if seeds > 1 else ""
        raise UserError(
            f"out of memory: a step on {batch}, {plural(seeds, 'seed')}, asked for {size}; "
            f"{lower}{fewer}, make the layers smaller, or read the examples as they are needed (data.where = 'stream')"
        ) from error


def _size(number: str, unit: str) -> str:
    if unit != "bytes":
        return f"{number} {unit}"
    size, units = float(number), ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"]
    while size >= 1024 and len(units) > 1:
        size, units = size / 1024, units[1:]
    return f"{size:.4g} {units[0]}"
