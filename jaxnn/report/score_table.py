"""The scores of a run's parameters as tables: a row for each metric, and a row for each class or output."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaxnn.experiment.definition import DataInfo, Experiment
from jaxnn.experiment.scores import Scores, scored_examples
from jaxnn.metric_labels import is_share
from jaxnn.report.cells import seed_statistics

#: The ends of the names of metrics that have a number for each class or each output.
PER_CLASS, PER_OUTPUT = "_per_class", "_per_output"


def score_rows(experiment: Experiment, scores: Scores) -> list[dict[str, Any]]:
    """A row for each part of the data: how many of its examples are scored, and of each metric the mean, the standard
    deviation, the minimum and the maximum over the seeds."""
    rows = []
    for part, metrics in scores.items():
        row: dict[str, Any] = {"part": part, "examples": jax.tree.leaves(scored_examples(experiment, part))[0].shape[0]}
        for name, values in sorted(metrics.items(), key=lambda item: (item[0] != "loss", item[0] != "accuracy")):
            if np.ndim(values) == 1:
                unit = 100 if is_share(name) else 1
                row[name + (" %" if is_share(name) else "")] = seed_statistics(unit * np.asarray(values, np.float64))
        rows.append(row)
    return rows


def metric_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows of `score_rows` the other way round: a row for each metric and a column for each part.

    So a table is no wider for many metrics. The first row counts the examples.
    """
    names = dict.fromkeys(name for row in rows for name in row if name != "part")
    return [{"metric": name} | {row["part"]: row.get(name, "") for row in rows} for name in names]


def class_rows(metrics: Mapping[str, Any], names: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each class, or for each output of a regression: its metrics over the seeds; none without such metrics.

    metrics: of one part of the data, as `scores` has them; None or NaN where one is not defined
    names: of the classes or the outputs; those without one are numbered
    """
    for ending, kind in ((PER_CLASS, "class"), (PER_OUTPUT, "output")):
        columns = {name.removesuffix(ending): values for name, values in metrics.items() if name.endswith(ending)}
        if not columns:
            continue
        numbers = {name: np.asarray(values, np.float64) for name, values in columns.items()}
        width = next(iter(numbers.values())).shape[1]
        if kind == "output" and width == 1:
            return []
        return [
            {kind: class_name(names, i)} | {name: _class_cell(name, values[:, i]) for name, values in numbers.items()}
            for i in range(width)
        ]
    return []


def _class_cell(name: str, values: np.ndarray) -> Any:
    """Statistics over the seeds; the support is a plain number where all seeds have the same data."""
    is_count = name == "support" and (values == values[0]).all() and values[0].is_integer()
    return int(values[0]) if is_count else seed_statistics(values)


def output_names(data: DataInfo) -> tuple[str, ...]:
    """The names of the classes, or of the numbers of a target."""
    return data.classes or data.targets


def class_name(names: Sequence[str], i: int) -> str:
    """The name of the i-th class or output; "output i" for one without a name."""
    return names[i] if i < len(names) else f"output {i}"


def stored_scores(scores: Scores) -> dict[str, dict[str, Any]]:
    """Scores as JSON values: None where a number is not defined."""
    return {part: {name: _json(np.asarray(a)) for name, a in metrics.items()} for part, metrics in scores.items()}


def restored_scores(values: Mapping[str, Mapping[str, Any]]) -> Scores:
    """What `stored_scores` made JSON of, as arrays."""
    return {part: {name: np.array(a, np.float64) for name, a in metrics.items()} for part, metrics in values.items()}


def _json(a: Any) -> Any:
    if np.ndim(a):
        return [_json(row) for row in a]
    return None if np.isnan(a) else float(a)
