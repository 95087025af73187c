"""The search space of a sweep: parsing of axes, combinations, random samples, and error messages."""

import math

import pytest

from jaxnn.config import ConfigError
from jaxnn.sweep.space import grid, parse_axes, sample, split_at_commas

DISTRIBUTIONS = ["a.b=uniform(-1,2)", "c=log-uniform(1e-5,1e-1)", "d=integer(3,5)", "e=choice(x,[1, 2],{p=1,q=2})"]


def test_grid_is_every_combination():
    combinations = list(grid(parse_axes(["optimizer.learning-rate=0.1,0.2,0.3", "net.0.x=a,b"])))
    assert len({tuple(values.items()) for values in combinations}) == 6
    assert all(list(values) == ["optimizer.learning_rate", "net.0.x"] for values in combinations)


def test_split_at_commas_ignores_brackets_and_quotes():
    text = "{a=1,b=[2,3]}, 'x,y',4"
    assert split_at_commas(text) == ("{a=1,b=[2,3]}", "'x,y'", "4")


def test_sample_lies_in_the_range_and_does_not_depend_on_the_number():
    axes = parse_axes((), DISTRIBUTIONS)
    many = list(sample(axes, 2000, 7))
    assert many[:5] == list(sample(axes, 5, 7)) != list(sample(axes, 5, 8))
    a, c = ([float(values[name]) for values in many] for name in ("a.b", "c"))
    assert -1 <= min(a) < -0.9 and 1.9 < max(a) <= 2
    assert min(c) >= 1e-5 and max(c) <= 1e-1
    # The logarithm is uniform: half of the values are below the middle of the exponents.
    assert sum(math.log10(value) < -3 for value in c) == pytest.approx(1000, abs=120)
    assert {values["d"] for values in many} == {"3", "4", "5"}
    assert {values["e"] for values in many} == {"x", "[1, 2]", "{p=1,q=2}"}


def test_parse_axes_reports_all_mistakes_at_once():
    with pytest.raises(ConfigError) as caught:
        parse_axes(
            ["a", "b=", "c=1,,2", "d=1,1", "train.seed=1,2"],
            ["e=5", "f=log-unifrm(1,2)", "g=integer(1,2.5)", "h=uniform(2,1)", "i=log-uniform(0,1)", "d=uniform(0,1)"],
        )
    assert [line.split(":")[0] for line in caught.value.lines] == [
        "--over a", "--over b=", "--over c=1,,2", "--over d=1,1", "--over train.seed=1,2", "--draw e=5",
        "--draw f=log-unifrm(1,2)", "--draw g=integer(1,2.5)", "--draw h=uniform(2,1)", "--draw i=log-uniform(0,1)",
    ]  # fmt: skip
    assert "did you mean log-uniform?" in str(caught.value)
