"""A run for which the memory does not suffice, in a line that says what was asked and what to lower."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import jax

from jaxnn.errors import UserError, plural
from jaxnn.train.plan import Plan


@contextmanager
def named(plan: Plan, seeds: int) -> Iterator[None]:
    """Raises `UserError` in place of what JAX and Python raise when they get no memory."""
    try:
        yield
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        text = str(error)
        if isinstance(error, jax.errors.JaxRuntimeError) and not re.search("RESOURCE_EXHAUSTED|[Oo]ut of memory", text):
            raise
        asked = re.search(r"(\d[\d.]*) ?([KMGTP]?i?B|bytes)", text)
        size = _size(asked[1], asked[2]) if asked else "more memory"
        batch = "the whole training part" if plan.batch_size is None else f"{plan.batch_size} examples"
        lower = "set train.batch_size" if plan.batch_size is None else "lower train.batch_size"
        rest = ", train fewer seeds at once" if seeds > 1 else ""
        raise UserError(
            f"out of memory: a step on {batch}, {plural(seeds, 'seed')}, asked for {size}; "
            f"{lower}{rest}, or make the layers smaller"
        ) from error


def _size(number: str, unit: str) -> str:
    if unit != "bytes":
        return f"{number} {unit}"
    size, units = float(number), ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"]
    while size >= 1024 and len(units) > 1:
        size, units = size / 1024, units[1:]
    return f"{size:.4g} {units[0]}"
