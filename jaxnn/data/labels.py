"""Converts class names to labels 0..k-1, and labels to one-hot rows."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32, Int32, Shaped

from jaxnn.errors import UserError

_INTEGER = re.compile(r"-?[0-9]{1,18}")
_DIGITS = re.compile(r"([0-9]+)")


def number_classes(names: Sequence[str]) -> tuple[Int32[np.ndarray, "batch"], tuple[str, ...]]:
    """Labels for class names, and the classes in order: by value if all are integers.

    Other names are in the order of their code points, where a run of digits counts as a number: "a9" before "a10".
    """
    index = {name: label for label, name in enumerate(sorted(set(names), key=_sort_key(names)))}
    return np.array([index[name] for name in names], np.int32), tuple(index)


def one_hot(labels: Shaped[np.ndarray, "..."], classes: int) -> Float32[np.ndarray, "batch m"]:
    """Row i has a one at column labels[i] and zeros elsewhere. Raises UserError unless 0 <= labels < classes."""
    labels = np.asarray(labels)
    check_label_range("one_hot", labels, classes)
    if labels.ndim != 1:
        raise UserError(f"one_hot: expected labels as a row of integers, found shape {labels.shape}")
    rows = np.zeros((len(labels), classes), np.float32)
    rows[np.arange(len(labels)), labels] = 1
    return rows


def check_label_range(where: str, labels: Shaped[np.ndarray, "..."], classes: int) -> None:
    """Raises UserError unless ``labels`` are integers in 0..classes-1, in an array of one axis or more."""
    if labels.ndim == 0 or labels.dtype.kind not in "iu":
        raise UserError(f"{where}: expected labels as integers (n, ...), found {labels.dtype} {labels.shape}")
    for label in (labels.min(), labels.max()) if labels.size else ():
        if not 0 <= label < classes:
            raise UserError(f"{where}: expected labels from 0 to {classes - 1}, found {label}")


def _sort_key(names: Sequence[str]) -> Callable[[str], Any]:
    """A total order, the same on every machine: names that differ are never equal."""
    if all(_INTEGER.fullmatch(name) for name in names):
        return lambda name: (int(name), name)
    return lambda name: (_natural(name), name)


def _natural(name: str) -> list[Any]:
    """Text and numbers in turn, so that "item 9" comes before "item 10"."""
    return [(len(digits := part.lstrip("0")), digits) if i % 2 else part for i, part in enumerate(_DIGITS.split(name))]
