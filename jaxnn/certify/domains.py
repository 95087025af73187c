"""Random arguments from the domain of a function, in float64: `positive(7, 13)`, `spd(5, 5)`, `integers(10, 7)`.

Each generator takes the sizes of the axes. All of them but `integers` and `permutation` give floating numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from jaxnn.errors import UserError


@dataclass(frozen=True, eq=False)
class Domain:
    """An argument drawn from a domain.

    symmetric: whether it holds symmetric matrices: then only symmetric changes of it have a meaning
    """

    value: np.ndarray
    symmetric: bool = False


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def normal(*shape: int, seed: int = 0) -> Domain:
    """Normal random numbers."""
    return Domain(_rng(seed).normal(size=shape))


def positive(*shape: int, seed: int = 0) -> Domain:
    """Numbers between 0.2 and 3."""
    return Domain(np.exp(_rng(seed).uniform(np.log(0.2), np.log(3.0), size=shape)))


def probabilities(*shape: int, seed: int = 0) -> Domain:
    """Independent numbers between 0.05 and 0.95."""
    return Domain(_rng(seed).uniform(0.05, 0.95, size=shape))


def simplex(*shape: int, seed: int = 0) -> Domain:
    """Positive numbers whose sum over the last axis is 1."""
    weights = positive(*shape, seed=seed).value
    return Domain(weights / weights.sum(-1, keepdims=True))


def unit(*shape: int, seed: int = 0) -> Domain:
    """Vectors of length 1 along the last axis."""
    vectors = _rng(seed).normal(size=shape)
    return Domain(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def spd(*shape: int, seed: int = 0) -> Domain:
    """Symmetric positive definite matrices in the last two axes, which have one size; (n,) gives one matrix."""
    shape = shape * 2 if len(shape) == 1 else shape
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise UserError(f"spd: expected a shape with two last axes of one size, such as 5,5, found {shape}")
    factor = _rng(seed).normal(size=shape)
    matrix = factor @ np.swapaxes(factor, -1, -2) / shape[-1]
    matrix = matrix + 0.5 * np.eye(shape[-1])
    return Domain((matrix + np.swapaxes(matrix, -1, -2)) / 2, symmetric=True)


def sorted(*shape: int, seed: int = 0) -> Domain:
    """Normal random numbers in ascending order along the last axis."""
    return Domain(np.sort(_rng(seed).normal(size=shape), axis=-1))


def permutation(*shape: int, seed: int = 0) -> Domain:
    """The integers from 0 to n − 1 in random order along the last axis, of size n."""
    return Domain(np.argsort(_rng(seed).normal(size=shape), axis=-1).astype(np.int32))


def integers(n: int, *shape: int, seed: int = 0) -> Domain:
    """Integers from 0 to n − 1; n comes before the shape."""
    if n < 1:
        raise UserError(f"integers: expected a number of at least 1, found {n}")
    return Domain(_rng(seed).integers(n, size=shape).astype(np.int32))


#: The generators by name.
GENERATORS: dict[str, Callable[..., Domain]] = {
    "normal": normal,
    "positive": positive,
    "probabilities": probabilities,
    "simplex": simplex,
    "unit": unit,
    "spd": spd,
    "sorted": sorted,
    "permutation": permutation,
    "integers": integers,
}
