"""What a run's parameters are worth, as rows of a table."""

from typing import Any

import numpy as np

from jaxnn.experiment.seed_statistics import seed_statistics


def score_rows(experiment: Any, scores: Any) -> list[dict[str, Any]]:
    """A row for each part of the data: mean, standard deviation, least and greatest over the seeds."""
    rows = []
    for part, metrics in scores.items():
        row: dict[str, Any] = {"part": part, "examples": len(getattr(experiment.splits[0], part).y)}
        for name, values, unit in (("loss", metrics.loss, 1), ("accuracy %", metrics.accuracy, 100)):
            if name == "loss" or experiment.dataset.classes:
                row[name] = seed_statistics(np.multiply(values, unit, dtype=np.float64))
        rows.append(row)
    return rows
