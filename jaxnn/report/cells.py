"""Numbers over the seeds of a run, and how a value looks in a cell of a table, on the screen and in a report."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxnn.errors import plural

#: More numbers of a mapping or a list are counted.
MAX_NUMBERS = 10
#: More different epochs than these are shown as a range.
MAX_EPOCHS = 8
#: What a cell shows of a number that is not defined, such as the precision of a class that is never predicted.
NOT_DEFINED = "not defined"
#: What a cell shows of a value that there is none of, such as the place of an object that was not found.
NO_VALUE = "–"


def seed_statistics(values: Sequence[float] | np.ndarray) -> dict[str, float | None]:
    """Mean, sample standard deviation ("sd"; None for one seed), minimum and maximum of one value per seed.

    NaN stands for a value that is not defined. The statistics are of the others, None without any, and "undefined" says
    how many seeds have none; it is absent where all have one.
    """
    a = np.asarray(values, np.float64)
    defined = a[~np.isnan(a)]
    missing: dict[str, float | None] = {} if len(defined) == len(a) else {"undefined": len(a) - len(defined)}
    if not len(defined):
        return {"mean": None, "sd": None, "min": None, "max": None} | missing
    return {
        "mean": float(defined.mean()),
        "sd": float(defined.std(ddof=1)) if len(defined) > 1 else None,
        "min": float(defined.min()),
        "max": float(defined.max()),
    } | missing


def format_cell(value: Any) -> str:
    """A value as text for a table.

    A spread over seeds ({"mean", "sd", "min", "max"}) becomes mean ± standard deviation (smallest … largest).
    Another mapping of numbers by name becomes the names, largest number first. Of more than `MAX_NUMBERS` numbers, in a
    mapping or a list, the cell has the first and says how many there are.
    """
    if isinstance(value, Mapping) and "sd" not in value:
        names = sorted(value, key=lambda name: -value[name])
        return _first([f"{name} {value[name]:.3f}" for name in names], "  ")
    if isinstance(value, list):
        return _first([str(v) if isinstance(v, int) else format_cell(v) for v in _flat(value)], ", ")
    if isinstance(value, Mapping):
        mean, sd, smallest, largest = (value[key] for key in ("mean", "sd", "min", "max"))
        if mean is None:
            return NOT_DEFINED
        text = short_cell(value)
        if sd:
            text += f" ({smallest:.4g} … {largest:.4g})"
        return text + (
            f", {NOT_DEFINED} for {plural(int(value['undefined']), 'seed')}" if value.get("undefined") else ""
        )
    if value is None:
        return NO_VALUE
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def short_cell(value: Any) -> str:
    """The same without the smallest and the largest value."""
    if not isinstance(value, Mapping) or value.get("mean") is None or "sd" not in value:
        return format_cell(value)
    return f"{value['mean']:.4g}" + ("" if value["sd"] is None else f" ± {value['sd']:.2g}")


def _flat(values: list[Any]) -> list[Any]:
    return [inner for v in values for inner in (_flat(v) if isinstance(v, list) else [v])]


def _first(texts: Sequence[str], separator: str) -> str:
    more = f" … ({len(texts):,} in all)" if len(texts) > MAX_NUMBERS else ""
    return separator.join(texts[:MAX_NUMBERS]) + more


def format_epochs(epochs: Sequence[int]) -> str:
    """The epochs of several seeds: each different one, or the range of many with their median."""
    different = sorted(set(epochs))
    if len(different) <= MAX_EPOCHS:
        return ", ".join(map(str, different))
    return f"{different[0]} … {different[-1]} (median {np.median(epochs):g} of {len(epochs)} seeds)"
