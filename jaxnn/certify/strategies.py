"""Strategies of hypothesis for random arguments: the generators of `jaxnn.certify.domains` with every seed.

    @given(weights=strategies.simplex(strategies.sizes(1, 5), 7))
    def test_entropy(weights): ...

Each size is a number, or a strategy of numbers such as `sizes(1, 5)`. What is drawn is an array of NumPy; an example
that fails shrinks to small sizes.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxnn.certify import domains
from jaxnn.certify.domains import Domain
from jaxnn.errors import UserError

try:
    from hypothesis import strategies as st
except ModuleNotFoundError:
    raise UserError(
        "jaxnn.certify.strategies: expected the package hypothesis, found none; install it (pip install hypothesis)"
    ) from None

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

MAX_SEED = 2**32 - 1
#: (*sizes) -> a strategy of arrays
ArrayStrategy = Callable[..., "SearchStrategy[np.ndarray]"]


def sizes(least: int = 1, most: int = 8) -> "SearchStrategy[int]":
    """Sizes of an axis from `least` to `most`."""
    return st.integers(least, most)


def _strategy(generator: Callable[..., Domain]) -> ArrayStrategy:
    """The arrays of a generator of `domains`, whose docstring the strategy has."""

    def strategy(*sizes: Any) -> "SearchStrategy[np.ndarray]":
        drawn = [size if isinstance(size, st.SearchStrategy) else st.just(size) for size in sizes]
        return st.builds(lambda seed, *shape: generator(*shape, seed=seed).value, st.integers(0, MAX_SEED), *drawn)

    strategy.__name__, strategy.__doc__ = generator.__name__, generator.__doc__
    return strategy


normal: ArrayStrategy = _strategy(domains.normal)
positive: ArrayStrategy = _strategy(domains.positive)
probabilities: ArrayStrategy = _strategy(domains.probabilities)
simplex: ArrayStrategy = _strategy(domains.simplex)
unit: ArrayStrategy = _strategy(domains.unit)
spd: ArrayStrategy = _strategy(domains.spd)
sorted: ArrayStrategy = _strategy(domains.sorted)
permutation: ArrayStrategy = _strategy(domains.permutation)
integers: ArrayStrategy = _strategy(domains.integers)
