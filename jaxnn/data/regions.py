"""Connected regions of a picture that may be the strokes of a drawing."""

import itertools
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Shaped
from scipy import ndimage

_EDGED = 0.9  # of the outline of a drawing: the part that borders on paper, where it is strokes for certain
MAX_THICKNESS = 0.45  # of the extent of a drawing: what is wider is a sheet of paper, or light within a loop
_MAX_DRAWINGS = 5  # tried at each level
_MAX_CONTACT = 0.3  # of the picture's border: what touches more of it is a desk or a frame
_GAP = 0.25  # of the extent of a drawing: the farthest stroke that is a part of it
_MIN_PART = 0.02  # of the area of a drawing: the smallest stroke that is a part of it

Box = tuple[int, int, int, int]  # top, left, bottom, right


class Drawing(NamedTuple):
    """Strokes that belong together."""

    mask: Bool[np.ndarray, "height width"]
    box: Box
    touches: bool  # the border of the picture
    contrast: float = 0.0
    edged: float = 0.0  # the part of its outline beyond which there is paper
    width: float = 0.0  # pixels, of the widest stroke

    @property
    def rank(self) -> tuple[bool, bool, float]:
        """Larger for a drawing that is more likely to be the one that was meant."""
        return not self.touches, self.certain, self.edged

    @property
    def thickness(self) -> float:
        """The width as a part of the extent."""
        return self.width / extent_of(self.box)

    @property
    def certain(self) -> bool:
        """Whether it has the outline and the width of strokes."""
        return self.edged >= _EDGED and self.thickness <= MAX_THICKNESS


class Regions:
    """The connected regions of a mask, numbered from 1.

    labels: the region of each place, 0 for none; areas, contact: for each region, its pixels and those at the border
    """

    def __init__(self, mask: Bool[np.ndarray, "height width"]) -> None:
        self.labels: np.ndarray = np.zeros(mask.shape, np.int32)
        ndimage.label(mask, np.ones((3, 3)), self.labels)
        count = int(self.labels.max())
        self.areas: np.ndarray = np.bincount(self.labels.ravel(), minlength=count + 1)
        self.contact: np.ndarray = np.bincount(border_of(self.labels), minlength=count + 1)
        self._slices = ndimage.find_objects(self.labels)

    def box(self, i: int) -> Box:
        rows, columns = self._slices[i - 1]
        return rows.start, columns.start, rows.stop, columns.stop

    def largest(self, min_extent: float) -> list[int]:
        """Some regions of at least this extent, the largest first, without those that lie along the border."""
        usable = (self.areas >= min_extent) & (self.contact <= _MAX_CONTACT * 2 * sum(self.labels.shape))
        usable[0] = False
        order = sorted(np.flatnonzero(usable).tolist(), key=lambda i: -int(self.areas[i]))
        extended = (i for i in order if extent_of(self.box(i)) >= min_extent)
        return list(itertools.islice(extended, _MAX_DRAWINGS))

    def drawing(self, i: int) -> Drawing:
        """A region with those near it that may be strokes of the same drawing."""
        members = np.zeros(len(self.areas), bool)
        members[i] = True
        box = near = self.box(i)
        for j in np.flatnonzero((self.areas >= _MIN_PART * self.areas[i]) & (self.contact == 0)).tolist():
            if j not in (0, i) and _distance(self.box(j), near) <= _GAP * extent_of(near):
                members[j] = True
                box = _union(box, self.box(j))
        return Drawing(members[self.labels], box, bool(self.contact[i]))


def border_of(picture: Shaped[np.ndarray, "height width"]) -> Shaped[np.ndarray, "n"]:
    """The values along the border of a picture."""
    return np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])


def extent_of(box: Box) -> int:
    return max(box[2] - box[0], box[3] - box[1])


def area_of(box: Box) -> int:
    return max(0, box[2] - box[0]) * max(0, box[3] - box[1])


def _distance(a: Box, b: Box) -> int:
    return max(a[0] - b[2], b[0] - a[2], a[1] - b[3], b[1] - a[3], 0)


def _union(a: Box, b: Box) -> Box:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def intersection_of(a: Box, b: Box) -> Box:
    return max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
