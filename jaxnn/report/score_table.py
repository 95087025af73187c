"""The scores of a run's parameters as rows of a table."""

from typing import Any

import jax
import numpy as np

from jaxnn.experiment.definition import Experiment
from jaxnn.experiment.scores import Scores
from jaxnn.experiment.seed_statistics import seed_statistics


def is_share(metric: str) -> bool:
    """Whether a metric is a share of all examples, which tables show in percent."""
    return metric == "accuracy" or metric.endswith("_accuracy")


def score_rows(experiment: Experiment, scores: Scores) -> list[dict[str, Any]]:
    """A row for each part of the data: mean, standard deviation, minimum and maximum over the seeds."""
    rows = []
    for part, metrics in scores.items():
        row: dict[str, Any] = {"part": part, "examples": jax.tree.leaves(experiment.examples(part))[0].shape[0]}
        for name, values in sorted(metrics.items(), key=lambda item: (item[0] != "loss", item[0])):
            unit = 100 if is_share(name) else 1
            row[name + (" %" if is_share(name) else "")] = seed_statistics(unit * np.asarray(values, np.float64))
        rows.append(row)
    return rows
