"""Reads and writes the claims in a config's head: `best test accuracy 87.3 ± 4.1 % (72.0 … 98.0), 20 seeds`."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from jaxnn.course.seed_measurement import SeedMeasurement

_NUMBER = r"-?\d[\d.]*(?:e[-+]?\d+)?"
_CLAIM = re.compile(
    r"(?P<name>(?:start|first|end|best|ensemble) (?:train|validation|test) \w+|"
    r"[\w]+(?:, batch \d+)? loss) "
    rf"(?P<mean>{_NUMBER})(?: ± (?P<sd>{_NUMBER}))?(?: %)?(?: \((?P<low>{_NUMBER}) … (?P<high>{_NUMBER})\))?"
    r"(?:, (?P<seeds>\d+) seeds)?"
)


class Claim(NamedTuple):
    """A number that a config claims: its mean over the seeds and, for several seeds, its spread."""

    name: str
    mean: float
    sd: float | None
    low: float | None
    high: float | None


def head_comment(text: str) -> str:
    """The comment at the top of a config, as running text."""
    lines = [line[1:].strip() for line in text.split("\n\n")[0].splitlines() if line.startswith("#")]
    return " ".join(lines)


def parse_claims(text: str) -> list[Claim]:
    """The claims in the head comment of a config."""
    spread = ("sd", "low", "high")
    return [
        Claim(match["name"], float(match["mean"]), *(float(match[key]) if match[key] else None for key in spread))
        for match in _CLAIM.finditer(head_comment(text))
    ]


def format_claims(measurements: Iterable[SeedMeasurement]) -> list[str]:
    """One line for each measurement, in the form that `parse_claims` reads."""
    lines = []
    for measurement in measurements:
        s, per_cent = measurement.statistics, measurement.name.endswith(" %")
        style = ".2f" if per_cent else ".4g"
        text = f"{measurement.name.removesuffix(' %')} {s['mean']:{style}}"
        text += "" if s["sd"] is None else f" ± {s['sd']:{'.2f' if per_cent else '.2g'}}"
        text += " %" if per_cent else ""
        if s["sd"] is not None:
            text += f" ({s['min']:{style}} … {s['max']:{style}}), {len(measurement.values)} seeds"
        lines.append(text)
    return lines
