"""`jaxnn predict RUN FILE…`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxnn.cli.arguments import Predict
from jaxnn.cli.prediction_file import check_prediction_file, write_predictions
from jaxnn.cli.tables import print_table
from jaxnn.data.array_reader import ArrayReader
from jaxnn.errors import UserError
from jaxnn.report.cells import format_cell

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
    print_table(f"{run.experiment.title}: prediction{mean}", rows, command.json, cell=screen_cell)
    if command.out is not None:
        write_predictions(command.out, rows)


def rows_of(run: "Run", folder: Path, file: Path) -> list[dict[str, Any]]:
    """A row for each example of a file: an image, a table (.csv), or an array of examples (.npy, .npz)."""
    from jaxnn.report.prediction_rows import prediction_rows

    assert run.manifest is not None
    data = run.manifest["data"]
    example = tuple(data["example"])
    if file.suffix in (".npy", ".npz"):
        x = ArrayReader(example, data["dtype"]).inputs(file)
    elif run.experiment.data.reader is not None:
        x = run.experiment.data.reader.inputs(file)
    else:
        raise UserError(f"{folder}: expected a .npy file of examples of shape {example}, found {file}")
    predicted = prediction_rows(run.experiment, run.predict(x))
    names = [str(file)] if len(predicted) == 1 else [f"{file}[{i}]" for i in range(len(predicted))]
    # A target may be called "file", too.
    renamed = [{"predicted file" if key == "file" else key: value for key, value in row.items()} for row in predicted]
    return [{"file": name, **row} for name, row in zip(names, renamed, strict=True)]


def screen_cell(value: Any) -> str:
    """A value for the screen: a number has six digits."""
    return f"{value:.6g}" if isinstance(value, float) else format_cell(value)
