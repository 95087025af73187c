"""Reads a folder of images with one sub-folder for each class."""

import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np

from jaxnn.data.class_folders import ClassFile, find_class_files
from jaxnn.data.data_dir import find_path
from jaxnn.data.dataset import Dataset, Part
from jaxnn.data.image_reader import CHANNELS, DigitReader, ImageReader, Mode
from jaxnn.data.labels import number_classes
from jaxnn.data.rows import Rows
from jaxnn.errors import DataWarning, UserError

_MAX_BYTES = 2 << 30
_MAX_NAMES = 5  # of files in a message


def image_folder(
    path: str,
    size: tuple[int, int] = (28, 28),
    mode: Mode = "grey",
    prepare: Literal["resize", "digit"] = "resize",
    unreadable: Literal["refuse", "skip"] = "refuse",
    data_dir: str | os.PathLike[str] | None = None,
    most_bytes: int | None = None,
) -> Dataset:
    """Reads images as uint8 (n, height, width, channel), prepared to be of one ``size``; ``max_value`` is 255.

    path: holds one sub-folder for each class, or the folders train, test and validation (the last two may be missing)
        that do; a relative path is tried in the current folder, then in the data folder
    size: height and width
    mode: "grey" (1 channel) or "rgb" (3 channels)
    prepare: "resize", or "digit" for drawings of digits: bright ink on black, cropped and centred as MNIST's are, for
        which the mode is grey. A run prepares the images that it predicts in the same way
    unreadable: "refuse" a folder with a file that is no image, or "skip" such files with a warning
    most_bytes: more than so many bytes of images are read when they are needed, and not checked before

    Examples are in the order of the names of the class folders, then of the files. Names that begin with a dot and
    files of the operating system are no examples.

    Raises UserError for a class without images, a file that is not an image, and one of more than 33 million pixels.
    """
    reader = ImageReader((size[0], size[1]), mode) if prepare == "resize" else DigitReader((size[0], size[1]), 255.0)
    channels = CHANNELS[mode]
    if prepare == "digit" and channels != 1:
        raise UserError(f"images: expected mode = grey with prepare = 'digit', found {mode}")
    root = find_path(path, data_dir)
    parts = find_class_files(root)
    needed = sum(map(len, parts.values())) * size[0] * size[1] * channels
    if most_bytes is not None and needed > min(most_bytes, _MAX_BYTES):
        return _stored(parts, reader, (size[0], size[1], channels))
    if needed > _MAX_BYTES:
        raise UserError(f"{root}: expected at most 2 GiB of images, found {needed:,} bytes; choose a smaller size")
    images, failures, names = {}, {}, []
    for part, examples in parts.items():
        images[part], readable = _read(examples, reader, (size[0], size[1], channels), failures)
        names.append(readable)
    if failures and unreadable == "refuse":
        raise UserError(_describe(failures))
    labels, classes = number_classes([name for part in names for name in part])
    bounds = np.cumsum([len(part) for part in names])[:-1]
    loaded = {part: Part(x, y) for (part, x), y in zip(images.items(), np.split(labels, bounds), strict=True) if len(y)}
    if "train" not in loaded:
        raise UserError(f"{root}: expected images to train on, found none that can be read")
    if failures:
        count, total = len(failures), sum(map(len, parts.values()))
        warnings.warn(
            f"{root}: left out {count} of {total} files, which cannot be read as images: {_list(failures)}",
            DataWarning,
            stacklevel=2,
        )
    return Dataset(
        "images",
        loaded["train"],
        loaded.get("test"),
        classes,
        255.0,
        reader,
        validation=loaded.get("validation"),
    )


def _stored(
    parts: dict[str, list[ClassFile]], reader: ImageReader | DigitReader, shape: tuple[int, int, int]
) -> Dataset:
    """The images of files that are read when they are needed."""
    labels, classes = number_classes([name for examples in parts.values() for name, _ in examples])
    bounds = np.cumsum([len(examples) for examples in parts.values()])[:-1]

    def part_of(examples: list[ClassFile], y: np.ndarray) -> Part:
        files = [file for _, file in examples]

        def read(numbers: np.ndarray) -> np.ndarray:
            return np.stack([reader.inputs(files[number])[0] for number in numbers.tolist()])

        return Part(Rows((len(files), *shape), np.uint8, read), y)

    stored = {
        part: part_of(examples, y)
        for (part, examples), y in zip(parts.items(), np.split(labels, bounds), strict=True)
        if examples
    }
    return Dataset(
        "images",
        stored["train"],
        stored.get("test"),
        classes,
        255.0,
        reader,
        validation=stored.get("validation"),
    )


def _read(
    examples: list[ClassFile],
    reader: ImageReader | DigitReader,
    shape: tuple[int, int, int],
    failures: dict[Path, UserError],
) -> tuple[np.ndarray, list[str]]:
    """The images of the files that can be read, with the names of their classes. ``failures`` gets the others."""
    x, names = np.empty((len(examples), *shape), np.uint8), []
    for name, file in examples:
        try:
            x[len(names)] = reader.inputs(file)[0]
        except UserError as error:
            failures[file] = error
        else:
            names.append(name)
    return x[: len(names)], names


def _describe(failures: dict[Path, UserError]) -> str:
    """One line on files that cannot be read: the reason for the first, the names of the others."""
    first, *others = failures
    rest = f"; {len(others)} more cannot be read: {_list(others)}" if others else ""
    return f"{failures[first]}{rest}; remove such files, or set unreadable = 'skip'"


def _list(files: Iterable[Path]) -> str:
    names = [f"{file.parent.name}/{file.name}" for file in files]
    more = f", and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return ", ".join(names[:_MAX_NAMES]) + more
