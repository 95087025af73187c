"""Reads MNIST, and sets in its format, from the data folder: four IDX files or the classic ``mnist.pkl.gz``."""

import hashlib
import os
from pathlib import Path

import numpy as np

from jaxnn.data.data_dir import data_folder
from jaxnn.data.dataset import Dataset, Part
from jaxnn.data.idx import read_idx
from jaxnn.data.pickle_reader import read_pickle
from jaxnn.data.reader import DigitReader
from jaxnn.errors import UserError

EXAMPLE_SHAPE = (28, 28, 1)
_STEMS = ("train-images", "train-labels", "t10k-images", "t10k-labels")
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


def mnist(verify: bool = True, classes: int = 10, data_dir: str | os.PathLike[str] | None = None) -> Dataset:
    """Reads handwritten digits as uint8 (n, 28, 28, 1): 60 000 for training and the official 10 000 for testing.

    Searches the data folder (``data_dir`` or JAXNN_DATA_DIR) and its sub-folder ``mnist`` for train-images-idx3-ubyte,
    train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte (with or without .gz, or with a dot
    in place of the second dash), then for mnist.pkl.gz.

    verify: refuse a set that has the sizes of MNIST but other bytes; false accepts it, as for Fashion-MNIST. A set of
        other sizes cannot be mistaken for MNIST and is always accepted
    classes: labels must lie in 0..classes-1

    Raises UserError.
    """
    if not 2 <= classes <= 256:
        raise UserError(f"mnist: expected 2 to 256 classes, found {classes}")
    folder = data_folder(data_dir)
    if folder is None:
        raise UserError(f"mnist: no data folder was named; {_remedy(Path('FOLDER'))}")
    if not folder.is_dir():
        raise UserError(f"mnist: the data folder {folder} is not there; {_remedy(folder)}")
    for candidate in (folder / "mnist", folder):
        files = {stem: path for stem in _STEMS if (path := _find_idx(candidate, stem))}
        if len(files) == len(_STEMS):
            arrays = {stem: read_idx(files[stem], 3 if "images" in stem else 1) for stem in _STEMS}
            return _make_dataset(candidate, arrays, verify, classes)
        if (candidate / _PICKLE).is_file():
            return _make_dataset(candidate / _PICKLE, _read_pickle(candidate / _PICKLE), verify, classes)
        if files:
            missing = ", ".join(stem for stem in _STEMS if stem not in files)
            raise UserError(f"mnist: {candidate} lacks {missing}; {_remedy(folder)}")
    raise UserError(f"mnist: found no MNIST in {folder}; {_remedy(folder)}")


def _remedy(folder: Path) -> str:
    return (
        f"put train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and "
        f"t10k-labels-idx1-ubyte.gz (or {_PICKLE}) into {folder / 'mnist'} and name {folder} by --data-dir or "
        f"JAXNN_DATA_DIR; the data set digits needs no files"
    )


def _find_idx(folder: Path, stem: str) -> Path | None:
    axes = "idx3" if "images" in stem else "idx1"
    names = [f"{stem}{dot}{axes}-ubyte{end}" for end in ("", ".gz") for dot in "-."]
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


def _make_dataset(source: Path, arrays: dict[str, np.ndarray], verify: bool, classes: int) -> Dataset:
    counts = (len(arrays["train-images"]), len(arrays["t10k-images"]))
    for stem in _STEMS:
        if verify and counts == _COUNTS and (md5 := _md5(arrays[stem])) != _MD5[stem]:
            raise UserError(
                f"{source}: {stem} is not MNIST's: expected md5 {_MD5[stem]}, found {md5}; copy it again, or set "
                f"verify = false for another set of that size (Fashion-MNIST)"
            )
    train, test = (
        Part(arrays[f"{stem}-images"][..., None], arrays[f"{stem}-labels"].astype(np.int32))
        for stem in ("train", "t10k")
    )
    names = tuple(str(label) for label in range(classes))
    return Dataset("mnist", train, test, names, 255.0, DigitReader(EXAMPLE_SHAPE, 255.0))


def _md5(array: np.ndarray) -> str:
    """MD5 of the unpacked IDX file that holds the array: its header, then its pixels or labels."""
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    digest = hashlib.md5(header, usedforsecurity=False)
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
