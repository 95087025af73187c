"""What a law returns: a measured number, its bound, and the place where they are nearest to each other."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np


class Finding(NamedTuple):
    """How far apart two answers are at their worst leaf, and the most that they may be."""

    measured: float
    bound: float
    leaf: str = ""
    index: tuple[int, ...] = ()
    expected: float = 0.0
    got: float = 0.0

    @property
    def holds(self) -> bool:
        return self.measured <= self.bound

    @property
    def severity(self) -> float:
        """`measured` in units of `bound`: NaN counts as the worst."""
        if np.isnan(self.measured):
            return np.inf
        return float(self.measured) / float(self.bound) if self.bound else np.inf if self.measured else 0.0

    def __str__(self) -> str:
        place = f"{self.leaf}[{', '.join(map(str, self.index))}]" if self.index else self.leaf
        answers = f"expected {self.expected:.9g}, got {self.got:.9g}"
        return f"{place}: {answers}; measured {self.measured:.3g}, bound {self.bound:.3g}"


def worst(findings) -> Finding:
    """The finding that is nearest to its bound, or furthest beyond it."""
    return max(findings, key=lambda finding: finding.severity, default=Finding(0.0, 0.0))


def relative(got: Any, expected: Any) -> float:
    """‖got − expected‖ / ‖expected‖; what should be zero must be exactly zero, what is NaN in both is equal."""
    got, expected = np.asarray(got, np.float64), np.asarray(expected, np.float64)
    if got.shape != expected.shape:
        return np.inf
    distance, size = np.linalg.norm(_difference(got, expected)), np.linalg.norm(expected[np.isfinite(expected)])
    return float(distance / size) if size else np.inf if distance else 0.0


def _difference(got: np.ndarray, expected: np.ndarray) -> np.ndarray:
    same = (got == expected) | (np.isnan(got) & np.isnan(expected))
    with np.errstate(invalid="ignore"):
        return np.asarray(np.nan_to_num(np.where(same, 0, got - expected), nan=np.inf))


def place(leaf: str, got: Any, expected: Any, measured: float, bound: float) -> Finding:
    """A finding about one leaf, with the entry that is furthest from what is expected."""
    got, expected = np.asarray(got, np.float64), np.asarray(expected, np.float64)
    if got.shape != expected.shape:
        return Finding(measured, bound, f"{leaf}: expected shape {expected.shape}, got {got.shape}")
    if got.size == 0:
        return Finding(measured, bound, leaf)
    index = np.unravel_index(np.argmax(np.abs(_difference(got, expected))), got.shape)
    return Finding(measured, bound, leaf, tuple(map(int, index)), float(expected[index]), float(got[index]))


def compare(got: Mapping[str, Any], expected: Mapping[str, Any], bound: float) -> Finding:
    """The leaf whose relative difference is largest."""
    return worst(
        place(name, got[name], expected[name], relative(got[name], expected[name]), bound) for name in expected
    )
