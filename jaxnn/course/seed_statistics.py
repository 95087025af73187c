"""A number over the seeds, and where the course's lies among them."""

import math
from decimal import Decimal
from typing import NamedTuple

import numpy as np


class Measured(NamedTuple):
    """A number of every seed (per cent for accuracies), beside the course's where it gives one.

    course: as the deck prints it, "" for none
    target: what the mean is to reach
    examples: how many an accuracy is of
    """

    name: str
    values: tuple[float, ...]
    course: str = ""
    why: str = ""
    target: float | None = None
    examples: int | None = None

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
    def chance(self) -> float | None:
        """The binomial standard error √(p(1 − p)/n) of an accuracy p of n examples, in points: how far another n
        examples of the same kind would carry it."""
        if self.examples is None or not self.name.endswith("accuracy %"):
            return None
        p = float(np.mean(self.values)) / 100
        return 100 * math.sqrt(p * (1 - p) / self.examples)

    @property
    def number(self) -> float | None:
        """The course's number."""
        return float(self.course) if self.course else None

    @property
    def place(self) -> str:
        """Where the course's number falls among the seeds: "inside", "above all", "below all"; "" without one."""
        if not self.course:
            return ""
        low, high = min(self.values), max(self.values)
        # What rounds to the digits that the course prints equals its number.
        number = Decimal(self.course)
        half = Decimal(5).scaleb(int(number.as_tuple().exponent) - 1)
        return "above all" if number - half > high else "below all" if number + half < low else "inside"

    @property
    def verdict(self) -> str:
        """The place in words, with the reason where the number lies outside; of a target, whether it is reached."""
        if self.target is not None:
            short = self.target - float(np.mean(self.values))
            return f"{self.target:g} reached" if short <= 0 else f"{self.target:g} missed by {short:.2g}"
        number, n = self.number, len(self.values)
        if number is None:
            return "no number in the course"
        if self.place == "inside":
            return f"inside, {sum(v < number for v in self.values)} of {n} seeds lower"
        return f"{self.place} {n if n > 1 else '(one seed)'}: {self.why or 'no reason known'}"
