"""`jaxnn predict RUN FILE…`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxnn.cli.arguments import Predict
from jaxnn.cli.prediction_file import check_prediction_file, write_predictions
from jaxnn.cli.tables import print_table
from jaxnn.data.array_reader import ArrayReader
from jaxnn.errors import UserError

if TYPE_CHECKING:
    from jaxnn.runs.run import Run


def run(command: Predict) -> None:
    if not command.files:
        raise UserError("expected at least one image, .csv, .npy or .npz file after the run's folder, found none")
    if command.out is not None:
        check_prediction_file(command.out)
    from jaxnn.cli.reopened import open_run

    run = open_run(command.run, command.device, command.experiment)
    rows = [row for file in command.files for row in rows_of(run, command.run, file)]
    seeds = len(run.experiment.seeds)
    mean = "" if seeds == 1 else f", mean of {seeds} seeds"
    print_table(f"{run.experiment.title}: prediction{mean}", rows, command.json)
    if command.out is not None:
        write_predictions(command.out, rows)


def rows_of(run: "Run", folder: Path, file: Path) -> list[dict[str, Any]]:
    """A row for each example of a file: an image, a table (.csv), or an array of examples (.npy, .npz)."""
    assert run.manifest is not None
    data = run.manifest["data"]
    example = tuple(data["example"])
    if file.suffix in (".npy", ".npz"):
        x = ArrayReader(example, data["dtype"]).inputs(file)
    elif run.experiment.data.reader is not None:
        x = run.experiment.data.reader.inputs(file)
    else:
        raise UserError(f"{folder}: expected a .npy file of examples of shape {example}, found {file}")
    prediction = np.asarray(run.predict(x))
    kind = "probability" if are_probabilities(prediction) else "output"
    names = [str(file)] if len(prediction) == 1 else [f"{file}[{i}]" for i in range(len(prediction))]
    return [row_of(name, p, tuple(data["classes"]), kind) for name, p in zip(names, prediction, strict=True)]


def are_probabilities(prediction: np.ndarray) -> bool:
    """Whether predictions are probabilities of classes: not negative, and 1 in sum (one number: at most 1)."""
    sums = prediction.reshape(len(prediction), -1).sum(axis=1)
    is_sum = sums <= 1 if prediction[0].size == 1 else np.isclose(sums, 1, atol=1e-3)
    return bool((prediction >= 0).all() and is_sum.all())


def row_of(name: str, prediction: np.ndarray, classes: tuple[str, ...], kind: str) -> dict[str, Any]:
    """What is predicted for one example: the class with the numbers of all classes, or the numbers of the output.

    kind: the name of these numbers, "probability" or "output"
    """
    values = [float(value) for value in np.ravel(prediction)]
    if len(values) == 1 and len(classes) == 2 and kind == "probability":
        values = [1 - values[0], values[0]]
    if len(values) < len(classes) or not classes:
        return {"file": name, "output": "  ".join(f"{value:.6g}" for value in values)}
    labels = [*classes, *(f"output {i}" for i in range(len(classes), len(values)))]
    numbers = dict(zip(labels, values, strict=True))
    return {"file": name, "class": labels[int(np.argmax(values))], kind: numbers}
