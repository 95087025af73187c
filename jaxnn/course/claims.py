"""What the head of a config claims, read and written: `best test accuracy 87.3 ± 4.1 % (72.0 … 98.0), 20 seeds`."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from jaxnn.course.seed_statistics import Measured

_NUMBER = r"-?\d[\d.]*(?:e[-+]?\d+)?"
_CLAIM = re.compile(
    r"(?P<name>(?:start|first|end|best|ensemble) (?:train|validation|test) (?:accuracy|loss)|"
    r"[\w]+(?:, batch \d+)? loss) "
    rf"(?P<mean>{_NUMBER})(?: ± (?P<sd>{_NUMBER}))?(?: %)?(?: \((?P<low>{_NUMBER}) … (?P<high>{_NUMBER})\))?"
    r"(?:, (?P<seeds>\d+) seeds)?"
)


class Claim(NamedTuple):
    """A number that a config claims: its mean over seeds, and its spread where there are several."""

    name: str
    mean: float
    sd: float | None
    low: float | None
    high: float | None


def head(text: str) -> str:
    """The comment on top of a config, as running text."""
    lines = [line[1:].strip() for line in text.split("\n\n")[0].splitlines() if line.startswith("#")]
    return " ".join(lines)


def claims(text: str) -> list[Claim]:
    """The claims in a config's head."""
    found = _CLAIM.finditer(head(text))
    spread = ("sd", "low", "high")
    return [Claim(m["name"], float(m["mean"]), *(float(m[k]) if m[k] else None for k in spread)) for m in found]


def written(numbers: Iterable[Measured]) -> list[str]:
    """The lines that claim these numbers."""
    lines = []
    for number in numbers:
        s, per_cent = number.spread, number.name.endswith(" %")
        style = ".2f" if per_cent else ".4g"
        text = f"{number.name.removesuffix(' %')} {s['mean']:{style}}"
        text += "" if s["sd"] is None else f" ± {s['sd']:{'.2f' if per_cent else '.2g'}}"
        text += " %" if per_cent else ""
        text += "" if s["sd"] is None else f" ({s['min']:{style}} … {s['max']:{style}}), {len(number.values)} seeds"
        lines.append(text)
    return lines
