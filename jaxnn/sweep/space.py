"""What a sweep varies: an axis is the name of a config's value with a list of values, or a distribution."""

import itertools
import math
import random
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from jaxnn.config.errors import ConfigError, preview, suggest


class Axis(NamedTuple):
    """Values of a dotted name, as a config's override has them: `choices`, or numbers from `low` to `high`.

    kind: choice, uniform, log-uniform or integer (both ends are among them)
    """

    name: str
    kind: str
    choices: tuple[str, ...] = ()
    low: float = math.nan
    high: float = math.nan

    @property
    def ends(self) -> tuple[str, ...]:
        """Values that are right only if every other is."""
        return self.choices or (self.text(self.low), self.text(self.high))

    def text(self, number: float) -> str:
        """A number as an override has it."""
        return str(int(number)) if self.kind == "integer" else repr(float(number))

    def rounded(self, number: float) -> str:
        """A number between the ends, to four digits: more say nothing."""
        return self.text(min(self.high, max(self.low, float(f"{number:.4g}"))))

    def drawn(self, draw: random.Random) -> str:
        """A value at random."""
        return DISTRIBUTIONS[self.kind](self, draw)


def _log_uniform(axis: Axis, draw: random.Random) -> str:
    return axis.rounded(math.exp(draw.uniform(math.log(axis.low), math.log(axis.high))))


#: kind -> (axis, random numbers) -> a value
DISTRIBUTIONS: dict[str, Callable[[Axis, random.Random], str]] = {
    "choice": lambda axis, draw: draw.choice(axis.choices),
    "uniform": lambda axis, draw: axis.rounded(draw.uniform(axis.low, axis.high)),
    "log-uniform": _log_uniform,
    "integer": lambda axis, draw: axis.text(draw.randint(int(axis.low), int(axis.high))),
}


def axes(over: Sequence[str] = (), draw: Sequence[str] = ()) -> tuple[Axis, ...]:
    """The axes of `NAME=V1,V2,…` and of `NAME=log-uniform(1e-4,1e-1)`. Raises `ConfigError` with all mistakes."""
    found, lines = [], []
    for option, texts, read in (("--over", over, _list), ("--draw", draw, _distribution)):
        for text in texts:
            name, equals, said = text.partition("=")
            name = name.strip().removeprefix("--").replace("-", "_")
            try:
                if not equals or not name:
                    raise ValueError("expected NAME=VALUES, such as optimizer.learning_rate=0.01,0.1")
                if name in (axis.name for axis in found):
                    raise ValueError(f"expected {name} once, found it again")
                if name in ("train.seed", "train.seeds"):
                    raise ValueError(f"expected no {name}: every member has the same seeds; their number is --seeds")
                found.append(read(name, said.strip()))
            except ValueError as error:
                lines.append(f"{option} {text}: {error}")
    if lines:
        raise ConfigError(lines)
    return tuple(found)


def _list(name: str, said: str) -> Axis:
    values = split(said)
    if not said or not all(values):
        raise ValueError(f"expected values with commas between them, found {preview(said)}")
    if len(set(values)) < len(values):
        raise ValueError("expected each value once, found one again")
    return Axis(name, "choice", values)


def _distribution(name: str, said: str) -> Axis:
    match = re.fullmatch(r"([\w-]+)\s*\((.*)\)", said, re.DOTALL)
    kinds = ", ".join(f"{kind}({'A,B,…' if kind == 'choice' else 'LOW,HIGH'})" for kind in DISTRIBUTIONS)
    if not match:
        raise ValueError(f"expected one of {kinds}, found {preview(said)}")
    kind, values = match[1].replace("_", "-"), split(match[2])
    if kind not in DISTRIBUTIONS:
        raise ValueError(f"unknown distribution {kind}; {suggest(kind, DISTRIBUTIONS)}")
    if kind == "choice":
        return _list(name, match[2])
    try:
        low, high = (int(value) if kind == "integer" else float(value) for value in values)
    except ValueError:
        numbers = "integers" if kind == "integer" else "numbers"
        raise ValueError(f"expected {kind}(LOW,HIGH) with two {numbers}, found {preview(said)}") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high) or (kind == "log-uniform" and low <= 0):
        raise ValueError(
            f"expected {'0 < ' if kind == 'log-uniform' else ''}LOW < HIGH, found {values[0]}, {values[1]}"
        )
    return Axis(name, kind, low=low, high=high)


def split(said: str) -> tuple[str, ...]:
    """The parts between the commas that stand outside of brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for letter in said:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        else:
            depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return tuple(part.strip() for part in parts)


def grid(of: Sequence[Axis]) -> Iterator[dict[str, str]]:
    """Every combination of the values."""
    for values in itertools.product(*(axis.choices for axis in of)):
        yield dict(zip((axis.name for axis in of), values, strict=True))


def sample(of: Sequence[Axis], n: int, seed: int) -> Iterator[dict[str, str]]:
    """`n` combinations at random; the first ones do not depend on how many follow."""
    draw = random.Random(seed)
    for _ in range(n):
        yield {axis.name: axis.drawn(draw) for axis in of}
