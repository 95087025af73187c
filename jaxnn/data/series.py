"""Reads a series of numbers: from a window of it, the numbers that follow are told."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Float64

from jaxnn.data.data_dir import find_path
from jaxnn.data.dataset import Dataset, Part, Splits
from jaxnn.data.number_cells import MAX_NUMBER, parse_number
from jaxnn.data.table_text import Style, make_style, read_blocks
from jaxnn.errors import UserError

_SHOWN = 40  # characters of a cell in a message
_MAX_BYTES = 2 << 30


class SeriesReader(NamedTuple):
    """Cuts a series into windows, less `mean` and divided by `scale`: those of the training part.

    column: by name or by index from 0 (-1: the last)
    """

    column: str | int
    window: int
    horizon: int
    delimiter: str = ","
    mean: float = 0.0
    scale: float = 1.0

    def inputs(self, file: Path) -> Float32[np.ndarray, "batch window 1"]:
        """All windows of a file. Raises UserError for a file that is no series or shorter than a window."""
        return self._windows(self._numbers(file, self.window), self.window)[..., None]

    def examples(self, file: Path) -> Part:
        """All windows of a file, and the numbers that follow each. Raises UserError as `inputs` does."""
        both = self._windows(self._numbers(file, self.window + self.horizon), self.window + self.horizon)
        return Part(np.ascontiguousarray(both[:, : self.window, None]), np.ascontiguousarray(both[:, self.window :]))

    def _numbers(self, file: Path, least: int) -> Float64[np.ndarray, "places"]:
        numbers = read_series(file, self.column, make_style(self.delimiter, ".", "utf-8", ()))
        if len(numbers) < least:
            raise UserError(
                f"{file}: expected a series of at least {least} numbers, a window and its horizon, found "
                f"{len(numbers)}; give a longer series or a smaller data.window"
            )
        if len(numbers) * least * 4 > _MAX_BYTES:
            raise UserError(f"{file}: expected at most 2 GiB of windows, found more; choose a smaller data.window")
        return numbers

    def _windows(self, numbers: Float64[np.ndarray, "places"], length: int) -> Float32[np.ndarray, "batch length"]:
        scaled = ((numbers - self.mean) / self.scale).astype(np.float32)
        return np.lib.stride_tricks.sliding_window_view(scaled, length).copy()

    def settings(self) -> dict[str, Any]:
        return {"kind": "series", **self._asdict()}


def rebuild_series_reader(settings: Mapping[str, Any]) -> SeriesReader:
    """The reader with these settings of a manifest. Raises UserError, KeyError or TypeError for others."""
    reader = SeriesReader(**{key: settings[key] for key in SeriesReader._fields})
    valid = (
        type(reader.column) in (str, int)
        and all(type(size) is int and size >= 1 for size in (reader.window, reader.horizon))
        and type(reader.delimiter) is str
        and all(type(number) is float and abs(number) < MAX_NUMBER for number in (reader.mean, reader.scale))
        and reader.scale > 0
    )
    if not valid:
        raise UserError("reader series: expected a column, a window, a horizon, a mean and a scale, found others")
    return reader


def series(
    file: str,
    window: int = 12,
    horizon: int = 1,
    column: str | int = -1,
    delimiter: str = ",",
    data_dir: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Reads a column of a CSV file as a series of numbers: a window of it is an input, what follows is the target.

    file: a relative path is tried in the current folder, then in the data folder. The rows are in the order of time
    window: numbers of an input
    horizon: numbers of a target, those that follow the window
    column: of the numbers, by name or by index from 0 (-1: the last)
    delimiter: the character between the cells; "tab" for a tab

    x is float32 (n, window, 1), y (n, horizon). A split keeps the order. All numbers are scaled by the mean and the
    standard deviation of the training part, and no target of it is in a later part.

    Raises UserError, which names file and line, for cells that are no numbers, and for a series that is too short.
    """
    if window < 1 or horizon < 1:
        raise UserError(f"series: expected a window and a horizon of at least 1, found {window} and {horizon}")
    reader = SeriesReader(column, window, horizon, delimiter)
    part = reader.examples(find_path(file, data_dir))
    return Dataset("series", part, None, (), 1.0, reader, horizon=horizon)


def scale_series(dataset: Dataset, splits: Splits) -> tuple[Dataset, Splits]:
    """The parts of a series scaled by its training part, and the data set with a reader that scales alike.

    The last windows of a part, whose targets reach into the next part, are left out. Nothing changes unless
    ``dataset.horizon``. Raises UserError for a training part that is too short, or constant.
    """
    if not dataset.horizon:
        return dataset, splits
    parts = [part for part in splits if part is not None]
    kept = [_without_last(part, dataset.horizon - 1) for part in parts[:-1]] + parts[-1:]
    x, y = kept[0]
    places = np.concatenate([x[0, :, 0], y[0], y[1:, -1]]).astype(np.float64)
    mean, scale = float(places.mean()), float(places.std())
    if scale == 0:
        raise UserError(f"{dataset.name}: expected a training part of different numbers, found {places[0]:g} alone")
    scaled = iter(Part(*(((a - mean) / scale).astype(np.float32) for a in part)) for part in kept)
    train, validation, test = (None if part is None else next(scaled) for part in splits)
    assert train is not None
    reader = dataset.reader
    if isinstance(reader, SeriesReader):
        dataset = dataset._replace(reader=reader._replace(mean=mean, scale=scale))
    return dataset, Splits(train, validation, test)


def _without_last(part: Part, count: int) -> Part:
    n = part.num_examples - count
    if n < 1:
        raise UserError(f"series: expected more than {count} windows in every part, found {part.num_examples}")
    return Part(part.x[:n], part.y[:n])


def read_series(file: Path, column: str | int, style: Style) -> Float64[np.ndarray, "places"]:
    """The numbers of a column. Raises UserError for a cell that is no number, except in a first row of names."""
    numbers: list[float] = []
    position, first = column, True
    for block in read_blocks(file, style):
        for line, cells in zip(block.numbers, block.cells(style.delimiter), strict=True):
            where = f"{file} line {line}"
            if first and isinstance(position, str):
                names = [cell.strip() for cell in cells]
                if position not in names:
                    raise UserError(f"{where}: expected a column of {', '.join(names)[:200]}, found {position!r}")
                position, first = names.index(position), False
                continue
            assert isinstance(position, int)
            if not -len(cells) <= position < len(cells):
                raise UserError(f"{where}: expected column {column!r}, found {len(cells)} columns")
            number = parse_number(cells[position], style)
            if number is None and not first:
                raise UserError(f"{where}: expected a number, found {cells[position][:_SHOWN]!r}")
            if number is not None:
                numbers.append(number)
            first = False
    return np.array(numbers, np.float64)
