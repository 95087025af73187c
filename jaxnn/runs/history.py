"""The history of a run as columns, and as a CSV file: seed, epoch, split, and a column for each metric."""

import csv
import io
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from jaxnn.errors import UserError
from jaxnn.storage.files import atomic_write, one_line
from jaxnn.train.state import History

#: The columns before the metrics.
PLACE = ["seed", "epoch", "split"]


def history_columns(history: History, eval_every: int) -> dict[str, np.ndarray]:
    """A history as figures take it: "epoch" (rows,), "train_loss" (seeds, rows), "validation_accuracy" and so on.

    What was never measured, or is not defined for these data, has no column; the first metric of training has one.
    """
    columns = {}
    for split, metrics in history._asdict().items():
        for i, name in enumerate(_ordered(metrics)):
            values = np.asarray(metrics[name])
            if (split == "train" and i == 0) or not np.isnan(values).all():
                columns[f"{split}_{name}"] = values
    rows = next(iter(columns.values())).shape[1]
    return {"epoch": (np.arange(rows) + 1) * eval_every, **columns}


def write_history(path: Path, seeds: tuple[int, ...], columns: dict[str, np.ndarray]) -> None:
    """Writes the columns of a history as CSV; empty where a metric was not measured."""
    splits = list(dict.fromkeys(name.split("_", 1)[0] for name in columns if name != "epoch"))
    metrics = _ordered({name.split("_", 1)[1] for name in columns if name != "epoch"})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*PLACE, *metrics])
    for i, seed in enumerate(seeds):
        for r, epoch in enumerate(columns["epoch"]):
            for split in splits:
                values = [
                    columns[name][i, r] if (name := f"{split}_{metric}") in columns else np.nan for metric in metrics
                ]
                if split == "train" or not np.isnan(values).all():
                    writer.writerow([seed, epoch, split, *("" if np.isnan(v) else repr(float(v)) for v in values)])
    atomic_write(path, text.getvalue().encode())


def read_history(path: Path) -> dict[str, np.ndarray]:
    """The columns of a history that `write_history` wrote. Raises `UserError` where the file is damaged."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            columns = _columns(file)
    except (OSError, ArithmeticError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise UserError(f"{path}: expected the history of a run, found damage: {one_line(error)}") from error
    return {name: values for name, values in columns.items() if name == "epoch" or not np.isnan(values).all()}


def _columns(file: TextIO) -> dict[str, np.ndarray]:
    """The columns of a CSV file. Raises one of many errors for rows that `write_history` does not write."""
    reader = csv.DictReader(file)
    rows = list(reader)
    metrics = [name for name in reader.fieldnames or () if name not in PLACE]
    seeds, epochs = (list(dict.fromkeys(int(row[key]) for row in rows)) for key in ("seed", "epoch"))
    places = {(int(row["seed"]), int(row["epoch"]), row["split"]) for row in rows}
    trained = sum(split == "train" for _, _, split in places)
    if not rows or len(places) < len(rows) or trained != len(seeds) * len(epochs):
        raise ValueError("expected one row of the training part for each seed and epoch")
    if any(row["split"] not in History._fields or None in row for row in rows):
        raise ValueError(f"expected {', '.join(History._fields)} as split, and no more columns than names")
    splits = dict.fromkeys(row["split"] for row in rows)
    columns = {f"{s}_{metric}": np.full((len(seeds), len(epochs)), np.nan) for s in splits for metric in metrics}
    row_of, column_of = ({value: i for i, value in enumerate(values)} for values in (seeds, epochs))
    for row in rows:
        position = row_of[int(row["seed"])], column_of[int(row["epoch"])]
        for metric in metrics:
            text = row[metric]
            columns[f"{row['split']}_{metric}"][position] = np.nan if text == "" else float(text)
    return {"epoch": np.array(epochs, np.int64), **columns}


def _ordered(names: Any) -> list[str]:
    """The loss first, the others by name."""
    return sorted(names, key=lambda name: (name != "loss", name))
