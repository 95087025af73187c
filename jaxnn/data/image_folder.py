"""Reads a folder of images with one sub-folder for each class."""

import os
from pathlib import Path
from typing import Literal

import numpy as np

from jaxnn.data.data_dir import find_path
from jaxnn.data.dataset import Dataset, Part
from jaxnn.data.labels import number_classes
from jaxnn.data.reader import DigitReader
from jaxnn.errors import UserError

_MAX_BYTES = 2 << 30


def image_folder(
    path: str,
    size: tuple[int, int] = (28, 28),
    mode: Literal["grey", "rgb"] = "grey",
    data_dir: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Reads images as uint8 (n, height, width, channel), each resized to ``size``; ``max_value`` is 255.

    path: holds one sub-folder for each class; a relative path is tried in the current folder, then in the data folder
    size: height and width
    mode: "grey" (1 channel) or "rgb" (3 channels)

    Examples are in the order of the class names, then of the file names. Names that begin with a dot are skipped.

    Raises UserError for a class without images, a file that is not an image, and one of more than 33 million pixels.
    """
    from jaxnn.data.image_file import open_image, resize_to_array  # imports Pillow

    channels = {"grey": 1, "rgb": 3}.get(mode)
    if channels is None:
        raise UserError(f"images: mode: expected grey or rgb, found {mode}")
    if len(size) != 2 or not all(1 <= side <= 1024 for side in size):
        raise UserError(f"images: size: expected height and width from 1 to 1024, found {tuple(size)}")
    root = find_path(path, data_dir)
    folders = [folder for folder in _visible_entries(root) if folder.is_dir()] if root.is_dir() else []
    files = [(folder.name, file) for folder in folders for file in _class_files(folder)]
    if not files:
        raise UserError(f"{root}: expected a folder with a sub-folder of images for each class, found none")
    shape = (len(files), size[0], size[1], channels)
    if (needed := np.prod(shape, dtype=object)) > _MAX_BYTES:
        raise UserError(f"{root}: expected at most 2 GiB of images, found {needed:,} bytes; choose a smaller size")
    x = np.empty(shape, np.uint8)
    for row, (_, file) in enumerate(files):
        x[row] = resize_to_array(open_image(file), (size[0], size[1]), channels)
    y, classes = number_classes([name for name, _ in files])
    return Dataset("images", Part(x, y), None, classes, 255.0, DigitReader(shape[1:], 255.0))


def _visible_entries(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def _class_files(folder: Path) -> list[Path]:
    files = _visible_entries(folder)
    if not files:
        raise UserError(f"{folder}: expected images of the class {folder.name}, found none")
    return files
