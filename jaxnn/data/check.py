"""Checks every loaded data set before anything is compiled on it."""

import math
from typing import Any

import numpy as np

from jaxnn.data.dataset import Arrays, Dataset, Part, named_arrays
from jaxnn.data.labels import check_label_range
from jaxnn.data.rows import Rows
from jaxnn.errors import UserError

_BLOCK_ROWS = 4096
#: Classes that a message names.
MAX_NAMES = 5


def check_dataset(dataset: Dataset) -> Dataset:
    """Returns the data set unchanged if it is valid. Raises UserError, which names the part and array at fault.

    Valid: every array has the same number of rows, at least one, and holds finite numbers of the types that ``Part``
    lists; labels lie in 0..classes-1, with at least two classes in the training part; the official validation and test
    parts have the structure, shapes and types of the training part; ``max_value`` is positive.
    """
    name, classes = dataset.name, dataset.classes
    if not (math.isfinite(dataset.max_value) and dataset.max_value > 0):
        raise UserError(f"{name}: expected a positive max_value, found {dataset.max_value}")
    if len(set(classes)) != len(classes) or len(classes) == 1:
        raise UserError(f"{name}: expected two or more classes of different names, found {', '.join(classes)}")
    _check_part(f"{name} train", dataset.train, len(classes), dataset.has_missing)
    if classes:
        require_two_classes(f"{name} train", dataset.train.y, classes)
    for part, official in (("validation", dataset.validation), ("test", dataset.test)):
        if official is None:
            continue
        _check_part(f"{name} {part}", official, len(classes), dataset.has_missing)
        for variable, train, other in (("x", dataset.train.x, official.x), ("y", dataset.train.y, official.y)):
            if _layout(train) != _layout(other):
                raise UserError(
                    f"{name}: expected {variable} of one shape and type, found {_describe(train)} for train "
                    f"and {_describe(other)} for {part}"
                )
    return dataset


def require_two_classes(where: str, y: Arrays, classes: tuple[str, ...]) -> None:
    """Raises UserError unless the integer labels in ``y`` name two classes or more: one class teaches nothing."""
    labels = [array for _, array in named_arrays(y) if array.dtype.kind in "iu"]
    if any(isinstance(array, Rows) for array in labels):  # tokens of a text, which are not read yet
        return
    first = labels[0].flat[0]
    if all((array == first).all() for array in labels):
        raise UserError(f"{where}: expected examples of two or more classes, found only {classes[first]}")


def require_every_class(where: str, y: Arrays, classes: tuple[str, ...]) -> None:
    """Raises UserError unless labels (n,) have an example of every class: one without can never be predicted.

    Labels with more axes, such as the characters of a text, and pytrees of labels need two classes alone.
    """
    require_two_classes(where, y, classes)
    if not isinstance(y, np.ndarray) or y.ndim != 1:
        return
    absent = [classes[i] for i in np.setdiff1d(np.arange(len(classes)), y)]
    if absent:
        names = ", ".join(absent[:MAX_NAMES]) + (f" and {len(absent) - MAX_NAMES} more" if absent[MAX_NAMES:] else "")
        raise UserError(
            f"{where}: expected examples of each of the {len(classes)} classes, found none of {names}; take more "
            "training examples or another data.seed, or leave these classes out"
        )


def _check_part(where: str, part: Part, classes: int, has_missing: bool = False) -> None:
    """Raises UserError unless the part is valid; ``classes`` is 0 for regression, NaN in x is a missing number."""
    for variable, tree in (("x", part.x), ("y", part.y)):
        _check_leaves(f"{where} {variable}", tree)
    n = part.num_examples
    if n == 0:
        raise UserError(f"{where}: expected examples, found none")
    for path, array in named_arrays(part.x):
        if len(array) != n:
            raise UserError(f"{where} x{path}: expected {n} rows, as in x's first array, found {len(array)}")
        _check_input(where, path, array, has_missing)
    _check_lengths(where, part.x)
    for path, array in named_arrays(part.y):
        if len(array) != n:
            raise UserError(
                f"{where}: expected as many targets as examples, found {n} examples and {len(array)} targets"
            )
        _check_target(where, path, array, classes)
    if classes and not any(array.dtype.kind in "iu" for _, array in named_arrays(part.y)):
        raise UserError(f"{where}: expected y to hold integer labels, found {_describe(part.y)}")


def _check_leaves(where: str, tree: Arrays) -> None:
    """Raises UserError unless the tree holds arrays, each with an axis of examples, and nothing else."""
    leaves = named_arrays(tree)
    if not leaves:
        raise UserError(f"{where}: expected an array or a pytree of arrays, found {type(tree).__name__} without arrays")
    for path, leaf in leaves:
        if np.ndim(leaf) == 0 or not hasattr(leaf, "dtype"):
            raise UserError(f"{where}{path}: expected a NumPy array (n, ...), found {type(leaf).__name__}")


def _check_lengths(where: str, x: Arrays) -> None:
    """Raises UserError for a `Sequence` with a length that its array of places cannot have."""
    if isinstance(x, np.ndarray):
        return
    from jaxnn.sequence import Sequence

    if not isinstance(x, Sequence):
        return
    time = x.values.shape[1]
    if x.lengths.ndim != 1 or x.lengths.min() < 1 or x.lengths.max() > time:
        raise UserError(
            f"{where}: expected lengths (n,) from 1 to {time}, found shape {x.lengths.shape} with "
            f"{x.lengths.min()} to {x.lengths.max()}"
        )


def _check_input(where: str, path: str, x: Any, has_missing: bool) -> None:
    image = x.dtype == np.uint8 and x.ndim == 4
    feature = x.dtype == np.float32 and (x.ndim >= 2 or bool(path))
    integer = x.dtype.kind in "iu" and x.dtype != np.uint8  # uint8 means pixels, which preprocessing scales
    if not (image or feature or integer or x.dtype == bool) or 0 in x.shape:
        raise UserError(
            f"{where}: expected x{path} as uint8 images (n, height, width, channel), float32 features (n, ...) or "
            f"integers (n, ...), found {x.dtype} {x.shape}"
        )
    _check_finite(f"{where} x{path}", x, has_missing)


def _check_target(where: str, path: str, y: Any, classes: int) -> None:
    if isinstance(y, Rows):
        return
    weight = bool(path) and (y.dtype == np.float32 or y.dtype == bool)  # of a label or target, in a pytree
    if classes and not weight:
        check_label_range(where, y, classes)
        if y.dtype != np.int32:
            raise UserError(f"{where}: expected labels of type int32, found {y.dtype}")
        if y.shape[1:] == (classes,) and ((y != 0).sum(1) == 1).all() and y.max() == 1:
            raise UserError(f"{where}: expected labels, found one-hot rows {y.shape}; use y.argmax(1)")
    elif (not weight and (y.dtype != np.float32 or y.ndim < 2)) or 0 in y.shape:
        raise UserError(f"{where}: expected targets as float32 (n, m, ...), found {y.dtype} {y.shape}")
    _check_finite(f"{where} y{path}", y)


def _check_finite(where: str, values: Any, has_missing: bool = False) -> None:
    if values.dtype.kind != "f" or isinstance(values, Rows):  # rows are checked as they are read
        return
    for start in range(0, len(values), _BLOCK_ROWS):
        rows = values[start : start + _BLOCK_ROWS]
        invalid = np.isinf(rows) if has_missing else ~np.isfinite(rows)
        if invalid.any():
            row = start + int(np.argwhere(invalid)[0, 0])
            raise UserError(f"{where}: expected finite numbers, found NaN or infinity in example {row}")


def _layout(tree: Arrays) -> list[tuple[str, np.dtype, tuple[int, ...]]]:
    """Path, type and shape of an example for each array."""
    return [(path, array.dtype, array.shape[1:]) for path, array in named_arrays(tree)]


def _describe(tree: Arrays) -> str:
    return ", ".join(f"{path}{': ' if path else ''}{dtype} {shape}" for path, dtype, shape in _layout(tree))
