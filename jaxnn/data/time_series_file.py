"""Reads `.ts` files: sequences of numbers of different lengths, each with a class (sktime, the UEA and UCR archive)."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float32

from jaxnn.data.data_dir import find_path
from jaxnn.data.dataset import Dataset, Part
from jaxnn.data.number_cells import parse_number
from jaxnn.data.padding import pad_sequences
from jaxnn.data.table_text import Style
from jaxnn.data.tokens import file_text
from jaxnn.errors import UserError

if TYPE_CHECKING:
    from jaxnn.sequence import Sequence

_STYLE = Style()
_SHOWN = 40  # characters of a cell in a message


class TimeSeries(NamedTuple):
    """The series of a file, each with the name of its class, and the classes that the header names."""

    file: Path
    classes: tuple[str, ...]
    series: list[Float32[np.ndarray, "_ dimensions"]]
    names: list[str]


class TimeSeriesReader(NamedTuple):
    """Reads `.ts` files of so many dimensions, padded to `time` places or a multiple of it."""

    dimensions: int
    classes: tuple[str, ...]
    time: int

    def inputs(self, file: Path) -> "Sequence":
        """The series of a file. Raises UserError as `examples` does."""
        return self.examples(file).x

    def examples(self, file: Path) -> Part:
        """The series of a file with their labels. Raises UserError for other dimensions and unknown classes."""
        return self.part(read_time_series(file))

    def part(self, read: TimeSeries) -> Part:
        """The examples of the series of a file. Raises UserError as `examples` does."""
        if not set(read.classes) <= set(self.classes) or read.series[0].shape[1] != self.dimensions:
            raise UserError(
                f"{read.file}: expected {self.dimensions} dimensions and classes of {', '.join(self.classes)}, found "
                f"{read.series[0].shape[1]} and {', '.join(read.classes)}"
            )
        labels = np.array([self.classes.index(name) for name in read.names], np.int32)
        return Part(pad_sequences(read.series, self.time), labels)

    def settings(self) -> dict[str, Any]:
        return {"kind": "ts", "dimensions": self.dimensions, "classes": list(self.classes), "time": self.time}


def rebuild_time_series_reader(settings: Mapping[str, Any]) -> TimeSeriesReader:
    """The reader with these settings of a manifest. Raises UserError, KeyError or TypeError for others."""
    dimensions, classes, time = settings["dimensions"], settings["classes"], settings["time"]
    sizes = all(type(size) is int and size >= 1 for size in (dimensions, time))
    if not sizes or not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise UserError("reader ts: expected dimensions, classes and a time, found others")
    return TimeSeriesReader(dimensions, tuple(classes), time)


def time_series_file(file: str, test_file: str = "", data_dir: str | os.PathLike[str] | None = None) -> Dataset:
    """Reads a `.ts` file: series of one or several numbers at each time, of different lengths, each with a class.

    file: a relative path is tried in the current folder, then in the data folder
    test_file: a second file, the official test part

    x is a `Sequence` of float32 numbers (n, time, dimensions), y int32 labels of the classes that the header names.

    Raises UserError, which names file, line and remedy, for a file without classes, with time stamps, with missing
    numbers, and for dimensions of different lengths in a line.
    """
    read = [read_time_series(find_path(name, data_dir)) for name in (file, test_file) if name]
    # One shape for both parts: that of the longest series.
    longest = max(len(series) for part in read for series in part.series)
    reader = TimeSeriesReader(read[0].series[0].shape[1], read[0].classes, longest)
    parts = [reader.part(part) for part in read]
    return Dataset("ts", parts[0], parts[1] if test_file else None, reader.classes, 1.0, reader)


def read_time_series(file: Path) -> TimeSeries:
    """What stands in a file. Raises UserError, which names file and line, as `time_series_file` says."""
    header: dict[str, list[str]] = {}
    classes: tuple[str, ...] = ()
    series, names = [], []
    for number, line in enumerate(file_text(file, "utf-8").split("\n"), 1):
        text, where = line.strip(), f"{file} line {number}"
        if not text or text.startswith("#"):
            continue
        if text.startswith("@") and "@data" not in header:
            key, *values = text.split()
            header[key.lower()] = values
            continue
        if "@data" not in header:
            raise UserError(f"{where}: expected a header line such as @classLabel or @data, found {text[:_SHOWN]!r}")
        values, name = _series(where, text)
        if series and values.shape[1] != series[0].shape[1]:
            raise UserError(
                f"{where}: expected {series[0].shape[1]} dimensions, as in the first series, found {values.shape[1]}"
            )
        classes = classes or _classes(file, header)
        if name not in classes:
            raise UserError(f"{where}: expected a class of {', '.join(classes)}, found {name[:_SHOWN]!r}")
        series.append(values)
        names.append(name)
    classes = classes or _classes(file, header)
    if not series:
        raise UserError(f"{file}: expected series behind @data, found none")
    return TimeSeries(file, classes, series, names)


def _classes(file: Path, header: Mapping[str, list[str]]) -> tuple[str, ...]:
    flag, *classes = header.get("@classlabel") or ["false"]
    if flag.lower() != "true" or len(set(classes)) < 2:
        raise UserError(f"{file}: expected a header line @classLabel true CLASS CLASS …, found none")
    if (header.get("@timestamps") or ["false"])[0].lower() == "true":
        raise UserError(f"{file}: expected @timeStamps false, numbers at equal distances, found true")
    return tuple(dict.fromkeys(classes))


def _series(where: str, text: str) -> tuple[Float32[np.ndarray, "time dimensions"], str]:
    *dimensions, name = text.split(":")
    columns = [cells.split(",") for cells in dimensions]
    if not columns:
        raise UserError(f"{where}: expected numbers and a class with : between them, found {text[:_SHOWN]!r}")
    if len({len(column) for column in columns}) > 1:
        lengths = ", ".join(str(len(column)) for column in columns)
        raise UserError(f"{where}: expected dimensions of one length, found {lengths}")
    numbers = [[parse_number(cell, _STYLE) for cell in column] for column in columns]
    for cells, column in zip(columns, numbers, strict=True):
        if None in column:
            raise UserError(f"{where}: expected a number, found {cells[column.index(None)][:_SHOWN]!r}")
    return np.array(numbers, np.float32).T, name.strip()
