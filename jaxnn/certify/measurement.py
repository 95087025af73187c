"""What a law returns: a measured number, its bound, and the entry where expected and computed value differ most."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

#: Significant digits by which any two numbers in double precision differ.
MAX_DIGITS = 17


class NotMeasured(Exception):
    """Raised by a law that cannot be measured, with the reason."""


class Measurement(NamedTuple):
    """The distance between two results at their worst leaf, and the largest distance allowed.

    expected, got: the values at `entry` of `leaf`, the entry with the largest difference
    detail: what was expected and what was found where it is not a number (a shape, a structure)
    others: the other leaves beyond the bound
    """

    measured: float
    bound: float
    leaf: str = ""
    entry: tuple[int, ...] = ()
    expected: complex = 0.0
    got: complex = 0.0
    detail: str = ""
    others: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether the measured number is within its bound; NaN is not."""
        return bool(self.measured <= self.bound)

    @property
    def severity(self) -> float:
        """`measured` in units of `bound`: NaN counts as the worst."""
        if np.isnan(self.measured):
            return np.inf
        return float(self.measured) / float(self.bound) if self.bound else np.inf if self.measured else 0.0

    def __str__(self) -> str:
        place = f"{self.leaf}[{', '.join(map(str, self.entry))}]" if self.entry else self.leaf
        expected, got = _number_texts(self.expected, self.got, 9)
        measured, bound = _number_texts(self.measured, self.bound, 3)
        values = self.detail or f"expected {expected}, got {got}"
        others = f"; also beyond the bound: {', '.join(self.others)}" if self.others else ""
        return f"{place}: {values}; measured {measured}, bound {bound}{others}"


def _number_texts(a: complex, b: complex, digits: int) -> tuple[str, str]:
    """Two numbers with this many significant digits, or with the first number of digits that tells them apart."""
    while a != b and digits < MAX_DIGITS and f"{a:.{digits}g}" == f"{b:.{digits}g}":
        digits += 1
    return f"{a:.{digits}g}", f"{b:.{digits}g}"


def worst(measurements: Iterable[Measurement]) -> Measurement:
    """The measurement that is furthest beyond its bound, or nearest to it; and the other leaves beyond their bounds."""
    measurements = list(measurements)
    largest = max(measurements, key=lambda measurement: measurement.severity, default=Measurement(0.0, 0.0))
    leaves = [
        leaf for m in measurements if not m.holds for leaf in (m.leaf, *m.others) if leaf not in ("", largest.leaf)
    ]
    return largest._replace(others=tuple(dict.fromkeys(leaves))) if leaves else largest


def error_line(error: BaseException, length: int = 200) -> str:
    """The type of an exception and the first line of its message, shortened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    message = lines[0] if lines else ""
    message = message if len(message) <= length else message[: length - 1] + "…"
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def as_numbers(a: Any) -> np.ndarray:
    """An array of any floating or complex type in double precision."""
    a = np.asarray(a)
    return a.astype(np.complex128 if np.iscomplexobj(a) else np.float64)


def relative_error(got: Any, expected: Any, floor: float = 0.0) -> float:
    """‖got − expected‖ / ‖expected‖; 0 where the distance is at most `floor`.

    An expected zero must be exactly zero, up to the floor; NaN equals NaN.
    """
    got, expected = as_numbers(got), as_numbers(expected)
    if got.shape != expected.shape:
        return np.inf
    distance, size = np.linalg.norm(_difference(got, expected)), np.linalg.norm(expected[np.isfinite(expected)])
    if distance <= floor:
        return 0.0
    return float(distance / size) if size else np.inf


def _difference(got: np.ndarray, expected: np.ndarray) -> np.ndarray:
    same = (got == expected) | (np.isnan(got) & np.isnan(expected))
    with np.errstate(invalid="ignore"):
        return np.asarray(np.nan_to_num(np.where(same, 0, got - expected), nan=np.inf))


def locate(leaf: str, got: Any, expected: Any, measured: float, bound: float) -> Measurement:
    """A measurement of one leaf, with the index of the entry that differs most from its expected value."""
    got, expected = as_numbers(got), as_numbers(expected)
    if got.shape != expected.shape:
        return Measurement(measured, bound, leaf, detail=f"expected shape {expected.shape}, got {got.shape}")
    if got.size == 0:
        return Measurement(measured, bound, leaf)
    index = np.unravel_index(np.argmax(np.abs(_difference(got, expected))), got.shape)
    return Measurement(measured, bound, leaf, tuple(map(int, index)), expected[index].item(), got[index].item())


def compare(
    got: Mapping[str, Any], expected: Mapping[str, Any], bound: float, floors: Mapping[str, float] | None = None
) -> Measurement:
    """The measurement of the leaf with the largest relative error.

    floors: the distance up to which a leaf counts as equal
    """
    floors = floors or {}
    return worst(
        locate(name, got[name], a, relative_error(got[name], a, floors.get(name, 0.0)), bound)
        for name, a in expected.items()
    )
