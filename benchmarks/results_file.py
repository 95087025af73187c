"""What a benchmark found, as data that a file keeps."""

from typing import Any, NamedTuple

from benchmarks.timing import Timing


class Ratio(NamedTuple):
    """One number with its target: at most `target`, where there is one.

    seconds: ours, of which it is made; None where they are the finding's first
    """

    what: str
    value: float
    target: float | None = None
    seconds: float | None = None

    @property
    def met(self) -> bool | None:
        return None if self.target is None else self.value <= self.target


class Finding(NamedTuple):
    """What one benchmark found.

    unit: of the timings: "epoch", or so many steps
    facts: further figures by name
    """

    name: str
    title: str
    unit: str
    timings: list[Timing]
    ratios: list[Ratio]
    facts: dict[str, Any]


def as_json(finding: Finding) -> dict[str, Any]:
    """A finding in plain types; `of_json` is its inverse."""
    return finding._asdict() | {
        "timings": [t._asdict() for t in finding.timings],
        "ratios": [r._asdict() for r in finding.ratios],
    }


def of_json(found: dict[str, Any]) -> Finding:
    return Finding(**found)._replace(
        timings=[Timing(**t) for t in found["timings"]], ratios=[Ratio(**r) for r in found["ratios"]]
    )
