"""Facts about the surrounding program that a kernel may read while it is traced.

JAX traces in the calling thread, so each fact is a `ContextVar`: a thread that traces another program does not see it.
JAX also remembers the jaxpr of a function that it has traced, without these facts: trace a new function within a
context.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_constant_batch: ContextVar[bool] = ContextVar("constant_batch", default=False)
_whole_batch: ContextVar[bool] = ContextVar("whole_batch", default=False)


@contextmanager
def constant_batch() -> Iterator[None]:
    """While active, the code being traced runs in a loop over one constant batch, so XLA can hoist work that depends
    only on the batch."""
    with _set(_constant_batch):
        yield


def batch_is_constant() -> bool:
    """Whether every step of the surrounding loop sees the same batch."""
    return _constant_batch.get()


@contextmanager
def whole_batch() -> Iterator[None]:
    """While active, batches are not split into blocks. Used for FLOP counts, because XLA counts a loop body once."""
    with _set(_whole_batch):
        yield


def batch_is_whole() -> bool:
    """Whether batches must not be split into blocks."""
    return _whole_batch.get()


@contextmanager
def _set(flag: ContextVar[bool]) -> Iterator[None]:
    token = flag.set(True)
    try:
        yield
    finally:
        flag.reset(token)
