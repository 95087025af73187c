"""What every loader's result must satisfy before anything is compiled on it."""

import math

import numpy as np

from jaxnn.data.dataset import Dataset, Part
from jaxnn.data.labels import check_labels
from jaxnn.errors import UserError

_ROWS = 4096


def check(dataset: Dataset) -> Dataset:
    """The data set itself, if it is sound; else a UserError that names the part and what was expected of it.

    Sound: as many answers as examples and at least one; images uint8 (n, h, w, c) or features float32 (n, ...), all
    finite; labels int32 in 0..classes-1 with at least two classes among the training part's, or targets float32 (n, m);
    the test part shaped as the training part; white positive.
    """
    name, classes = dataset.name, dataset.classes
    if not (math.isfinite(dataset.white) and dataset.white > 0):
        raise UserError(f"{name}: expected a positive white, found {dataset.white}")
    if len(set(classes)) != len(classes) or len(classes) == 1:
        raise UserError(f"{name}: expected two or more classes of different names, found {', '.join(classes)}")
    check_part(f"{name} train", dataset.train, len(classes))
    if classes:
        check_classes(f"{name} train", dataset.train, classes)
    if dataset.test is not None:
        check_part(f"{name} test", dataset.test, len(classes))
        for axis, train, test in (
            ("x", dataset.train.x, dataset.test.x),
            ("y", dataset.train.y, dataset.test.y),
        ):
            if train.shape[1:] != test.shape[1:] or train.dtype != test.dtype:
                raise UserError(
                    f"{name}: expected {axis} of one shape and type, found {train.dtype} {train.shape[1:]} to train "
                    f"and {test.dtype} {test.shape[1:]} to test"
                )
    return dataset


def check_part(where: str, part: Part, classes: int) -> None:
    """Raises UserError unless the part is sound by itself; ``classes`` is 0 for regression."""
    x, y = part
    if len(x) == 0:
        raise UserError(f"{where}: expected examples, found none")
    if len(x) != len(y):
        raise UserError(f"{where}: expected as many answers as examples, found {len(x)} examples and {len(y)} answers")
    image, feature = x.dtype == np.uint8 and x.ndim == 4, x.dtype == np.float32 and x.ndim >= 2
    if not (image or feature) or 0 in x.shape:
        raise UserError(
            f"{where}: expected x as uint8 (n, height, width, channel) or float32 (n, ...), found {x.dtype} {x.shape}"
        )
    _check_finite(f"{where} x", x)
    if classes:
        check_labels(where, y, classes)
        if y.dtype != np.int32:
            raise UserError(f"{where}: expected labels of type int32, found {y.dtype}")
    elif y.dtype != np.float32 or y.ndim != 2 or 0 in y.shape:
        raise UserError(f"{where}: expected targets as float32 (n, m), found {y.dtype} {y.shape}")
    else:
        _check_finite(f"{where} y", y)


def check_classes(where: str, part: Part, classes: tuple[str, ...]) -> None:
    """Raises UserError unless two classes or more occur: a net that has seen one has nothing to learn."""
    if (part.y == part.y[0]).all():
        raise UserError(f"{where}: expected examples of two or more classes, found only {classes[part.y[0]]}")


def _check_finite(where: str, values: np.ndarray) -> None:
    if values.dtype.kind != "f":
        return
    for start in range(0, len(values), _ROWS):
        rows = values[start : start + _ROWS]
        if not np.isfinite(rows).all():
            row = start + int(np.argwhere(~np.isfinite(rows))[0, 0])
            raise UserError(f"{where}: expected finite numbers, found NaN or infinity in example {row}")
