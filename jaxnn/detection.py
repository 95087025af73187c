"""The objects that a detector finds in pictures, and how well: on the host, in NumPy."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxnn.targets import BOX, Boxes

#: Objects that are less probable are not reported.
MIN_SCORE = 0.05
#: Objects that are shown and told are at least so probable.
SHOWN_SCORE = 0.5
#: The overlap (intersection over union) from which on two boxes are of one object.
SAME_OBJECT = 0.5


class Objects(NamedTuple):
    """Objects of pictures, the most probable first.

    picture, label: where and what; labels count from 1, as in `Boxes`
    score: the probability of the class, 1 for what is known
    box: (n, 4): top, left, bottom, right, in cells
    """

    picture: Int[np.ndarray, "n"]
    label: Int[np.ndarray, "n"]
    score: Float[np.ndarray, "n"]
    box: Float[np.ndarray, "n 4"]

    def of(self, chosen: np.ndarray) -> "Objects":
        """The chosen ones: an index or a mask."""
        return Objects(*(a[chosen] for a in self))

    def scaled(self, picture: tuple[int, ...], cells: tuple[int, ...]) -> "Objects":
        """With boxes in pixels: `picture` is (height, width) in pixels, `cells` (rows, columns)."""
        factors = np.divide(picture[:2], cells[:2])
        return self._replace(box=self.box * np.concatenate([factors, factors]))


def known_objects(target: Boxes) -> Objects:
    """The objects of a target."""
    label, box = np.asarray(target.label), np.asarray(target.box)
    picture, row, column = np.nonzero(label)
    corners = _corners(box[picture, row, column], row, column)
    return Objects(picture, label[picture, row, column], np.ones(len(picture)), corners)


def found_objects(prediction: Float[np.ndarray, "batch rows columns n"], min_score: float = MIN_SCORE) -> Objects:
    """The objects of a detector's prediction: of boxes of one class that overlap, the most probable one alone.

    prediction: the probabilities of the classes, of which the first is "no object", and four numbers of the box
    """
    shares = prediction[..., 1:-BOX]
    picture, row, column = np.nonzero(shares.max(-1) >= min_score)
    chosen = prediction[picture, row, column]
    label, score = chosen[:, 1:-BOX].argmax(-1) + 1, chosen[:, 1:-BOX].max(-1).astype(np.float64)
    found = Objects(picture, label, score, _corners(chosen[:, -BOX:], row, column))
    found = found.of(np.argsort(-score, kind="stable"))
    keep = np.ones(len(found.score), bool)
    for rows in _groups(found):
        overlaps = overlap(found.box[rows], found.box[rows])
        for i in range(1, len(rows)):
            keep[rows[i]] = not (keep[rows[:i]] & (overlaps[i, :i] > SAME_OBJECT)).any()
    return found.of(keep)


def overlap(a: Float[np.ndarray, "n 4"], b: Float[np.ndarray, "m 4"]) -> Float[np.ndarray, "n m"]:
    """The intersection over the union of each pair of boxes (top, left, bottom, right); 0 for boxes without area."""
    corner = np.maximum(a[:, None, :2], b[None, :, :2])
    opposite = np.minimum(a[:, None, 2:], b[None, :, 2:])
    both = np.clip(opposite - corner, 0, None).prod(-1)
    areas = [np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(-1) for boxes in (a, b)]
    union = areas[0][:, None] + areas[1][None] - both
    return np.divide(both, union, out=np.zeros_like(both), where=union > 0)


def average_precisions(prediction: Float[np.ndarray, "batch rows columns n"], target: Boxes) -> dict[str, np.ndarray]:
    """The average precision of each class, and its mean over the classes that occur.

    An object is found by the most probable box of its class that overlaps with it by at least one half, and by no other
    one. The average precision is the area under the precision over the recall, where each precision is the best one at
    this recall or a larger one (Everingham et al. 2010, all points). A box that is not finite finds nothing.
    """
    # Evaluated in batches, the leading axes may be several.
    prediction = prediction.reshape(-1, *prediction.shape[-3:])
    label, box = target.label.reshape(prediction.shape[:3]), target.box.reshape(*prediction.shape[:3], BOX)
    true, found = known_objects(Boxes(label, box)), found_objects(np.nan_to_num(prediction, nan=0.0))
    classes = prediction.shape[-1] - BOX
    hit = _hits(found, true)
    each, support = np.full(classes, np.nan), np.bincount(true.label, minlength=classes).astype(float)
    for k in range(1, classes):
        if support[k]:
            each[k] = _area(hit[found.label == k], support[k])
    defined = each[~np.isnan(each)]
    mean = np.asarray(defined.mean() if len(defined) else np.nan)
    return {"average_precision": mean, "average_precision_per_class": each, "support_per_class": support}


def _corners(box: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Top, left, bottom and right of boxes by their centres within their cells, heights and widths."""
    centre = np.stack([row, column], -1) + box[:, :2]
    size = np.clip(box[:, 2:], 0, None)
    return np.concatenate([centre - size / 2, centre + size / 2], -1).astype(np.float64)


def _groups(objects: Objects) -> list[np.ndarray]:
    """The rows of the objects of each picture and class, in their order."""
    rows: dict[tuple[int, int], list[int]] = {}
    for row, key in enumerate(_kinds(objects)):
        rows.setdefault(key, []).append(row)
    return [np.asarray(group) for group in rows.values()]


def _kinds(objects: Objects) -> list[tuple[int, int]]:
    """Picture and class of each object."""
    return list(zip(objects.picture.tolist(), objects.label.tolist(), strict=True))


def _hits(found: Objects, true: Objects) -> np.ndarray:
    """Which found objects are true ones, each of them counted once."""
    hit = np.zeros(len(found.score), bool)
    kinds = _kinds(true)
    wanted = {kinds[rows[0]]: rows for rows in _groups(true)}
    taken: set[int] = set()
    for i, kind in enumerate(_kinds(found)):
        rows = wanted.get(kind)
        if rows is None:
            continue
        overlaps = overlap(found.box[i : i + 1], true.box[rows])[0]
        best = int(overlaps.argmax())
        if overlaps[best] >= SAME_OBJECT and rows[best] not in taken:
            taken.add(rows[best])
            hit[i] = True
    return hit


def _area(hit: np.ndarray, count: float) -> float:
    """The area under precision over recall for detections from the most to the least probable one."""
    found = np.cumsum(hit)
    precision = found / np.arange(1, len(hit) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float((best * hit).sum() / count)
