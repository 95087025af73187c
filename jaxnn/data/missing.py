"""Puts the means of the training examples in place of missing numbers."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32

from jaxnn.data.dataset import Dataset, Part, Reader, Splits
from jaxnn.errors import UserError


@runtime_checkable
class FillingReader(Reader, Protocol):
    """A reader that puts means in place of missing numbers."""

    @property
    def feature_names(self) -> list[str]: ...

    def with_means(self, means: Sequence[float]) -> Reader: ...


def fill_missing(dataset: Dataset, splits: Splits) -> tuple[Dataset, Splits]:
    """The parts without NaN in ``x``, and the data set with a reader that fills further files in the same way.

    A missing number becomes the mean of its feature over the examples of the training part that have one. Nothing
    changes unless ``dataset.has_missing``. ``x`` is (n, features).

    Raises UserError for a feature that no training example has.
    """
    if not dataset.has_missing:
        return dataset, splits
    x = splits.train.x
    present = ~np.isnan(x)
    count = present.sum(axis=0)
    reader = dataset.reader
    names = reader.feature_names if isinstance(reader, FillingReader) else [f"feature {i}" for i in range(x.shape[1])]
    if (count == 0).any():
        name = names[int((count == 0).argmax())]
        raise UserError(
            f"{dataset.name}: expected a value of {name!r} in a training example, found only missing ones; leave the "
            "column out by ignore, or train on more examples"
        )
    means = (np.where(present, x, 0).sum(axis=0, dtype=np.float64) / count).astype(np.float32)

    def filled(part: Part | None) -> Part | None:
        return None if part is None else part._replace(x=_fill(part.x, means))

    if isinstance(reader, FillingReader):
        dataset = dataset._replace(reader=reader.with_means(means.tolist()))
    train = splits.train._replace(x=_fill(x, means))
    return dataset._replace(has_missing=False), Splits(train, filled(splits.validation), filled(splits.test))


def _fill(x: Float32[np.ndarray, "n features"], means: Float32[np.ndarray, "features"]) -> np.ndarray:
    return np.where(np.isnan(x), means, x)
