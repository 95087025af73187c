"""Disjoint, seeded parts of a data set: to train on, to choose by (validation) and to judge by (test)."""

import math

import numpy as np

from jaxnn.data.check import check_classes
from jaxnn.data.dataset import Dataset, Part, Splits
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
    """Draws the three parts at random; the same seed draws the same parts. Without `shuffle`, the first examples are
    those to train on, then come validation and test, in the order that the data set has.

    A size is a count (int, 500) or a fraction (float, 0.2). None or 0: no such part; for ``train``, None means all
    that remains. ``test`` is drawn from the official test part where the data set has one and is a fraction of that;
    all else is drawn from the training part. The test part depends on its own size and the seed alone, and the
    validation part on those of test and itself, so that runs on fewer training examples are judged by the same ones.

    Raises UserError for sizes that are no sizes or more than there are, and for a training part that is empty or
    has one class only.
    """
    if seed < 0:
        raise UserError(f"split: expected a seed of 0 or more, found {seed}")
    sizes = {"test": test, "validation": validation, "train": train}
    for part, size in sizes.items():
        _check_size(part, size)
    if dataset.test is not None:
        count = _counts(dataset.name, "test", len(dataset.test.x), {"test": sizes.pop("test")})["test"]
        official = _draw(dataset.test, {"test": count}, [seed, *b"test"], shuffle)["test"]
    else:
        official = None
    counts = _counts(dataset.name, "train", len(dataset.train.x), sizes)
    drawn = _draw(dataset.train, counts, [seed, *b"train"], shuffle)
    if drawn["train"] is None:
        raise UserError(f"split: expected examples to train on, found none left of {len(dataset.train.x):,}")
    if dataset.classes:
        check_classes(f"{dataset.name} train after the split", drawn["train"], dataset.classes)
    return Splits(drawn["train"], drawn["validation"], official if dataset.test is not None else drawn["test"])


def _check_size(part: str, size: Size) -> None:
    if size is None or (type(size) is int and size >= 0):
        return
    if type(size) is float and 0 <= size <= 1:
        return
    raise UserError(f"split: {part}: expected a count (500) or a fraction of 1 (0.2), found {size}")


def _counts(name: str, source: str, available: int, sizes: dict[str, Size]) -> dict[str, int]:
    """How many examples each part gets: the bounds between the parts are rounded, so fractions of 1 leave none over."""
    counts, asked = {}, 0.0
    for part, size in sizes.items():
        if size is None and part == "train":
            counts[part] = available - math.floor(asked + 0.5)
            continue
        wanted = 0 if size is None else size * available if isinstance(size, float) else size
        counts[part] = math.floor(asked + wanted + 0.5) - math.floor(asked + 0.5)
        if size and not counts[part]:
            raise UserError(f"split: {part}: expected a part, found {size} of {available} examples, which is none")
        asked += wanted
    if math.floor(asked + 0.5) > available:
        parts = " + ".join(f"{part} {sizes[part]}" for part in sizes if sizes[part])
        raise UserError(
            f"split: {name} has {available:,} examples to {source} on, found {parts} = "
            f"{math.floor(asked + 0.5):,} asked for"
        )
    return counts


def _draw(part: Part, counts: dict[str, int], seed: list[int], shuffle: bool) -> dict[str, Part | None]:
    order = np.random.default_rng(seed).permutation(len(part.x)) if shuffle else np.arange(len(part.x))
    drawn, start = {}, 0
    for name, count in counts.items() if shuffle else reversed(counts.items()):
        # Sorted, so that a part that is the whole is not copied; a run shuffles by itself.
        rows = np.sort(order[start : start + count])
        start += count
        whole = count == len(part.x)
        drawn[name] = None if count == 0 else part if whole else Part(part.x[rows], part.y[rows])
    return drawn
