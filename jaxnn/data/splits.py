"""Splits a data set into disjoint random parts: training, validation (to choose by) and test (to judge by)."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from jaxnn.data.check import require_every_class
from jaxnn.data.dataset import Arrays, Dataset, Part, Splits, map_arrays
from jaxnn.data.rows import select_rows
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
    stratify: bool = False,
) -> Splits:
    """Draws the three parts at random; equal seeds give equal parts. x and y may be pytrees of arrays.

    train, validation, test: a count (int, 500) or a fraction (float, 0.2). None or 0: no such part; ``train=None``:
        all remaining examples
    shuffle: false takes the examples in the order of the data set: first training, then validation, then test. So does
        a data set whose rows follow each other in time
    stratify: true gives each part the classes in the proportions of the data set: the count of a class in a part of m
        of n examples is m/n of its count, rounded down or up by the method of largest remainders

    If the data set has an official test or validation part, ``test`` or ``validation`` is drawn from it and is a
    fraction of it. Everything else is drawn from the training part. The test part depends only on its size and the
    seed, the validation part only on its size, that of the test part and the seed. So runs on fewer training examples
    are judged by the same examples.

    Raises UserError for an invalid size, for more examples than there are, and for a training part that is empty or
    lacks a class. With ``stratify``: for targets that are no labels of examples, and for a class with fewer examples
    than there are parts.
    """
    if seed < 0:
        raise UserError(f"split: expected a seed of 0 or more, found {seed}")
    shuffle = shuffle and not dataset.ordered
    sizes = {"test": test, "validation": validation, "train": train}
    for part, size in sizes.items():
        _check_size(part, size)
    official = {}
    for part, source in (("test", dataset.test), ("validation", dataset.validation)):
        if source is not None:
            count = _count(dataset.name, part, source.num_examples, {part: sizes.pop(part)})
            official |= _draw(dataset, source, count, [seed, *part.encode()], shuffle, stratify)
    counts = _count(dataset.name, "train", dataset.train.num_examples, sizes)
    parts = _draw(dataset, dataset.train, counts, [seed, *b"train"], shuffle, stratify)
    train_part = parts["train"]
    if train_part is None:
        raise UserError(f"split: expected examples to train on, found none left of {dataset.train.num_examples:,}")
    if dataset.classes and not dataset.window:
        require_every_class(f"{dataset.name} train after the split", train_part.y, dataset.classes)
    parts |= official
    return Splits(train_part, parts["validation"], parts["test"])


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


def _draw(
    dataset: Dataset, part: Part, counts: dict[str, int], seed: list[int], shuffle: bool, stratify: bool
) -> dict[str, Part | None]:
    n = part.num_examples
    if not shuffle and not stratify:
        ends = dict(zip(reversed(counts), np.cumsum([counts[name] for name in reversed(counts)]).tolist(), strict=True))
        return {
            name: None
            if count == 0
            else part
            if count == n
            else _take_rows(part, slice(ends[name] - count, ends[name]))
            for name, count in counts.items()
        }
    order = np.random.default_rng(seed).permutation(n) if shuffle else np.arange(n)
    names = [*counts] if shuffle else [*reversed(counts)]
    if stratify:
        rows = _stratified_rows(dataset, part.y, order, counts, names)
    else:
        ends = np.cumsum([counts[name] for name in names])
        rows = {name: order[end - counts[name] : end] for name, end in zip(names, ends, strict=True)}
    # Sorted, so that a part that is the whole need not be copied; the training shuffles again in each epoch.
    return {
        name: None if count == 0 else part if count == n else _take_rows(part, np.sort(rows[name]))
        for name, count in counts.items()
    }


def _stratified_rows(
    dataset: Dataset, y: Arrays, order: Int[np.ndarray, "n"], counts: dict[str, int], names: list[str]
) -> dict[str, Int[np.ndarray, "rows"]]:
    """The rows of each part, taken from the order class by class, the parts in the order of their names."""
    if not dataset.classes or not isinstance(y, np.ndarray) or y.ndim != 1:
        raise UserError(f"split: stratify: expected one label for each example of {dataset.name}, found other targets")
    sizes = np.bincount(y, minlength=len(dataset.classes))
    parts = [name for name in counts if counts[name]]
    rare = np.flatnonzero((sizes > 0) & (sizes < len(parts)))
    if rare.size:
        raise UserError(
            f"split: stratify: expected an example of each class for each of the parts {', '.join(parts)}, found "
            f"{sizes[rare[0]]} of class {dataset.classes[rare[0]]!r}; merge or leave out rare classes, or set stratify "
            "= false"
        )
    quotas = dict(zip(counts, _class_counts(sizes, [*counts.values()]), strict=True))
    taken = np.zeros_like(sizes)
    rows_of_class = [order[y[order] == label] for label in range(len(sizes))]
    rows = {}
    for name in names:
        ends = taken + quotas[name]
        rows[name] = np.concatenate([rows_of_class[k][taken[k] : ends[k]] for k in range(len(sizes))])
        taken = ends
    return rows


def _class_counts(sizes: Int[np.ndarray, "classes"], counts: Sequence[int]) -> list[Int[np.ndarray, "classes"]]:
    """For each part, the examples of each class: their exact share of the part, rounded by largest remainders.

    sizes: the examples of each class; counts: those of each part. No class gives more examples than it has, and the
    first of equal remainders is rounded up.
    """
    remaining, result = sizes.astype(np.int64), []
    for count in counts:
        products = count * sizes.astype(np.int64)
        quota, remainder = np.minimum(products // sizes.sum(), remaining), products % sizes.sum()
        while quota.sum() < count:
            open_classes = np.where(quota < remaining, remainder, -1)
            for k in np.argsort(-open_classes, kind="stable")[: count - quota.sum()]:
                quota[k] += open_classes[k] >= 0
        remaining = remaining - quota
        result.append(quota)
    return result


def _take_rows(part: Part, rows: np.ndarray | slice) -> Part:
    return Part(map_arrays(lambda x: select_rows(x, rows), part.x), map_arrays(lambda y: select_rows(y, rows), part.y))
