"""The file of `jaxnn predict --out`: a row for each example, with full precision."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxnn.errors import UserError
from jaxnn.storage.files import atomic_write


def check_prediction_file(file: Path) -> None:
    """Raises `UserError` for a file that cannot hold predictions, before they are computed."""
    if file.suffix.lower() != ".csv" or file.is_dir() or not file.parent.is_dir():
        raise UserError(f"--out {file}: expected a .csv file in a folder that exists")


def write_predictions(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes the rows as CSV. Numbers by name, such as the probabilities of the classes, are a column each."""
    flat = [_flat(row) for row in rows]
    columns = list(dict.fromkeys(name for row in flat for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    atomic_write(file, text.getvalue().encode())


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            flat |= {f"{name} {key}": number for key, number in value.items()}
        else:
            flat[name] = value
    return flat
