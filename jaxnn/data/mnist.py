"""Reads MNIST, and sets in its format, from the data folder: four IDX files or the classic ``mnist.pkl.gz``."""

import hashlib
import os
from pathlib import Path

import numpy as np

from jaxnn.data.array_reader import Labels
from jaxnn.data.data_dir import data_folder
from jaxnn.data.dataset import Dataset, Part
from jaxnn.data.idx import read_idx
from jaxnn.data.image_reader import DigitReader
from jaxnn.data.pickle_reader import read_pickle
from jaxnn.data.rows import array_rows
from jaxnn.errors import UserError

EXAMPLE_SHAPE = (28, 28, 1)
_STEMS = ("train-images", "train-labels", "t10k-images", "t10k-labels")
_PARTS = (("train", "train"), ("t10k", "test"))
_PICKLE = "mnist.pkl.gz"
# Of the unpacked IDX files, because gzip files of the same data differ.
_MD5 = {
    "train-images": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels": "a25bea736e30d166cdddb491f175f624",
    "t10k-images": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels": "27ae3e4e09519cfbb04c329615203637",
}
_COUNTS = (60_000, 10_000)
_BLOCK_ROWS = 4096


def mnist(
    verify: bool = True,
    classes: int | tuple[str, ...] = 10,
    first_label: int = 0,
    transpose: bool = False,
    prefix: str = "",
    data_dir: str | os.PathLike[str] | None = None,
    most_bytes: int | None = None,
) -> Dataset:
    """Reads handwritten digits as uint8 (n, 28, 28, 1): 60 000 for training and the official 10 000 for testing.

    Searches the data folder (``data_dir`` or JAXNN_DATA_DIR) and its sub-folder ``mnist`` for train-images-idx3-ubyte,
    train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte (with or without .gz, or with a dot
    in place of the second dash), then for mnist.pkl.gz.

    verify: refuse a set that has the sizes of MNIST but other bytes; false accepts it, as for Fashion-MNIST. A set of
        other sizes cannot be mistaken for MNIST and is always accepted
    classes: the number of classes, or their names in the order of their labels
    first_label: the label of the first class, such as 1 for the letters of EMNIST
    transpose: swap rows and columns of each image; EMNIST stores them so
    prefix: what the names of the IDX files begin with, such as "emnist-letters-"; the test files may have "test" in
        place of "t10k"

    most_bytes: images of more in an unpacked IDX file are read row by row

    Raises UserError.
    """
    count = classes if isinstance(classes, int) else len(classes)
    if not 2 <= count <= 256:
        raise UserError(f"mnist: expected 2 to 256 classes, found {count}")
    names = tuple(str(first_label + i) for i in range(count)) if isinstance(classes, int) else classes
    labels = Labels(names, first_label)
    folder = data_folder(data_dir)
    if folder is None:
        raise UserError(f"mnist: no data folder was named; {_remedy(Path('FOLDER'))}")
    if not folder.is_dir():
        raise UserError(f"mnist: the data folder {folder} is not there; {_remedy(folder)}")
    for candidate in (folder / "mnist", folder):
        files = {stem: path for stem in _STEMS if (path := _find_idx(candidate, prefix, stem))}
        if len(files) == len(_STEMS):
            arrays = {
                stem: read_idx(files[stem], 3, most_bytes) if "images" in stem else read_idx(files[stem], 1)
                for stem in _STEMS
            }
            return _make_dataset(candidate, arrays, verify, labels, transpose)
        if not prefix and (candidate / _PICKLE).is_file():
            return _make_dataset(candidate / _PICKLE, _read_pickle(candidate / _PICKLE), verify, labels, transpose)
        if files:
            missing = ", ".join(f"{prefix}{stem}" for stem in _STEMS if stem not in files)
            raise UserError(f"mnist: {candidate} lacks {missing}; {_remedy(folder)}")
    name = f"files {prefix}train-images…" if prefix else "MNIST"
    raise UserError(f"mnist: found no {name} in {folder}; {_remedy(folder)}")


def _remedy(folder: Path) -> str:
    return (
        f"put train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and "
        f"t10k-labels-idx1-ubyte.gz (or {_PICKLE}) into {folder / 'mnist'} and name {folder} by --data-dir or "
        f"JAXNN_DATA_DIR; the data set digits needs no files"
    )


def _find_idx(folder: Path, prefix: str, stem: str) -> Path | None:
    axes = "idx3" if "images" in stem else "idx1"
    stems = (stem, stem.replace("t10k", "test")) if prefix else (stem,)
    names = [f"{prefix}{s}{dot}{axes}-ubyte{end}" for s in dict.fromkeys(stems) for end in ("", ".gz") for dot in "-."]
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _read_pickle(path: Path) -> dict[str, np.ndarray]:
    """The four arrays, from a pickle of three pairs (x, y): training, validation and test, with x in k/256."""
    parts = read_pickle(path)
    match parts:
        case (
            (np.ndarray(), np.ndarray()) as train,
            (np.ndarray(), np.ndarray()) as validation,
            (np.ndarray(), np.ndarray()) as test,
        ):
            pass
        case _:
            raise UserError(f"{path}: expected three pairs of arrays (train, validation, test)")
    images = [_to_pixels(path, x) for x, _ in (train, validation, test)]
    if len({x.shape[1:] for x in images}) > 1:
        raise UserError(f"{path}: expected images of one size, found {', '.join(str(x.shape[1:]) for x in images)}")
    labels = [_to_labels(path, y) for _, y in (train, validation, test)]
    return {
        "train-images": np.concatenate(images[:2]),
        "train-labels": np.concatenate(labels[:2]),
        "t10k-images": images[2],
        "t10k-labels": labels[2],
    }


def _to_pixels(path: Path, x: np.ndarray) -> np.ndarray:
    side = round(x.shape[-1] ** 0.5) if x.ndim == 2 else 0
    if x.dtype.kind != "f" or x.ndim != 2 or side * side != x.shape[1] or 0 in x.shape:
        raise UserError(f"{path}: expected square images as rows of floats, found {x.dtype} {x.shape}")
    pixels = np.empty(x.shape, np.uint8)
    for start in range(0, len(x), _BLOCK_ROWS):
        scaled = x[start : start + _BLOCK_ROWS] * 256
        rounded = np.round(scaled)
        if not (np.abs(scaled - rounded).max() < 1e-2 and rounded.min() >= 0 and rounded.max() <= 255):
            raise UserError(f"{path}: expected pixels k/256 with k from 0 to 255, found others")
        pixels[start : start + _BLOCK_ROWS] = rounded
    return pixels.reshape(-1, side, side)


def _to_labels(path: Path, y: np.ndarray) -> np.ndarray:
    if y.dtype.kind not in "iu" or y.ndim != 1 or not y.size or y.min() < 0 or y.max() > 255:
        raise UserError(f"{path}: expected labels as a row of integers from 0 to 255, found {y.dtype} {y.shape}")
    return y.astype(np.uint8)


def _make_dataset(
    source: Path, arrays: dict[str, np.ndarray], verify: bool, labels: Labels, transpose: bool
) -> Dataset:
    counts = (len(arrays["train-images"]), len(arrays["t10k-images"]))
    for stem in _STEMS:
        if verify and counts == _COUNTS and (md5 := _md5(arrays[stem])) != _MD5[stem]:
            raise UserError(
                f"{source}: {stem} is not MNIST's: expected md5 {_MD5[stem]}, found {md5}; copy it again, or set "
                f"verify = false for another set of that size (Fashion-MNIST)"
            )
    train, test = (_make_part(arrays, stem, name, labels, transpose) for stem, name in _PARTS)
    return Dataset("mnist", train, test, labels.classes, 255.0, DigitReader((28, 28), 255.0))


def _make_part(arrays: dict[str, np.ndarray], stem: str, name: str, labels: Labels, transpose: bool) -> Part:
    images = arrays[f"{stem}-images"]
    if isinstance(images, np.memmap):
        height, width = images.shape[1:]
        shape = (width, height, 1) if transpose else (height, width, 1)
        rows = array_rows(images).mapped(
            shape, np.uint8, lambda rows: (rows.swapaxes(1, 2) if transpose else rows)[..., None]
        )
        return Part(rows, labels.read(f"mnist {name}", arrays[f"{stem}-labels"]))
    images = np.ascontiguousarray(images.swapaxes(1, 2)) if transpose else images
    return Part(images[..., None], labels.read(f"mnist {name}", arrays[f"{stem}-labels"]))


def _md5(array: np.ndarray) -> str:
    """MD5 of the unpacked IDX file that holds the array: its header, then its pixels or labels."""
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    digest = hashlib.md5(header, usedforsecurity=False)
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
