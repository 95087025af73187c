"""The types of a data set: every loader returns a ``Dataset``, every run uses its ``Splits``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

Arrays = Any  #: a NumPy array, or a pytree of NumPy arrays (tuple, dict, NamedTuple, ...)


class Part(NamedTuple):
    """Examples and their targets: row i of ``x`` is the input of example i, row i of ``y`` its target.

    x   uint8 images (n, height, width, channel), float32 features (n, ...) or integers (n, ...), such as token ids
    y   int32 labels (n, ...) for classification or float32 targets (n, m, ...) for regression

    Both may be pytrees of such arrays, all with n rows. In a pytree, an array may also be float32 (n,) or boolean.
    """

    x: Arrays
    y: Arrays

    @property
    def num_examples(self) -> int:
        """n, the rows of every array."""
        return len(named_arrays(self.x)[0][1])


@runtime_checkable
class Reader(Protocol):
    """Reads files in the form that a data set has them in."""

    def inputs(self, file: Path) -> Arrays:
        """The examples of a file, one or several, as rows of ``x``. Raises UserError."""
        ...

    def settings(self) -> dict[str, Any]:
        """JSON values from which `jaxnn.data.reader.rebuild_reader` makes an equal reader; ``kind`` names its type."""
        ...


@runtime_checkable
class ExampleReader(Reader, Protocol):
    """A reader of files that hold targets too, such as tables."""

    def examples(self, file: Path) -> Part:
        """The examples of a file with their targets; labels count the classes of the training. Raises UserError."""
        ...


class Dataset(NamedTuple):
    """A data set before any split: ``test`` and ``validation`` are the official parts if there are such.

    ``classes`` holds the names of the classes in the order of their labels; it is empty for regression.
    ``max_value`` is the pixel value of full intensity: 255 for photographs and MNIST, 16 for the 8x8 digits. It is 1
    for features. ``reader`` reads further files in the form of ``x``, such as those that `jaxnn predict` is given.
    With a ``window`` the rows are places of one long sequence, and an example is a window of so many of them.
    ``tokens``: the ids that ``x`` may hold, 0 where it holds no tokens.
    ``horizon``: the inputs and targets are numbers of one series, of which a target has so many; ``scale_series``
    scales them.
    ``has_missing``: NaN in ``x`` stands for a missing number, which `jaxnn.data.missing.fill_missing` replaces.
    ``targets`` holds the names of the numbers in a target of regression, where they have names.
    """

    name: str
    train: Part
    test: Part | None
    classes: tuple[str, ...]
    max_value: float
    reader: Reader | None = None
    window: int = 0
    has_missing: bool = False
    validation: Part | None = None
    targets: tuple[str, ...] = ()
    tokens: int = 0
    horizon: int = 0

    @property
    def ordered(self) -> bool:
        """Whether the rows follow each other in time, so that a split keeps their order."""
        return self.window > 0 or self.horizon > 0


class Splits(NamedTuple):
    """Three disjoint parts of one data set. A part is None if no size was given for it."""

    train: Part
    validation: Part | None
    test: Part | None


def map_arrays(function: Callable[[np.ndarray], np.ndarray], tree: Arrays) -> Arrays:
    """``jax.tree.map(function, tree)``. JAX, which takes a second to import, is not imported for a single array."""
    if isinstance(tree, np.ndarray):
        return function(tree)
    import jax

    return jax.tree.map(function, tree)


def named_arrays(tree: Arrays) -> list[tuple[str, Any]]:
    """Path and leaf of each array; the path is "" for a single array, ".nodes" for a field, "['a']" for a key."""
    if isinstance(tree, np.ndarray):
        return [("", tree)]
    import jax

    return [(jax.tree_util.keystr(path), leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)]
