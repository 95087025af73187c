"""What a layer may know, while it is traced, of the loop that it will stand in."""

from collections.abc import Iterator
from contextlib import contextmanager

_stays = False


@contextmanager
def same_batch() -> Iterator[None]:
    """Within it, what is traced is the body of a loop whose every step sees the same batch: what is made of the batch
    alone XLA makes once, before the loop."""
    global _stays
    before, _stays = _stays, True
    try:
        yield
    finally:
        _stays = before


def batch_stays() -> bool:
    """Whether every step sees the same batch."""
    return _stays
