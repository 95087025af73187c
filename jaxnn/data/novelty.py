"""Novelty detection: one class is normal and the only one to learn from; all others are new."""

import numpy as np

from jaxnn.data.dataset import Dataset, Part, Splits, map_arrays
from jaxnn.errors import UserError, hint

#: The classes of a novelty detection, in the order of their labels.
CLASSES = ("normal", "new")


def one_normal_class(dataset: Dataset, splits: Splits, normal: str) -> tuple[Dataset, Splits]:
    """The data set and its parts with the labels 0 (normal) and 1 (new); the training part has normal examples alone.

    normal: the name of the normal class. Raises UserError for an unknown class, and for data without one label for each
    example.
    """
    if not dataset.classes or not isinstance(splits.train.y, np.ndarray) or splits.train.y.ndim != 1:
        raise UserError(f"data.normal: expected data with a class for each example, found {dataset.name} without")
    if normal not in dataset.classes:
        known = ", ".join(dataset.classes)
        raise UserError(f"data.normal: expected one of {known}, found {normal!r}{hint(normal, dataset.classes)}")
    label = dataset.classes.index(normal)

    def relabelled(part: Part) -> Part:
        return part._replace(y=(part.y != label).astype(np.int32))

    rows = np.flatnonzero(splits.train.y == label)
    if not len(rows):
        raise UserError(f"data.normal: expected examples of {normal!r} to train on, found none")
    train = Part(map_arrays(lambda a: a[rows], splits.train.x), np.zeros(len(rows), np.int32))
    held_out = (None if part is None else relabelled(part) for part in splits[1:])
    return dataset._replace(classes=CLASSES), Splits(train, *held_out)
