"""Splits a data set into disjoint random parts: training, validation (to choose by) and test (to judge by)."""

import math

import numpy as np

from jaxnn.data.check import require_two_classes
from jaxnn.data.dataset import Dataset, Part, Splits, map_arrays
from jaxnn.errors import UserError

Size = int | float | None


def split(
    dataset: Dataset,
    *,
    train: Size = None,
    validation: Size = None,
    test: Size = None,
    seed: int = 0,
    shuffle: bool = True,
) -> Splits:
    """Draws the three parts at random; equal seeds give equal parts. x and y may be pytrees of arrays.

    train, validation, test: a count (int, 500) or a fraction (float, 0.2). None or 0: no such part; ``train=None``:
        all remaining examples
    shuffle: false takes the examples in the order of the data set: first training, then validation, then test

    If the data set has an official test part, ``test`` is drawn from it and is a fraction of it. Everything else is
    drawn from the training part. The test part depends only on its size and the seed, the validation part only on its
    size, that of the test part and the seed. So runs on fewer training examples are judged by the same examples.

    Raises UserError for an invalid size, for more examples than there are, and for a training part that is empty or
    has only one class.
    """
    if seed < 0:
        raise UserError(f"split: expected a seed of 0 or more, found {seed}")
    sizes = {"test": test, "validation": validation, "train": train}
    for part, size in sizes.items():
        _check_size(part, size)
    if dataset.test is not None:
        count = _count(dataset.name, "test", dataset.test.num_examples, {"test": sizes.pop("test")})["test"]
        official = _draw(dataset.test, {"test": count}, [seed, *b"test"], shuffle)["test"]
    else:
        official = None
    counts = _count(dataset.name, "train", dataset.train.num_examples, sizes)
    parts = _draw(dataset.train, counts, [seed, *b"train"], shuffle)
    if parts["train"] is None:
        raise UserError(f"split: expected examples to train on, found none left of {dataset.train.num_examples:,}")
    if dataset.classes:
        require_two_classes(f"{dataset.name} train after the split", parts["train"].y, dataset.classes)
    return Splits(parts["train"], parts["validation"], official if dataset.test is not None else parts["test"])


def _check_size(part: str, size: Size) -> None:
    if size is None or (type(size) is int and size >= 0):
        return
    if type(size) is float and 0 <= size <= 1:
        return
    raise UserError(f"split: {part}: expected a count (500) or a fraction of 1 (0.2), found {size}")


def _count(name: str, source: str, available: int, sizes: dict[str, Size]) -> dict[str, int]:
    """The number of examples of each part. It rounds the bounds between parts, so that fractions of 1 use them all."""
    counts, total = {}, 0.0
    for part, size in sizes.items():
        if size is None and part == "train":
            counts[part] = available - math.floor(total + 0.5)
            continue
        examples = 0 if size is None else size * available if isinstance(size, float) else size
        counts[part] = math.floor(total + examples + 0.5) - math.floor(total + 0.5)
        if size and not counts[part]:
            raise UserError(f"split: {part}: expected a part, found {size} of {available} examples, which is none")
        total += examples
    if math.floor(total + 0.5) > available:
        parts = " + ".join(f"{part} {sizes[part]}" for part in sizes if sizes[part])
        raise UserError(
            f"split: {name} has {available:,} examples to {source} on, found {parts} = "
            f"{math.floor(total + 0.5):,} asked for"
        )
    return counts


def _draw(part: Part, counts: dict[str, int], seed: list[int], shuffle: bool) -> dict[str, Part | None]:
    n = part.num_examples
    order = np.random.default_rng(seed).permutation(n) if shuffle else np.arange(n)
    parts, start = {}, 0
    for name, count in counts.items() if shuffle else reversed(counts.items()):
        # Sorted, so that a part that is the whole need not be copied; the training shuffles again in each epoch.
        rows = np.sort(order[start : start + count])
        start += count
        parts[name] = None if count == 0 else part if count == n else _take_rows(part, rows)
    return parts


def _take_rows(part: Part, rows: np.ndarray) -> Part:
    return Part(map_arrays(lambda x: x[rows], part.x), map_arrays(lambda y: y[rows], part.y))
