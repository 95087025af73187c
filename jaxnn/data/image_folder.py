"""A folder of images, one sub-folder for each class."""

import os
from pathlib import Path
from typing import Literal

import numpy as np

from jaxnn.data.data_dir import find
from jaxnn.data.dataset import Dataset, Part
from jaxnn.data.labels import number_classes
from jaxnn.errors import UserError

_MOST_BYTES = 2 << 30


def images(
    path: str,
    size: tuple[int, int] = (28, 28),
    mode: Literal["grey", "rgb"] = "grey",
    data_dir: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Images as uint8 (n, height, width, channel), each resized to ``size`` (height, width); white is 255.

    ``mode`` is grey (1 channel) or rgb (3). A class is a sub-folder of ``path``, its examples the files within, in
    the order of their names; names that begin with a dot are passed over. A relative ``path`` that is not in the
    current folder is looked for in the data folder.

    Raises UserError: a class without images, a file that is no image, more than 33 million pixels in one.
    """
    from jaxnn.data.image_file import open_picture, to_pixels  # Pillow

    channels = {"grey": 1, "rgb": 3}.get(mode)
    if channels is None:
        raise UserError(f"images: mode: expected grey or rgb, found {mode}")
    if len(size) != 2 or not all(1 <= side <= 1024 for side in size):
        raise UserError(f"images: size: expected height and width from 1 to 1024, found {tuple(size)}")
    root = find(path, data_dir)
    folders = [folder for folder in _visible(root) if folder.is_dir()] if root.is_dir() else []
    files = [(folder.name, file) for folder in folders for file in _files(folder)]
    if not files:
        raise UserError(f"{root}: expected a folder with a sub-folder of images for each class, found none")
    shape = (len(files), size[0], size[1], channels)
    if (needed := np.prod(shape, dtype=object)) > _MOST_BYTES:
        raise UserError(f"{root}: expected at most 2 GiB of images, found {needed:,} bytes; choose a smaller size")
    x = np.empty(shape, np.uint8)
    for row, (_, file) in enumerate(files):
        x[row] = to_pixels(open_picture(file), (size[0], size[1]), channels)
    y, classes = number_classes([name for name, _ in files])
    return Dataset("images", Part(x, y), None, classes, 255.0)


def _visible(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def _files(folder: Path) -> list[Path]:
    files = _visible(folder)
    if not files:
        raise UserError(f"{folder}: expected images of the class {folder.name}, found none")
    return files
