"""From class names to labels 0..k-1, and from labels to rows of zeros with a one."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Int32, Shaped

from jaxnn.errors import UserError


def number_classes(names: Sequence[str]) -> tuple[Int32[np.ndarray, "batch"], tuple[str, ...]]:
    """Labels for class names, and the classes in order: by value if all are integers, else alphabetically."""
    order = {name: place for place, name in enumerate(sorted(set(names), key=_sort_key(names)))}
    return np.array([order[name] for name in names], np.int32), tuple(order)


def one_hot(labels: Shaped[np.ndarray, "..."], classes: int) -> Float32[np.ndarray, "batch m"]:
    """Row i is zero but for a one at labels[i]. Raises UserError for labels that are not integers in 0..classes-1."""
    labels = np.asarray(labels)
    check_labels("one_hot", labels, classes)
    rows = np.zeros((len(labels), classes), np.float32)
    rows[np.arange(len(labels)), labels] = 1
    return rows


def check_labels(where: str, labels: Shaped[np.ndarray, "..."], classes: int) -> None:
    """Raises UserError unless ``labels`` is a row of integers in 0..classes-1."""
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise UserError(f"{where}: expected labels as a row of integers, found {labels.dtype} {labels.shape}")
    for label in (labels.min(), labels.max()) if labels.size else ():
        if not 0 <= label < classes:
            raise UserError(f"{where}: expected labels from 0 to {classes - 1}, found {label}")


def _sort_key(names: Sequence[str]):
    def whole(name: str) -> bool:
        return name.removeprefix("-").isdecimal() and len(name) < 20

    return int if all(whole(name) for name in names) else str
