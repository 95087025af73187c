"""Finds the strokes of a drawing in a scan or a photograph: uneven light, ruled paper and a desk in view are no ink."""

import itertools
import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32
from scipy import ndimage

#: Of the shorter and of the longer side, whichever is more: wider than a stroke, narrower than a sheet of paper.
_PAPER_WINDOW = 0.3, 0.2
_MARGIN = 0.25  # of the longer side
_MIN_FLAT = 0.4  # of the border of a drawing without a photograph's light: the part that is background
_MAX_ICON = 64  # pixels of the longer side: no photograph is so small
_SIGMA = 1.4826  # standard deviation of normal noise, for a median absolute deviation of 1
_MIN_GRAIN = 0.7  # standard deviation of the noise of a photograph; a drawing on the screen has none
_MIN_CONTRAST = 16 / 255
_LEVELS = 0.9 * 0.8 ** np.arange(12)  # of the contrast, from black ink down to a faint pencil
#: Of the ink's own contrast: what is fainter is a line of the paper, or the edge of a stroke.
_CORES = (0.4, 0.45, 0.5, 0.55, 0.6, 0.65)
_MIN_EXTENT = 0.08  # of the shorter side: what is smaller is dust
_EDGED = 0.9  # of the outline of a drawing: the part that borders on paper
_CLEARANCE = 0.5  # of half the width of a stroke: so far from it there is paper, even if its edge is soft
_MAX_THICKNESS = 0.45  # of the extent of a drawing: what is wider is a sheet of paper, or light within a loop
_SAME_EDGE = 0.04  # the difference between the outlines of a stroke and of the light within its loop
_MIN_EDGED = 0.6  # the same, of a drawing in the dark or on lines
_MIN_PHOTOGRAPHED_EDGED = 0.8
_MIN_PHOTOGRAPHED_CONTRAST = 0.2  # of ink; the lines of paper and its folds have less
_GROWTH = 2.0  # of the area of a region that was tried: with that much more it is tried again
_MAX_DRAWINGS = 5  # tried at each level
_MAX_CONTACT = 0.3  # of the picture's border: what touches more of it is a desk or a frame
_GAP = 0.25  # of the extent of a drawing: the farthest stroke that is a part of it
_MIN_PART = 0.02  # of the area of a drawing: the smallest stroke that is a part of it

_Box = tuple[int, int, int, int]  # top, left, bottom, right


class _Picture(NamedTuple):
    """Brightness of each place, that of the paper there, and the contrast of the two less the noise, 0 to 1."""

    grey: Float32[np.ndarray, "height width"]
    paper: Float32[np.ndarray, "height width"]
    contrast: Float32[np.ndarray, "height width"]
    noise: float  # contrast of the grain of the picture
    photograph: bool  # or a scan: without a background of one brightness


class _Drawing(NamedTuple):
    """Strokes that belong together."""

    mask: Bool[np.ndarray, "height width"]
    box: _Box
    touches: bool  # the border of the picture
    contrast: float = 0.0
    edged: float = 0.0  # the part of its outline beyond which there is paper
    thickness: float = 1.0  # of its widest place, as a part of its extent

    @property
    def rank(self) -> tuple[bool, bool, float]:
        """Larger for a drawing that is more likely to be the one that was meant."""
        return not self.touches, self.certain, self.edged

    @property
    def certain(self) -> bool:
        """Whether it has the outline and the width of strokes."""
        return self.edged >= _EDGED and self.thickness <= _MAX_THICKNESS


def extract_ink(grey: Float32[np.ndarray, "height width"]) -> Float32[np.ndarray, "rows columns"] | None:
    """The darkness of ink, 0 to 1, cropped to the drawing; None if the picture is blank.

    grey: brightness, 0 to 255; the ink may be dark on light or light on dark

    The paper's brightness at each place is a morphological closing by a window wider than a stroke, so that light that
    falls off is no ink. Contrast is relative to it, since light multiplies. The drawing is the connected region of
    highest contrast that is neither dust nor a region along the border, with the strokes near it. Both polarities are
    tried: the light inside of a loop is a drawing too, but lies within the strokes of the other polarity.
    """
    pictures = [_measure(grey), _measure(255 - grey)]
    for min_extent in (_MIN_EXTENT, 0):  # a dot is ink where there is nothing else
        dark, light = (None if picture is None else _find_drawing(picture, min_extent) for picture in pictures)
        inverted = dark is None or (light is not None and _is_better(light, dark))
        drawing, picture = (light, pictures[1]) if inverted else (dark, pictures[0])
        if drawing is not None and picture is not None:
            return _crop(picture.contrast, drawing.mask)
    return None


def _border(grey: np.ndarray) -> np.ndarray:
    return np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])


def _grain(grey: np.ndarray) -> float:
    """The standard deviation of the noise of a photograph; 0 for a picture that is too small to be one."""
    if max(grey.shape) <= _MAX_ICON or grey.shape[1] < 3:
        return 0.0
    # The noise of a mean of two pixels and of the pixel between them add up to a variance of 3/2.
    between = (grey[:, :-2] + grey[:, 2:]) / 2
    return _SIGMA / 1.5**0.5 * float(np.median(np.abs(grey[:, 1:-1] - between)))


def _background(grey: np.ndarray) -> float | None:
    """The one brightness of the background of a drawing made on a computer; None for a photograph or a scan."""
    border = _border(grey)
    levels, counts = np.unique(border.round(), return_counts=True)
    level = float(levels[np.argmax(counts)])
    return level if np.mean(np.abs(border - level) <= 1) >= _MIN_FLAT else None


def _measure(grey: np.ndarray) -> _Picture | None:
    """The contrast of each place, as a part of the paper's brightness there; None without ink darker than the paper."""
    grain = _grain(grey)
    window = max(3, round(max(_PAPER_WINDOW[0] * min(grey.shape), _PAPER_WINDOW[1] * max(grey.shape))) | 1)
    # The strokes of a drawing may reach its border, so it gets a margin. In a photograph the border is not paper.
    background = _background(grey)
    margin = 0 if background is None else 1 + round(_MARGIN * max(grey.shape))
    smooth = ndimage.gaussian_filter(grey, 1) if grain > _MIN_GRAIN else grey
    grey = np.pad(smooth, margin, constant_values=background or 0)
    paper = ndimage.minimum_filter(ndimage.maximum_filter(grey, window), window)
    contrast = (paper - grey) / np.maximum(paper, 16)
    inside = np.s_[margin : len(grey) - margin, margin : grey.shape[1] - margin]
    # The closing takes the brightest grain as paper. Ink may cover most of a drawing, but not of a photograph.
    contrast = contrast - np.quantile(contrast[inside], 0.5 if background is None else 0.1)
    noise = max(_MIN_CONTRAST, 4 * grain / max(float(np.median(paper[inside])), 16))
    if contrast[inside].max() < noise:
        return None
    return _Picture(grey, paper, contrast.clip(0, None).astype(np.float32), noise, background is None)


def _find_drawing(picture: _Picture, min_extent: float) -> _Drawing | None:
    """The drawing of highest contrast: one that does not touch the border of the picture, if there is one."""
    best, tried, covered = None, {}, -1
    for level in _LEVELS[picture.noise <= _LEVELS]:
        visible = picture.contrast >= level
        if (count := np.count_nonzero(visible)) == covered:
            continue  # a picture without noise has few levels
        covered, regions = count, _Regions(visible)
        for i in regions.largest(min_extent * min(visible.shape)):
            core = regions.drawing(i)
            # A region that grows a little from one level to the next is the same one.
            darkest = int(np.argmax(picture.contrast * (regions.labels == i)))
            if regions.areas[i] < _GROWTH * tried.get(darkest, 0):
                continue
            tried[darkest] = regions.areas[i]
            drawing = _refine(picture, core)
            if drawing.certain and not drawing.touches and _is_possible(picture, drawing):
                return drawing
            if _is_possible(picture, drawing) and (best is None or drawing.rank > best.rank):
                best = drawing
    return best


def _is_possible(picture: _Picture, drawing: _Drawing) -> bool:
    if not picture.photograph:
        return drawing.edged >= _MIN_EDGED
    # Lines, folds and the light on a sheet of paper are no ink.
    strokes = drawing.edged >= _MIN_PHOTOGRAPHED_EDGED and drawing.thickness <= _MAX_THICKNESS
    return strokes and drawing.contrast >= _MIN_PHOTOGRAPHED_CONTRAST


def _refine(picture: _Picture, core: _Drawing) -> _Drawing:
    """The whole drawing around its darkest places, without lines of the paper that cross it."""
    peak = float(np.quantile(picture.contrast[core.mask], 0.9))
    for level in _CORES:
        regions = _Regions(picture.contrast >= level * peak)
        counts = np.bincount(regions.labels[core.mask])
        if counts[1:].size and not regions.contact[i := 1 + int(np.argmax(counts[1:]))]:
            return _with_edge(picture, regions.drawing(i)._replace(contrast=peak))
    return _with_edge(picture, core._replace(contrast=peak))


def _with_edge(picture: _Picture, drawing: _Drawing) -> _Drawing:
    """The drawing with the part of its outline beyond which it is more like paper than like ink.

    The outline of ink is one all round. A strip of paper between a stroke and the desk, which is a drawing of the other
    polarity, has places where the paper goes on.
    """
    top, left, bottom, right = drawing.box
    half = float(ndimage.distance_transform_edt(drawing.mask[top:bottom, left:right]).max())  # of the stroke's width
    near = _edge_width(picture.grey)
    far = near + _CLEARANCE * half
    margin = math.ceil(far) + 3
    place = np.s_[max(0, top - margin) : bottom + margin, max(0, left - margin) : right + margin]
    mask, grey, paper = drawing.mask[place], picture.grey[place], picture.paper[place]
    distance, (rows, columns) = ndimage.distance_transform_edt(~mask, return_indices=True)
    ink, paper = grey[rows, columns], paper[rows, columns]
    # The edge may be soft: close to it the brightness is above the middle, farther off it is nearly that of the paper.
    limits = ((near, paper * (1 - drawing.contrast / 2)), (far, (ink + paper) / 2))
    edged = [(grey >= limit)[(distance > reach) & (distance <= reach + 2)] for reach, limit in limits]
    return drawing._replace(
        edged=min(float(ring.mean()) if ring.size else 0.0 for ring in edged),
        thickness=2 * half / _extent(drawing.box),
    )


def _edge_width(grey: np.ndarray) -> int:
    """Pixels from ink to paper at the soft edge of a stroke."""
    return 1 + round(0.004 * min(grey.shape))


class _Regions:
    """The connected regions of a mask, numbered from 1.

    labels: the region of each place, 0 for none; areas, contact: for each region, its pixels and those at the border
    """

    def __init__(self, mask: Bool[np.ndarray, "height width"]) -> None:
        labels, count = ndimage.label(mask, np.ones((3, 3)))
        self.labels = np.asarray(labels)
        self.areas = np.bincount(self.labels.ravel(), minlength=count + 1)
        self.contact = np.bincount(_border(self.labels), minlength=count + 1)
        self._slices = ndimage.find_objects(self.labels)

    def box(self, i: int) -> _Box:
        rows, columns = self._slices[i - 1]
        return rows.start, columns.start, rows.stop, columns.stop

    def largest(self, min_extent: float) -> list[int]:
        """Some regions of at least this extent, the largest first, without those that lie along the border."""
        usable = (self.areas >= min_extent) & (self.contact <= _MAX_CONTACT * 2 * sum(self.labels.shape))
        usable[0] = False
        order = sorted(np.flatnonzero(usable).tolist(), key=lambda i: -self.areas[i])
        extended = (i for i in order if _extent(self.box(i)) >= min_extent)
        return list(itertools.islice(extended, _MAX_DRAWINGS))

    def drawing(self, i: int) -> _Drawing:
        """A region with those near it that may be strokes of the same drawing."""
        members = np.zeros(len(self.areas), bool)
        members[i] = True
        box = near = self.box(i)
        for j in np.flatnonzero((self.areas >= _MIN_PART * self.areas[i]) & (self.contact == 0)).tolist():
            if j not in (0, i) and _distance(self.box(j), near) <= _GAP * _extent(near):
                members[j] = True
                box = _union(box, self.box(j))
        return _Drawing(members[self.labels], box, bool(self.contact[i]))


def _is_better(drawing: _Drawing, other: _Drawing) -> bool:
    """Whether a drawing, not the other, of the other polarity, is the one that was meant."""
    overlap = _area(_intersection(drawing.box, other.box))
    within = overlap >= 0.7 * min(_area(drawing.box), _area(other.box))
    if within and drawing.rank[:2] == other.rank[:2] and abs(drawing.edged - other.edged) <= _SAME_EDGE:
        return _area(drawing.box) > _area(other.box)
    return drawing.rank > other.rank


def _crop(contrast: np.ndarray, mask: np.ndarray) -> Float32[np.ndarray, "rows columns"]:
    """The ink of the strokes and of their soft edges."""
    ink = np.where(ndimage.binary_dilation(mask, np.ones((3, 3)), _edge_width(contrast)), contrast, 0)
    ink = ink / ink.max()
    rows, columns = np.flatnonzero((ink > 0.1).any(1)), np.flatnonzero((ink > 0.1).any(0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)


def _extent(box: _Box) -> int:
    return max(box[2] - box[0], box[3] - box[1])


def _area(box: _Box) -> int:
    return max(0, box[2] - box[0]) * max(0, box[3] - box[1])


def _distance(a: _Box, b: _Box) -> int:
    return max(a[0] - b[2], b[0] - a[2], a[1] - b[3], b[1] - a[3], 0)


def _union(a: _Box, b: _Box) -> _Box:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def _intersection(a: _Box, b: _Box) -> _Box:
    return max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
