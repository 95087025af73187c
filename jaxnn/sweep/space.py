"""The search space of a sweep: each axis is the name of a config value with a list of values or a distribution."""

import itertools
import math
import random
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from jaxnn.config.errors import ConfigError, preview, suggest

#: Draws in a row of what was drawn before, after which a space is taken to be exhausted.
MAX_REPEATS = 1000


class Axis(NamedTuple):
    """The values of a dotted name, as texts of config overrides: `choices`, or numbers from `low` to `high`.

    kind: choice, uniform, log-uniform or integer (`low` and `high` included)
    """

    name: str
    kind: str
    choices: tuple[str, ...] = ()
    low: float = math.nan
    high: float = math.nan

    @property
    def test_values(self) -> tuple[str, ...]:
        """Values to validate: all choices, or both ends of the range. If they are valid, all others are."""
        return self.choices or (self.format(self.low), self.format(self.high))

    def format(self, number: float) -> str:
        """A number as the text of an override."""
        return str(int(number)) if self.kind == "integer" else repr(float(number))

    def format_rounded(self, number: float) -> str:
        """A number within the range as the text of an override, with four digits: more make no difference."""
        return self.format(min(self.high, max(self.low, float(f"{number:.4g}"))))

    def sample(self, rng: random.Random) -> str:
        """A random value."""
        return DISTRIBUTIONS[self.kind](self, rng)


def _log_uniform(axis: Axis, rng: random.Random) -> str:
    return axis.format_rounded(math.exp(rng.uniform(math.log(axis.low), math.log(axis.high))))


#: kind -> (axis, random numbers) -> value
DISTRIBUTIONS: dict[str, Callable[[Axis, random.Random], str]] = {
    "choice": lambda axis, rng: rng.choice(axis.choices),
    "uniform": lambda axis, rng: axis.format_rounded(rng.uniform(axis.low, axis.high)),
    "log-uniform": _log_uniform,
    "integer": lambda axis, rng: axis.format(rng.randint(int(axis.low), int(axis.high))),
}


def parse_axes(over: Sequence[str] = (), draw: Sequence[str] = ()) -> tuple[Axis, ...]:
    """The axes of `NAME=V1,V2,…` (over) and of `NAME=log-uniform(1e-4,1e-1)` (draw).

    Raises `ConfigError` with all mistakes.
    """
    axes: list[Axis] = []
    mistakes = []
    for option, texts, parse in (("--over", over, _parse_choices), ("--draw", draw, _parse_distribution)):
        for text in texts:
            name, equals, values = text.partition("=")
            name = name.strip().removeprefix("--").replace("-", "_")
            try:
                if not equals or not name:
                    raise ValueError("expected NAME=VALUES, such as optimizer.learning_rate=0.01,0.1")
                if name in (axis.name for axis in axes):
                    raise ValueError(f"expected {name} once, found it again")
                if name in ("train.seed", "train.seeds"):
                    raise ValueError(f"expected no {name}: all members use the same seeds; set their number by --seeds")
                axes.append(parse(name, values.strip()))
            except ValueError as error:
                mistakes.append(f"{option} {text}: {error}")
    if mistakes:
        raise ConfigError(mistakes)
    return tuple(axes)


def _parse_choices(name: str, text: str) -> Axis:
    values = split_at_commas(text)
    if not text or not all(values):
        raise ValueError(f"expected values with commas between them, found {preview(text)}")
    if len(set(values)) < len(values):
        raise ValueError("expected each value once, found a value twice")
    return Axis(name, "choice", values)


def _parse_distribution(name: str, text: str) -> Axis:
    match = re.fullmatch(r"([\w-]+)\s*\((.*)\)", text, re.DOTALL)
    kinds = ", ".join(f"{kind}({'A,B,…' if kind == 'choice' else 'LOW,HIGH'})" for kind in DISTRIBUTIONS)
    if not match:
        raise ValueError(f"expected one of {kinds}, found {preview(text)}")
    kind, values = match[1].replace("_", "-"), split_at_commas(match[2])
    if kind not in DISTRIBUTIONS:
        raise ValueError(f"unknown distribution {kind}; {suggest(kind, DISTRIBUTIONS)}")
    if kind == "choice":
        return _parse_choices(name, match[2])
    try:
        low, high = (int(value) if kind == "integer" else float(value) for value in values)
    except ValueError:
        numbers = "integers" if kind == "integer" else "numbers"
        raise ValueError(f"expected {kind}(LOW,HIGH) with two {numbers}, found {preview(text)}") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high) or (kind == "log-uniform" and low <= 0):
        raise ValueError(
            f"expected {'0 < ' if kind == 'log-uniform' else ''}LOW < HIGH, found {values[0]}, {values[1]}"
        )
    return Axis(name, kind, low=low, high=high)


def split_at_commas(text: str) -> tuple[str, ...]:
    """The parts of a text between the commas that are outside of brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
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


def size(axes: Sequence[Axis]) -> float:
    """The number of combinations; ∞ where an axis has all numbers of a range."""
    counts = (len(axis.choices) if axis.choices else axis.high - axis.low + 1 for axis in axes)
    finite = all(axis.kind in ("choice", "integer") for axis in axes)
    return math.prod(counts) if finite else math.inf


def grid(axes: Sequence[Axis]) -> Iterator[dict[str, str]]:
    """All combinations of the axes' choices."""
    for values in itertools.product(*(axis.choices for axis in axes)):
        yield dict(zip((axis.name for axis in axes), values, strict=True))


def sample(axes: Sequence[Axis], n: int, seed: int) -> Iterator[dict[str, str]]:
    """`n` random combinations, each once; fewer where the space has no more. The first ones do not depend on `n`."""
    rng, n = random.Random(seed), int(min(n, size(axes)))
    drawn: set[tuple[str, ...]] = set()
    repeats = 0
    while len(drawn) < n and repeats < MAX_REPEATS:
        values = {axis.name: axis.sample(rng) for axis in axes}
        if tuple(values.values()) in drawn:
            repeats += 1
            continue
        drawn.add(tuple(values.values()))
        repeats = 0
        yield values
