"""The results of a reproduction as rows of a table, and as JSON."""

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from jaxnn.report.cells import NO_VALUE

if TYPE_CHECKING:
    from jaxnn.course import SeedMeasurement, System, SystemResult

#: A row of the table: the system, a measurement, its summary, the number of seeds, seconds (0: none are shown).
MakeRow = Callable[["System", "SeedMeasurement | None", str, int, float], dict[str, Any]]

#: Kinds of systems -> the headings of the number that others give, and of what ours says of it.
HEADINGS = {
    "S": ("course", "the course's number lies"),
    "T": ("published", "target"),
    "ST": ("published", "comparison"),
}


def result_rows(result: "SystemResult", make_row: MakeRow) -> list[dict[str, Any]]:
    """A row for each measurement; the first row has the time."""
    return [
        make_row(result.system, measurement, measurement.summary, result.seeds, result.seconds if i == 0 else 0.0)
        for i, measurement in enumerate(result.measurements)
    ]


def row_of(systems: Sequence["System"]) -> MakeRow:
    """The rows of a table of these systems, which all have the same columns."""
    kinds = {system.id[0] for system in systems}
    if kinds == {"R"}:
        return record_row
    return functools.partial(comparison_row, *HEADINGS["".join(sorted(kinds))])


def comparison_row(
    given: str,
    verdict: str,
    system: "System",
    measurement: "SeedMeasurement | None",
    summary: str,
    seeds: int,
    seconds: float,
) -> dict[str, Any]:
    """A number that others give, beside ours. given, verdict: the headings of their columns"""
    number = None if measurement is None else measurement.course_value
    # A published number is of another net: without a target, its place among ours says nothing.
    judged = system.id.startswith("S") or measurement is None or measurement.target is not None
    return {
        "system": f"{system.id} {system.config or system.study}",
        "number": NO_VALUE if measurement is None else measurement.name,
        given: NO_VALUE if number is None else number,
        "ours": NO_VALUE if measurement is None else measurement.statistics,
        verdict: summary if judged else NO_VALUE,
        "seeds": seeds,
        "s": round(seconds, 1) if seconds else "",
    }


def record_row(
    system: "System", measurement: "SeedMeasurement | None", summary: str, seeds: int, seconds: float
) -> dict[str, Any]:
    """A number of a record, with its standard error and the target."""
    error = None if measurement is None else measurement.standard_error
    return {
        "record": f"{system.id} {system.config}",
        "number": NO_VALUE if measurement is None else measurement.name,
        "ours": NO_VALUE if measurement is None else measurement.statistics,
        "standard error": NO_VALUE if error is None else f"{error:.2f}",
        "target": summary if measurement is None or measurement.target is not None else NO_VALUE,
        "seeds": seeds,
        "s": round(seconds, 1) if seconds else "",
    }


def result_json(result: "SystemResult") -> dict[str, Any]:
    """A result as JSON, with the value of every seed."""
    return {
        "id": result.system.id,
        "config": result.system.config,
        "title": result.system.title,
        "seeds": result.seeds,
        "seconds": result.seconds,
        "numbers": [
            {
                "name": measurement.name,
                "course": measurement.course_value,
                "target": measurement.target,
                **measurement.statistics,
                "standard_error": measurement.standard_error,
                "position": measurement.position,
                "values": list(measurement.values),
            }
            for measurement in result.measurements
        ],
    }
