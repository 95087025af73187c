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


def sizes(least: int = 1, most: int = 8) -> "SearchStrategy[int]":
    """Sizes of an axis from `least` to `most`."""
    return st.integers(least, most)


def _strategy(generator: Callable[..., Domain], sizes: "tuple[int | SearchStrategy[int], ...]") -> Any:
    drawn = [size if isinstance(size, st.SearchStrategy) else st.just(size) for size in sizes]
    return st.builds(lambda seed, *shape: generator(*shape, seed=seed).value, st.integers(0, MAX_SEED), *drawn)


def normal(*shape: "int | SearchStrategy[int]") -> "SearchStrategy[np.ndarray]":
    """Normal random numbers."""
    return _strategy(domains.normal, shape)


def positive(*shape: "int | SearchStrategy[int]") -> "SearchStrategy[np.ndarray]":
    """Numbers between 0.2 and 3."""
    return _strategy(domains.positive, shape)


def probabilities(*shape: "int | SearchStrategy[int]") -> "SearchStrategy[np.ndarray]":
    """Independent numbers between 0.05 and 0.95."""
    return _strategy(domains.probabilities, shape)


def simplex(*shape: "int | SearchStrategy[int]") -> "SearchStrategy[np.ndarray]":
    """Positive numbers whose sum over the last axis is 1."""
    return _strategy(domains.simplex, shape)


def unit(*shape: "int | SearchStrategy[int]") -> "SearchStrategy[np.ndarray]":
    """Vectors of length 1 along the last axis."""
    return _strategy(domains.unit, shape)


def spd(n: "int | SearchStrategy[int]") -> "SearchStrategy[np.ndarray]":
    """A symmetric positive definite matrix (n, n)."""
    return _strategy(domains.spd, (n,))


def sorted(*shape: "int | SearchStrategy[int]") -> "SearchStrategy[np.ndarray]":
    """Normal random numbers in ascending order along the last axis."""
    return _strategy(domains.sorted, shape)


def permutation(*shape: "int | SearchStrategy[int]") -> "SearchStrategy[np.ndarray]":
    """The integers from 0 to n − 1 in random order along the last axis, of size n."""
    return _strategy(domains.permutation, shape)


def integers(n: "int | SearchStrategy[int]", *shape: "int | SearchStrategy[int]") -> "SearchStrategy[np.ndarray]":
    """Integers from 0 to n − 1; n comes before the shape."""
    return _strategy(domains.integers, (n, *shape))
