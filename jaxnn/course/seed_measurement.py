"""A number measured for every seed, and the position of the course's number among them."""

import math
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from jaxnn.metrics import lower_is_better
from jaxnn.report.cells import seed_statistics


class SeedMeasurement(NamedTuple):
    """One value per seed (accuracies in per cent), beside the course's number if the course gives one.

    course: the course's number as the deck prints it, "" for none
    note: a known reason why the course's number can lie outside ours
    target: the number that the mean should reach
    examples: how many examples an accuracy was measured on
    """

    name: str
    values: tuple[float, ...]
    course: str = ""
    note: str = ""
    target: float | None = None
    examples: int | None = None

    @property
    def metric(self) -> str:
        """The metric: "accuracy" of "best test accuracy %"."""
        return self.name.removesuffix(" %").split()[-1]

    @property
    def statistics(self) -> dict[str, float | None]:
        """Mean, standard deviation, minimum and maximum over the seeds."""
        return seed_statistics(self.values)

    @property
    def standard_error(self) -> float | None:
        """The binomial standard error √(p(1 − p)/n) of an accuracy p of n examples, in points.

        It estimates how much the accuracy would change on another n examples of the same kind. None for other numbers.
        """
        if self.examples is None or not self.name.endswith("accuracy %"):
            return None
        p = float(np.mean(self.values)) / 100
        return 100 * math.sqrt(p * (1 - p) / self.examples)

    @property
    def course_value(self) -> float | None:
        """The course's number."""
        return float(self.course) if self.course else None

    @property
    def position(self) -> str:
        """Where the course's number lies among the seeds: "inside", "above all", "below all"; "" if there is none."""
        if not self.course:
            return ""
        low, high = min(self.values), max(self.values)
        # A value equals the course's number if it rounds to the digits that the course prints.
        number = Decimal(self.course)
        half = Decimal(5).scaleb(int(number.as_tuple().exponent) - 1)
        return "above all" if number - half > high else "below all" if number + half < low else "inside"

    @property
    def summary(self) -> str:
        """Whether the target is reached; without a target, the position in words, with the note if it is outside."""
        if self.target is not None:
            shortfall = self.target - float(np.mean(self.values))
            if lower_is_better(self.metric):
                shortfall = -shortfall
            return f"{self.target:g} reached" if shortfall <= 0 else f"{self.target:g} missed by {shortfall:.2g}"
        course, n = self.course_value, len(self.values)
        if course is None:
            return "no number in the course"
        if self.position == "inside":
            return f"inside, {sum(v < course for v in self.values)} of {n} seeds lower"
        return f"{self.position} {n if n > 1 else '(one seed)'}: {self.note or 'no reason known'}"
