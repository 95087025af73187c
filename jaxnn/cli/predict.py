"""`jaxnn predict RUN FILE…`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jaxnn.cli.prediction_file import check_prediction_file, write_predictions
from jaxnn.cli.run_arguments import Predict
from jaxnn.cli.tables import print_table
from jaxnn.cli.terminal import print_message
from jaxnn.data.array_reader import ArrayReader
from jaxnn.data.class_folders import nested_files
from jaxnn.errors import UserError
from jaxnn.report.cells import format_cell
from jaxnn.storage.files import atomic_directory

if TYPE_CHECKING:
    from jaxnn.runs.run import Run

#: Inputs of files are predicted together, so that a thousand images are one program and not a thousand calls.
MAX_BLOCK_BYTES = 1 << 28


def run(command: Predict) -> None:
    if not command.files:
        raise UserError("expected at least one image, .csv, .npy or .npz file, or a folder of them, found none")
    if command.out is not None:
        check_prediction_file(command.out)
    from jaxnn.cli.reopened import open_run

    run = open_run(command.run, command.device, command.experiment)
    if command.pictures is None:
        rows, errors = predict_files(run, command, None)
    else:
        from jaxnn.cli.predicted_pictures import check_pictures

        check_pictures(run.experiment, command.pictures)
        with atomic_directory(command.pictures) as folder:
            rows, errors = predict_files(run, command, folder)
        print_message(f"pictures in {command.pictures}")
    seeds = len(run.experiment.seeds)
    mean = "" if seeds == 1 else f", mean of {seeds} seeds"
    if rows:
        unreadable = {"unreadable": [str(error) for error in errors]} if errors else {}
        title = f"{run.experiment.title}: prediction{mean}"
        print_table(title, rows, command.json, cell=screen_cell, facts=unreadable)
        if command.out is not None:
            write_predictions(command.out, rows)
    for error in errors:
        print_message(str(error))
    if errors:
        sys.exit(2)


def predict_files(run: "Run", command: Predict, pictures: Path | None) -> tuple[list[dict[str, Any]], list[UserError]]:
    """The rows of all files that can be read, and an error for each other one. pictures: where their pictures go"""
    rows: list[dict[str, Any]] = []
    files, errors = expand_folders(command.files)
    names: list[str] = []
    blocks: list[Any] = []
    for file in files:
        try:
            if is_graph(run):
                rows += node_rows(run, file)
                continue
            block = inputs_of(run, command.run, file)
        except UserError as error:
            errors.append(error)
            continue
        count = len(jax.tree.leaves(block)[0])
        names += [str(file)] if count == 1 else [f"{file}[{i}]" for i in range(count)]
        blocks.append(block)
        if sum(a.nbytes for a in jax.tree.leaves(blocks)) >= MAX_BLOCK_BYTES:
            rows += rows_of(run, names, blocks, pictures)
            names, blocks = [], []
    rows += rows_of(run, names, blocks, pictures) if blocks else []
    return rows, errors


def expand_folders(paths: Sequence[Path]) -> tuple[list[Path], list[UserError]]:
    """The files of the paths, where a folder stands for all files within it, and an error for each without any."""
    files: list[Path] = []
    errors: list[UserError] = []
    for path in paths:
        try:
            within = nested_files(path) if path.is_dir() else [path]
        except OSError as error:
            errors.append(UserError(f"{path}: expected a folder that can be read, found {error.strerror}; check it"))
            continue
        if not within:
            errors.append(UserError(f"{path}: expected a folder with files to predict, found none; name another"))
        files += within
    return files, errors


def inputs_of(run: "Run", folder: Path, file: Path) -> Any:
    """The examples of a file as the run's data have them. Raises `UserError` for a file that has none."""
    assert run.manifest is not None
    data = run.manifest["data"]
    example = tuple(data["example"])
    if file.suffix in (".npy", ".npz"):
        return ArrayReader(example, data["dtype"]).inputs(file)
    if run.experiment.data.reader is None:
        raise UserError(
            f"{folder}: expected a .npy file of examples of shape {example}, found {file}; for other files, its "
            f"experiment needs a reader: data=DataInfo(reader={reader_for(example)})"
        )
    x = run.experiment.data.reader.inputs(file)
    shapes = [a.shape[1:] for a in jax.tree.leaves(x)]
    if len(shapes) == 1 and shapes[0] != example:
        raise UserError(f"{file}: expected the run's reader to give examples of shape {example}, found {shapes[0]}")
    return x


def is_graph(run: "Run") -> bool:
    """Whether the run has learned from a graph."""
    from jaxnn.graph import Graph

    example = run.experiment.source.example
    return isinstance(example, tuple) and bool(example) and isinstance(example[0], Graph)


def node_rows(run: "Run", file: Path) -> list[dict[str, Any]]:
    """A row for each node of a graph in a file, read as the run's own graph was, with its other options.

    Raises `UserError` for a file that is no graph, or has other features.
    """
    from jaxnn.data import load
    from jaxnn.report.prediction_rows import prediction_rows
    from jaxnn.runs.reopen import read_config

    assert run.folder is not None and run.manifest is not None
    config = read_config(run.folder, run.manifest)
    options = {} if config is None else dict(config.data.options)
    if config is None or config.data.name != "graph":
        raise UserError(f"{file}: expected the run of a graph in a file, found {run.experiment.data.name}")
    dataset = load("graph", options | {"file": str(file)}, seed=config.data.seed)
    prediction = run.predict(dataset.train.x)
    return [{"file": f"{file}[{i}]", **row} for i, row in enumerate(prediction_rows(run.experiment, prediction[0]))]


def reader_for(example: tuple[int, ...]) -> str:
    """The code of a reader that gives examples of a shape."""
    if len(example) == 3 and example[-1] in (1, 3):
        mode = "grey" if example[-1] == 1 else "rgb"
        return f"jaxnn.data.ImageReader(({example[0]}, {example[1]}), {mode!r})"
    return "…"


def rows_of(run: "Run", names: list[str], blocks: list[Any], pictures: Path | None) -> list[dict[str, Any]]:
    """A row for each example of the blocks, which are predicted together; of a detector, one for each object.

    pictures: the folder that their pictures are written to; None: nowhere
    """
    from jaxnn.report.prediction_rows import object_rows, prediction_rows

    x = jax.tree.map(lambda *arrays: np.concatenate(arrays), *blocks)
    prediction = run.predict(x)
    if pictures is not None:
        from jaxnn.cli.predicted_pictures import write_pictures

        write_pictures(pictures, run.experiment, names, x, prediction)
    if run.experiment.bound().activation == "detection":
        objects = object_rows(run.experiment, prediction, x.shape[1:])
        return [{"file": name, **row} for name, rows in zip(names, objects, strict=True) for row in rows]
    thresholds = run.scores.get("train", {}).get("novelty_threshold")
    threshold = None if thresholds is None else float(np.mean(thresholds))
    # A target may be called "file", too.
    renamed = [
        {"predicted file" if key == "file" else key: value for key, value in row.items()}
        for row in prediction_rows(run.experiment, prediction, threshold)
    ]
    return [{"file": name, **row} for name, row in zip(names, renamed, strict=True)]


def screen_cell(value: Any) -> str:
    """A value for the screen: a number has six digits."""
    return f"{value:.6g}" if isinstance(value, float) else format_cell(value)
