"""The seeds of a run: consecutive numbers of 32 bits."""

from jaxnn.errors import UserError

#: JAX's random keys take seeds of 32 bits.
LAST_SEED = 2**32 - 1
#: Each seed has its own row in every array of a run.
MAX_SEEDS = 1_000_000


def seed_range(first: int, count: int) -> tuple[int, ...]:
    """The seeds first, first + 1, …, as many as `count`. Raises `UserError` for seeds that JAX does not take."""
    if not 1 <= count <= MAX_SEEDS:
        raise UserError(f"--seeds: expected from 1 to {MAX_SEEDS:,} seeds, found {count:,}")
    if not 0 <= first <= first + count - 1 <= LAST_SEED:
        raise UserError(
            f"expected seeds from 0 to {LAST_SEED}, found {first} to {first + count - 1}; lower the first or the number"
        )
    return tuple(range(first, first + count))
