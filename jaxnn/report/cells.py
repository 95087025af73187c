"""How a value looks in a cell of a table, on the screen and in a report."""

from collections.abc import Mapping
from typing import Any


def format_cell(value: Any) -> str:
    """A value as text for a table.

    A spread over seeds ({"mean", "sd", "min", "max"}) becomes mean ± standard deviation (smallest … largest).
    Another mapping of numbers by name becomes the names, largest number first.
    """
    if isinstance(value, Mapping) and "sd" not in value:
        return "  ".join(f"{name} {value[name]:.3f}" for name in sorted(value, key=lambda name: -value[name]))
    if isinstance(value, Mapping):
        mean, sd, smallest, largest = (value[key] for key in ("mean", "sd", "min", "max"))
        return f"{mean:.4g}" if sd is None else f"{mean:.4g} ± {sd:.2g} ({smallest:.4g} … {largest:.4g})"
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
