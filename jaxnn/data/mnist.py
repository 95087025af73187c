"""MNIST, and sets in its format, from the user's data folder: four IDX files or the classic ``mnist.pkl.gz``."""

import hashlib
import os
from pathlib import Path

import numpy as np

from jaxnn.data.data_dir import data_folder
from jaxnn.data.dataset import Dataset, Part
from jaxnn.data.idx import read_idx
from jaxnn.data.pickle_reader import read_pickle
from jaxnn.errors import UserError

_STEMS = ("train-images", "train-labels", "t10k-images", "t10k-labels")
_PICKLE = "mnist.pkl.gz"
# Of the unpacked IDX files: containers differ.
_MD5 = {
    "train-images": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels": "a25bea736e30d166cdddb491f175f624",
    "t10k-images": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels": "27ae3e4e09519cfbb04c329615203637",
}
_COUNTS = (60_000, 10_000)
_ROWS = 4096


def mnist(verify: bool = True, classes: int = 10, data_dir: str | os.PathLike[str] | None = None) -> Dataset:
    """Handwritten digits, uint8 (n, 28, 28, 1): 60 000 to train on and the official 10 000 to test on.

    Looks in the data folder (``data_dir`` or JAXNN_DATA_DIR), and in ``mnist`` within it, for train-images-idx3-ubyte,
    train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte (with or without .gz, or with a dot
    in place of the second dash), then for mnist.pkl.gz.

    ``verify``: a set with the sizes of MNIST must be MNIST, byte for byte; ``verify=False`` lets others pass, such
    as Fashion-MNIST. Sets of other sizes (a cut of one's own) cannot be taken for MNIST and pass either way. Labels
    must lie in 0..classes-1. Raises UserError.
    """
    if not 2 <= classes <= 256:
        raise UserError(f"mnist: expected 2 to 256 classes, found {classes}")
    folder = data_folder(data_dir)
    if folder is None:
        raise UserError(f"mnist: no data folder was named; {_remedy(Path('FOLDER'))}")
    if not folder.is_dir():
        raise UserError(f"mnist: the data folder {folder} is not there; {_remedy(folder)}")
    for place in (folder / "mnist", folder):
        found = {stem: path for stem in _STEMS if (path := _find(place, stem))}
        if len(found) == len(_STEMS):
            arrays = {stem: read_idx(found[stem], 3 if "images" in stem else 1) for stem in _STEMS}
            return _dataset(place, arrays, verify, classes)
        if (place / _PICKLE).is_file():
            return _dataset(place / _PICKLE, _from_pickle(place / _PICKLE), verify, classes)
        if found:
            missing = ", ".join(stem for stem in _STEMS if stem not in found)
            raise UserError(f"mnist: {place} lacks {missing}; {_remedy(folder)}")
    raise UserError(f"mnist: found no MNIST in {folder}; {_remedy(folder)}")


def _remedy(folder: Path) -> str:
    return (
        f"put train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and "
        f"t10k-labels-idx1-ubyte.gz (or {_PICKLE}) into {folder / 'mnist'} and name {folder} by --data-dir or "
        f"JAXNN_DATA_DIR; the data set digits needs no files"
    )


def _find(place: Path, stem: str) -> Path | None:
    axes = "idx3" if "images" in stem else "idx1"
    names = [f"{stem}{dot}{axes}-ubyte{end}" for end in ("", ".gz") for dot in "-."]
    return next((place / name for name in names if (place / name).is_file()), None)


def _from_pickle(path: Path) -> dict[str, np.ndarray]:
    """The four arrays out of ((x, y) to train, (x, y) to validate, (x, y) to test), x in k/256."""
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
    images = [_pixels(path, x) for x, _ in (train, validation, test)]
    if len({x.shape[1:] for x in images}) > 1:
        raise UserError(f"{path}: expected images of one size, found {', '.join(str(x.shape[1:]) for x in images)}")
    labels = [_labels(path, y) for _, y in (train, validation, test)]
    return {
        "train-images": np.concatenate(images[:2]),
        "train-labels": np.concatenate(labels[:2]),
        "t10k-images": images[2],
        "t10k-labels": labels[2],
    }


def _pixels(path: Path, x: np.ndarray) -> np.ndarray:
    side = round(x.shape[-1] ** 0.5) if x.ndim == 2 else 0
    if x.dtype.kind != "f" or x.ndim != 2 or side * side != x.shape[1] or 0 in x.shape:
        raise UserError(f"{path}: expected square images as rows of floats, found {x.dtype} {x.shape}")
    pixels = np.empty(x.shape, np.uint8)
    for start in range(0, len(x), _ROWS):
        exact = x[start : start + _ROWS] * 256
        rounded = np.round(exact)
        if not (np.abs(exact - rounded).max() < 1e-2 and rounded.min() >= 0 and rounded.max() <= 255):
            raise UserError(f"{path}: expected pixels k/256 with k from 0 to 255, found others")
        pixels[start : start + _ROWS] = rounded
    return pixels.reshape(-1, side, side)


def _labels(path: Path, y: np.ndarray) -> np.ndarray:
    if y.dtype.kind not in "iu" or y.ndim != 1 or not y.size or y.min() < 0 or y.max() > 255:
        raise UserError(f"{path}: expected labels as a row of integers from 0 to 255, found {y.dtype} {y.shape}")
    return y.astype(np.uint8)


def _dataset(source: Path, arrays: dict[str, np.ndarray], verify: bool, classes: int) -> Dataset:
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
    return Dataset("mnist", train, test, tuple(str(label) for label in range(classes)), 255.0)


def _md5(array: np.ndarray) -> str:
    """Of the array as the bytes of an unpacked IDX file: its header, then its pixels or labels."""
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    digest = hashlib.md5(header, usedforsecurity=False)
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
