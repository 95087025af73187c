"""A number over the seeds, and where the course's lies among them."""

from typing import NamedTuple

import numpy as np


class Measured(NamedTuple):
    """A number of every seed (per cent for accuracies), beside the course's where it gives one."""

    name: str
    values: tuple[float, ...]
    course: float | None = None
    why: str = ""

    @property
    def spread(self) -> dict[str, float | None]:
        """Mean, standard deviation, least and greatest, as every table shows them."""
        a = np.array(self.values)
        return {
            "mean": float(a.mean()),
            "sd": float(a.std(ddof=1)) if len(a) > 1 else None,
            "min": float(a.min()),
            "max": float(a.max()),
        }

    @property
    def place(self) -> str:
        """Where the course's number falls among the seeds: "inside", "above all", "below all"; "" without one."""
        if self.course is None:
            return ""
        low, high = min(self.values), max(self.values)
        # The course prints so many digits: what rounds to its number equals it.
        half = 0.5 * 10.0 ** -_digits(self.course)
        return "above all" if self.course > high + half else "below all" if self.course < low - half else "inside"

    @property
    def verdict(self) -> str:
        """The place in words, with the reason where the number lies outside."""
        if self.course is None:
            return "no number in the course"
        n = len(self.values)
        if self.place == "inside":
            return f"inside, {sum(v < self.course for v in self.values)} of {n} seeds lower"
        return f"{self.place} {n}: {self.why or 'no reason known'}" if n > 1 else f"{self.place} (one seed)"


def _digits(number: float) -> int:
    """Decimals with which a number was written."""
    text = f"{number:g}"
    return len(text.partition(".")[2])
