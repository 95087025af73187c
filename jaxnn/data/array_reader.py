"""Reads NumPy files (.npy, .npz) without pickles, and converts their arrays to the types of a data set."""

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Shaped

from jaxnn.data.dataset import Part
from jaxnn.data.file_signature import SIGNATURE_BYTES, describe_content
from jaxnn.data.labels import number_classes
from jaxnn.data.rows import array_rows
from jaxnn.errors import UserError
from jaxnn.storage.files import one_line

_MAX_BYTES = 8 << 30  # of an unpacked file
Integers = Literal["numbers", "tokens"]
Targets = Literal["auto", "classes", "numbers"]
_ZIP_MAGIC, _NPY_MAGIC = b"PK", b"\x93NUMPY"


def read_arrays(file: Path, most_bytes: int | None = None) -> dict[str, Shaped[np.ndarray, "..."]]:
    """The arrays of an .npz file by their names; the array of an .npy file has the name "".

    most_bytes: an .npy file of more is mapped into memory, not read (`numpy.memmap`)
    Raises UserError for a file that is missing, damaged or of another kind, for Python objects (a pickle, which may run
    code), and for more than 8 GiB.
    """
    if not file.is_file():
        raise UserError(f"{file}: expected an .npy or .npz file, found {'a folder' if file.is_dir() else 'none'}")
    try:
        with file.open("rb") as stream:
            start = stream.read(SIGNATURE_BYTES)
        if start.startswith(_ZIP_MAGIC):
            with zipfile.ZipFile(file) as archive:
                size = sum(member.file_size for member in archive.infolist())
        else:
            size = file.stat().st_size
        if not start.startswith((_ZIP_MAGIC, _NPY_MAGIC)):
            content = describe_content(start) or "a file of another kind, which np.save and np.savez do not write"
            raise UserError(f"{file}: expected an .npy or .npz file, found {content}")
        if start.startswith(_NPY_MAGIC) and most_bytes is not None and size > min(most_bytes, _MAX_BYTES):
            return {"": np.load(file, mmap_mode="r", allow_pickle=False)}
        if size > _MAX_BYTES:
            remedy = (
                "write .npy files, which need not be read at once"
                if start.startswith(_ZIP_MAGIC)
                else ("set data.where = 'stream', or take fewer")
            )
            raise UserError(f"{file}: expected at most 8 GiB of arrays, found {size:,} bytes; {remedy}")
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {"": loaded}
        with loaded:
            return {name: loaded[name] for name in loaded.files}
    except UserError:
        raise
    except (OSError, ValueError, EOFError, MemoryError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        if "allow_pickle" in str(error):
            reason = "expected arrays of numbers or text, found Python objects; convert them, as by x.astype('float32')"
        else:
            reason = f"expected an .npy or .npz file, found a damaged one ({one_line(error)}); write it again"
        raise UserError(f"{file}: {reason}") from error


def to_inputs(where: str, x: Shaped[np.ndarray, "..."], integers: Integers) -> Any:
    """Inputs as a data set has them. Bytes in 3 or 4 axes are images, (n, height, width) with one channel.

    Other numbers become float32, or int32 where integers are tokens. Those of a mapped file are `Rows`, which are
    converted as they are read. Raises UserError for other types.
    """
    if isinstance(x, np.memmap) and len(x):
        one = to_inputs(where, np.asarray(x[:1]), integers)
        return array_rows(x).mapped(one.shape[1:], one.dtype, lambda rows: to_inputs(where, np.asarray(rows), integers))
    if x.ndim == 0 or x.dtype.kind not in "fiub":
        raise UserError(f"{where}: expected numbers (n, ...), found {x.dtype} {x.shape}")
    if x.dtype == np.uint8 and x.ndim in (3, 4):
        return np.ascontiguousarray(x[..., None] if x.ndim == 3 else x)
    if x.dtype.kind in "iu" and integers == "tokens":
        return cast_exactly(where, x, "int32")
    x = x[:, None] if x.ndim == 1 else x
    return cast_exactly(where, x, "float32")


def cast_exactly(where: str, x: Shaped[np.ndarray, "..."], dtype: str) -> Shaped[np.ndarray, "..."]:
    """The numbers in another type. A float type rounds them; raises UserError where an integer type changes one."""
    if x.dtype.kind not in "fiub":
        raise UserError(f"{where}: expected numbers, found {x.dtype}")
    with np.errstate(over="ignore", invalid="ignore"):
        cast = np.ascontiguousarray(x).astype(dtype, copy=False)
    if cast.dtype.kind == "f":
        if not np.isfinite(cast).all():
            raise UserError(f"{where}: expected finite numbers of {dtype}, found NaN, infinity or larger ones")
    elif not (cast == x).all():
        low, high = (0, 1) if cast.dtype == bool else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        raise UserError(
            f"{where}: expected whole numbers from {low} to {high} ({dtype}, as in training), found {x.dtype} from "
            f"{x.min():.6g} to {x.max():.6g}"
        )
    return cast


class Labels(NamedTuple):
    """How the targets of a file are read.

    classes: the names of the classes; empty where the targets are numbers
    first_label: the integer that stands for the first class
    """

    classes: tuple[str, ...] = ()
    first_label: int = 0

    def read(self, where: str, y: Shaped[np.ndarray, "..."]) -> Any:
        """Labels from 0, of integers or of the classes' names, or float32 (n, m). Raises UserError for others.

        Numbers of a mapped file are `Rows`.
        """
        if not self.classes:
            y = y[:, None] if y.ndim == 1 else y
            if isinstance(y, np.memmap) and len(y):
                mapped = array_rows(y).mapped(
                    y.shape[1:], np.float32, lambda rows: cast_exactly(where, np.asarray(rows), "float32")
                )
                return mapped
            return cast_exactly(where, y, "float32")
        if y.dtype.kind in "US":
            names = np.char.strip(y.astype(str))
            index = {name: label for label, name in enumerate(self.classes)}
            labels = np.array([index.get(name, -1) for name in names.ravel().tolist()], np.int32).reshape(y.shape)
            if (labels < 0).any():
                raise UserError(f"{where}: expected classes of {_list(self.classes)}, found '{names[labels < 0][0]}'")
            return labels
        y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
        low, high = self.first_label, self.first_label + len(self.classes) - 1
        outside = y[(y < low) | (y > high)]
        if outside.size:
            raise UserError(
                f"{where}: expected labels from {low} to {high}, found {outside[0]}; set first_label to the label of "
                "the first class, and classes to the names of all"
            )
        return (y.astype(np.int64) - self.first_label).astype(np.int32)


def find_labels(
    where: str, y: Shaped[np.ndarray, "..."], targets: Targets, classes: tuple[str, ...], first_label: int
) -> Labels:
    """How the targets of a data set are read: as ``targets`` says or, with auto, floats are numbers, others classes.

    Without ``classes`` the names are the words of text, or the integers from ``first_label`` to the largest label.
    Raises UserError for targets that are neither.
    """
    if y.ndim == 0 or y.dtype.kind not in "fiubUS" or y.size == 0:
        raise UserError(f"{where}: expected labels or numbers, one row for each example, found {y.dtype} {y.shape}")
    if targets == "auto" and y.dtype.kind != "f" and y.ndim > 1 and y.shape[1] > 1:
        raise UserError(
            f"{where}: expected one label for each example, found {y.dtype} {y.shape}; use y.argmax(1) for one-hot "
            'rows, targets = "numbers" for several yes/no labels, targets = "classes" for a label at each place'
        )
    numeric = targets == "numbers" or (targets == "auto" and y.dtype.kind == "f" and not classes)
    if numeric:
        if classes:
            raise UserError('arrays: classes: expected targets = "classes", found targets = "numbers"')
        return Labels()
    if y.dtype.kind in "US":
        return Labels(classes or number_classes(np.char.strip(y.astype(str)).ravel().tolist())[1])
    if y.dtype.kind == "f" and not (y % 1 == 0).all():
        raise UserError(
            f'{where}: expected whole numbers as labels, found fractions; targets = "numbers" is regression'
        )
    if classes:
        return Labels(classes, first_label)
    low, high = int(y.min()), int(y.max())
    if low != first_label:
        raise UserError(
            f"{where}: expected labels from {first_label}, found labels from {low} to {high}; set first_label = {low}, "
            "or name all classes by classes = [...]"
        )
    return Labels(tuple(str(label) for label in range(first_label, high + 1)), first_label)


class ArrayReader(NamedTuple):
    """Reads ``.npy`` and ``.npz`` files: one example of shape ``example``, or a batch of them, converted to ``dtype``.

    An axis of one channel at the end may be absent. An .npz file has the inputs as ``x``, and the targets as ``y``.
    """

    example: tuple[int, ...]
    dtype: str
    labels: Labels | None = None

    def inputs(self, file: Path) -> Shaped[np.ndarray, "n ..."]:
        return self._inputs(file, read_arrays(file))

    def examples(self, file: Path) -> Part:
        """The inputs and targets of an .npz file. Raises UserError, also for a class that the training lacks."""
        arrays = read_arrays(file)
        y = find_array(file, arrays, "y")
        x = self._inputs(file, arrays)
        if self.labels is None or len(y) != len(x):
            raise UserError(f"{file}: expected {len(x)} targets, found {len(y)}")
        return Part(x, self.labels.read(f"{file} y", y))

    def settings(self) -> dict[str, Any]:
        labels = None if self.labels is None else [list(self.labels.classes), self.labels.first_label]
        return {"kind": "arrays", "example": list(self.example), "dtype": self.dtype, "labels": labels}

    def _inputs(self, file: Path, arrays: Mapping[str, np.ndarray]) -> Shaped[np.ndarray, "n ..."]:
        array = arrays[""] if "" in arrays else find_array(file, arrays, "x")
        if array.shape == self.example or (array.shape, 1) == (self.example[:-1], self.example[-1]):
            array = array.reshape(1, *self.example)
        elif (array.shape[1:], 1) == (self.example[:-1], self.example[-1]):
            array = array[..., None]
        if array.shape[1:] != self.example or len(array) == 0:
            raise UserError(f"{file}: expected examples of shape {self.example}, found an array of shape {array.shape}")
        return cast_exactly(str(file), array, self.dtype)


def find_array(file: Path, arrays: Mapping[str, np.ndarray], name: str) -> Shaped[np.ndarray, "..."]:
    """The array ``name`` of an .npz file, or ``name_train``. Raises UserError if there is none."""
    for key in (name, f"{name}_train"):
        if key in arrays:
            return arrays[key]
    known = ", ".join(arrays) if "" not in arrays else "one array without a name (.npy)"
    raise UserError(f"{file}: expected an array named {name}, found {known}; np.savez(FILE, x=…, y=…) names them")


def rebuild_array_reader(settings: Mapping[str, Any]) -> ArrayReader:
    """The reader with these settings. Raises KeyError, TypeError or ValueError for others."""
    labels = settings.get("labels")
    if labels is not None:
        classes, first_label = labels
        labels = Labels(tuple(str(name) for name in classes), int(first_label))
    example = tuple(int(side) for side in settings["example"])
    return ArrayReader(example, np.dtype(settings["dtype"]).name, labels)


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(repr(name[:40]) for name in names[:20]) + (", …" if len(names) > 20 else "")
