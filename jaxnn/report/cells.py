"""Values as tables show them."""

from collections.abc import Mapping
from typing import Any


def format_cell(value: Any) -> str:
    """A value as text. A summary over seeds: mean ± standard deviation (minimum … maximum). Numbers by name: the names
    in the order of their numbers, the greatest first."""
    if isinstance(value, Mapping) and "sd" not in value:
        return "  ".join(f"{name} {value[name]:.3f}" for name in sorted(value, key=lambda name: -value[name]))
    if isinstance(value, Mapping):
        mean, sd, least, greatest = (value[key] for key in ("mean", "sd", "min", "max"))
        return f"{mean:.4g}" if sd is None else f"{mean:.4g} ± {sd:.2g} ({least:.4g} … {greatest:.4g})"
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
