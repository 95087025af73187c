"""The scores of a run as rows of a table, and the text of a table's cells."""

from collections.abc import Mapping
from typing import Any


def score_rows(experiment: Any, scores: Any) -> list[dict[str, Any]]:
    """One row for each split: mean, standard deviation, minimum and maximum of each metric over the seeds."""
    rows = []
    for part, metrics in scores.items():
        row: dict[str, Any] = {"part": part, "examples": len(getattr(experiment.splits[0], part).y)}
        for name, values, scale in (("loss", metrics.loss, 1), ("accuracy %", metrics.accuracy, 100)):
            if name == "loss" or experiment.dataset.classes:
                row[name] = {
                    "mean": float(values.mean()) * scale,
                    "sd": float(values.std(ddof=1)) * scale if len(values) > 1 else None,
                    "min": float(values.min()) * scale,
                    "max": float(values.max()) * scale,
                }
        rows.append(row)
    return rows


def format_cell(value: Any) -> str:
    """The text of a value in a table.

    Statistics over seeds, as in `score_rows`, become "mean ± sd (min … max)", or the mean alone for one seed. Other
    mappings from names to numbers become "name number" pairs, largest number first.
    """
    if isinstance(value, Mapping) and "sd" not in value:
        return "  ".join(f"{name} {value[name]:.3f}" for name in sorted(value, key=lambda name: -value[name]))
    if isinstance(value, Mapping):
        mean, sd, low, high = (value[key] for key in ("mean", "sd", "min", "max"))
        return f"{mean:.4g}" if sd is None else f"{mean:.4g} ± {sd:.2g} ({low:.4g} … {high:.4g})"
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
