"""The result of a benchmark, and its form in `results/*.json`."""

from typing import Any, NamedTuple

from benchmarks.timing import Timing


class Ratio(NamedTuple):
    """A number with its target. The target is an upper bound; None: there is none.

    what: the name
    seconds: our time that the ratio is computed from; None: that of the result's first timing
    """

    what: str
    value: float
    target: float | None = None
    seconds: float | None = None

    @property
    def met(self) -> bool | None:
        return None if self.target is None else self.value <= self.target


class BenchmarkResult(NamedTuple):
    """What one benchmark measured.

    unit: of the timings: "epoch", or a number of steps
    facts: further figures by name
    """

    name: str
    title: str
    unit: str
    timings: list[Timing]
    ratios: list[Ratio]
    facts: dict[str, Any]


def to_json(result: BenchmarkResult) -> dict[str, Any]:
    """A result in plain types; `from_json` is the inverse."""
    return result._asdict() | {
        "timings": [timing._asdict() for timing in result.timings],
        "ratios": [ratio._asdict() for ratio in result.ratios],
    }


def from_json(fields: dict[str, Any]) -> BenchmarkResult:
    return BenchmarkResult(**fields)._replace(
        timings=[Timing(**timing) for timing in fields["timings"]],
        ratios=[Ratio(**ratio) for ratio in fields["ratios"]],
    )
