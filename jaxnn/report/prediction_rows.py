"""What a run predicts for single examples, as rows of a table."""

import collections.abc
from typing import Any

import jax
import numpy as np

from jaxnn.data.series import SeriesReader
from jaxnn.detection import SHOWN_SCORE, found_objects
from jaxnn.experiment.definition import DataInfo, Experiment
from jaxnn.report.forecast_figure import in_units
from jaxnn.report.score_table import class_name, output_names
from jaxnn.sequence import Sequence
from jaxnn.targets import plain_output
from jaxnn.train.task import Activation, Task

#: More numbers of an example stand in one list.
MAX_COLUMNS = 12


def prediction_rows(experiment: Experiment, prediction: Any, threshold: float | None = None) -> list[dict[str, Any]]:
    """A row for each example of a prediction, by what it means in the experiment.

    prediction: an array or a pytree of arrays, each with a leading axis of examples

    A classification has the class, and the numbers of all classes by their names: "probability" under a softmax or a
    sigmoid, else "output". A single output is the number of the second class, and a probability p gives 1 − p to the
    first. A multilabel task has the labels that are at least one half, and their probabilities. All else has a column
    for each number, or a list of more than `MAX_COLUMNS`. An example of many places has a list of classes and lists of
    numbers. A novelty detection has a score, and the verdict "new" above the threshold. Forecasts of a series are in
    its own units.
    """
    if experiment.bound().activation == "novelty":
        scores = np.asarray(prediction)[:, 0].tolist()
        if threshold is None:
            return [{"score": score} for score in scores]
        return [{"score": score, "verdict": "new" if score > threshold else "normal"} for score in scores]
    reader = experiment.data.reader
    if isinstance(reader, SeriesReader):
        prediction = in_units(reader, prediction)
    leaves = jax.tree_util.tree_leaves_with_path(prediction)
    if isinstance(prediction, Sequence) or (len(leaves) == 1 and not leaves[0][0]):
        task, activation = experiment.task(), experiment.bound().activation
        examples = list(np.asarray(plain_output(prediction)))
        if isinstance(prediction, Sequence):
            examples = [a[: int(n)] for a, n in zip(examples, prediction.lengths, strict=True)]
        return [_row(example, task, activation, experiment.data) for example in examples]
    columns = {jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf) for path, leaf in leaves}
    count = len(next(iter(columns.values())))
    return [{name: _numbers(np.asarray(column[i]), ()) for name, column in columns.items()} for i in range(count)]


def object_rows(experiment: Experiment, prediction: np.ndarray, picture: tuple[int, ...]) -> list[list[dict[str, Any]]]:
    """For each picture, a row for each object that a detector finds in it with a probability of at least one half.

    picture: (height, width, …), for the box in pixels
    A picture without objects has the row "none", whose numbers are None.
    """
    names = output_names(experiment.data)
    found = found_objects(prediction, SHOWN_SCORE).scaled(picture, prediction.shape[1:3])
    rows: list[list[dict[str, Any]]] = [[] for _ in prediction]
    for i, label, score, box in zip(*found, strict=True):
        sides = zip(("top", "left", "bottom", "right"), box.tolist(), strict=True)
        rows[i].append({"class": class_name(names, int(label)), "probability": float(score), **dict(sides)})
    none = {"class": "none"} | dict.fromkeys(("probability", "top", "left", "bottom", "right"))
    return [objects or [none] for objects in rows]


def _row(example: np.ndarray, task: Task | None, activation: Activation, data: DataInfo) -> dict[str, Any]:
    names = output_names(data)
    kind = "probability" if activation in ("softmax", "sigmoid") else "output"
    if task == "classification":
        numbers, width = example, example.shape[-1]
        if width == 1:
            second = numbers[..., 0] >= 0.5
            labels = second.astype(int)
            if kind == "probability":
                numbers = np.concatenate([1 - numbers, numbers], axis=-1)
        else:
            labels = numbers.argmax(-1)
        classes = [class_name(names, i) for i in range(max(width, 2))]
        return {"class": _nested(labels, classes), kind: _numbers(numbers, classes)}
    if task == "multilabel" and example.ndim == 1:
        labels = [class_name(names, i) for i in range(len(example))]
        chosen = [label for label, number in zip(labels, example, strict=True) if number >= 0.5]
        return {"labels": ", ".join(chosen) or "none", kind: _numbers(example, labels)}
    if example.ndim == 1 and 1 <= len(example) <= MAX_COLUMNS and (names or len(example) > 1):
        return {class_name(names, i): float(number) for i, number in enumerate(example)}
    return {"output": _numbers(example, ())}


def _numbers(array: np.ndarray, names: collections.abc.Sequence[str]) -> Any:
    """One number, numbers by name, or lists of lists of numbers."""
    if array.size == 1:
        return array.item()
    if array.ndim == 1 and len(names) == len(array):
        return dict(zip(names, array.tolist(), strict=True))
    return array.tolist()


def _nested(labels: Any, classes: collections.abc.Sequence[str]) -> Any:
    return classes[int(labels)] if np.ndim(labels) == 0 else [_nested(row, classes) for row in labels]
