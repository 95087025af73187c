"""Finds the strokes of a drawing in a scan or a photograph: uneven light, ruled paper and a desk in view are no ink."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32
from scipy import ndimage

from jaxnn.data.regions import MAX_THICKNESS, Drawing, Regions, area_of, border_of, intersection_of

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
_CLEARANCE = 0.5  # of half the width of a stroke: so far from it there is paper, even if its edge is soft
_MAX_STROKE_ON_SHEET = 0.3  # of the width of the sheet: the width of strokes on it
_SAME_EDGE = 0.04  # the difference between the outlines of a stroke and of the light within its loop
_MIN_EDGED = 0.6  # of the outline of a drawing: the part that borders on paper
_MIN_PHOTOGRAPHED_EDGED = 0.8  # the same in a photograph, which shows more than a drawing
_MAX_PHOTOGRAPHED_WIDTH = 0.16  # of the shorter side: the width of a stroke; what is wider is light on paper
_MIN_PHOTOGRAPHED_CONTRAST = 0.25  # of ink; the lines of paper and its folds have less
_GROWTH = 2.0  # of the area of a region that was tried: with that much more it is tried again


class _Picture(NamedTuple):
    """Brightness of each place, that of the paper there, and the contrast of the two less the noise, 0 to 1."""

    grey: Float32[np.ndarray, "height width"]
    paper: Float32[np.ndarray, "height width"]
    contrast: Float32[np.ndarray, "height width"]
    noise: float  # contrast of the grain of the picture
    photograph: bool  # or a scan: without a background of one brightness


def extract_ink(grey: Float32[np.ndarray, "height width"]) -> Float32[np.ndarray, "rows columns"] | None:
    """The darkness of ink, 0 to 1, cropped to the drawing; None if the picture is blank.

    grey: brightness, 0 to 255; the ink may be dark on light or light on dark

    The paper's brightness at each place is a morphological closing by a window wider than a stroke, so that light that
    falls off is no ink. Contrast is relative to it, since light multiplies. The drawing is the connected region of
    highest contrast that is neither dust nor a region along the border, with the strokes near it. Both polarities are
    tried: the light inside of a loop is a drawing too, but lies within the strokes of the other polarity.
    """
    # On a background of one brightness, a drawing may be wider than the window, and a dot is ink.
    for flat, min_extent in ((False, _MIN_EXTENT), (True, 0)):
        if flat and _background(grey) is None:
            break
        pictures = [_measure(grey, flat), _measure(255 - grey, flat)]
        dark, light = (None if picture is None else _find_drawing(picture, min_extent) for picture in pictures)
        inverted = dark is None or (light is not None and _is_better(light, dark))
        drawing, picture = (light, pictures[1]) if inverted else (dark, pictures[0])
        if drawing is not None and picture is not None:
            return _crop(picture.contrast, drawing.mask)
    return None


def _grain(grey: np.ndarray) -> float:
    """The standard deviation of the noise of a photograph; 0 for a picture that is too small to be one."""
    if max(grey.shape) <= _MAX_ICON or grey.shape[1] < 3:
        return 0.0
    # The noise of a mean of two pixels and of the pixel between them add up to a variance of 3/2.
    between = (grey[:, :-2] + grey[:, 2:]) / 2
    return _SIGMA / 1.5**0.5 * float(np.median(np.abs(grey[:, 1:-1] - between)))


def _background(grey: np.ndarray) -> float | None:
    """The one brightness of the background of a drawing made on a computer; None for a photograph or a scan."""
    border = border_of(grey)
    levels, counts = np.unique(border.round(), return_counts=True)
    level = float(levels[np.argmax(counts)])
    return level if np.mean(np.abs(border - level) <= 1) >= _MIN_FLAT else None


def _measure(grey: np.ndarray, flat: bool) -> _Picture | None:
    """The contrast of each place, as a part of the paper's brightness there; None without ink darker than the paper.

    flat: the paper is everywhere as bright as the background at the border
    """
    grain = _grain(grey)
    window = max(3, round(max(_PAPER_WINDOW[0] * min(grey.shape), _PAPER_WINDOW[1] * max(grey.shape))) | 1)
    # The strokes of a drawing may reach its border, so it gets a margin. In a photograph the border is not paper.
    background = _background(grey)
    margin = 0 if background is None else 1 + round(_MARGIN * max(grey.shape))
    smooth = ndimage.gaussian_filter(grey, 1) if grain > _MIN_GRAIN else grey
    grey = np.pad(smooth, margin, constant_values=background or 0)
    if flat:
        paper = np.full_like(grey, background)
    else:
        paper = ndimage.minimum_filter(ndimage.maximum_filter(grey, window), window)
    contrast = (paper - grey) / np.maximum(paper, 16)
    inside = np.s_[margin : len(grey) - margin, margin : grey.shape[1] - margin]
    if not flat:
        # The closing takes the brightest grain as paper. Ink may cover most of a drawing, but not of a photograph.
        contrast = contrast - np.quantile(contrast[inside], 0.5 if background is None else 0.1)
    noise = max(_MIN_CONTRAST, 4 * grain / max(float(np.median(paper[inside])), 16))
    if contrast[inside].max() < noise:
        return None
    return _Picture(grey, paper, contrast.clip(0, None).astype(np.float32), noise, background is None)


def _find_drawing(picture: _Picture, min_extent: float) -> Drawing | None:
    """The drawing of highest contrast: one that does not touch the border of the picture, if there is one."""
    best, tried, covered = None, {}, -1
    for level in _LEVELS[picture.noise <= _LEVELS]:
        visible = picture.contrast >= level
        if (count := np.count_nonzero(visible)) == covered:
            continue  # a picture without noise has few levels
        covered, regions = count, Regions(visible)
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


def _is_possible(picture: _Picture, drawing: Drawing) -> bool:
    if not picture.photograph:
        return drawing.edged >= _MIN_EDGED
    # Lines, folds, the light on a sheet of paper and the strips of a desk along the border are no ink.
    thin = drawing.thickness <= MAX_THICKNESS and drawing.width <= _MAX_PHOTOGRAPHED_WIDTH * min(picture.grey.shape)
    strokes = drawing.edged >= _MIN_PHOTOGRAPHED_EDGED and thin and not drawing.touches
    return strokes and drawing.contrast >= _MIN_PHOTOGRAPHED_CONTRAST


def _refine(picture: _Picture, core: Drawing) -> Drawing:
    """The whole drawing around its darkest places, without lines of the paper that cross it."""
    peak = float(np.quantile(picture.contrast[core.mask], 0.9))
    for level in _CORES:
        regions = Regions(picture.contrast >= level * peak)
        counts = np.bincount(regions.labels[core.mask])
        if counts[1:].size and not regions.contact[i := 1 + int(np.argmax(counts[1:]))]:
            return _with_edge(picture, regions.drawing(i)._replace(contrast=peak))
    return _with_edge(picture, core._replace(contrast=peak))


def _with_edge(picture: _Picture, drawing: Drawing) -> Drawing:
    """The drawing with the part of its outline beyond which it is more like paper than like ink.

    The outline of ink is one all round. A strip of paper between a stroke and the desk, which is a drawing of the other
    polarity, has places where the paper goes on.
    """
    top, left, bottom, right = drawing.box
    strokes = np.pad(drawing.mask[top:bottom, left:right], 1)
    half = float(np.asarray(ndimage.distance_transform_edt(strokes)).max())  # of the width of the widest stroke
    near = _edge_width(picture.grey)
    far = near + _CLEARANCE * half
    margin = math.ceil(far) + 3
    place = np.s_[max(0, top - margin) : bottom + margin, max(0, left - margin) : right + margin]
    mask, grey, paper = drawing.mask[place], picture.grey[place], picture.paper[place]
    nearest = np.asarray(ndimage.distance_transform_edt(~mask, return_distances=False, return_indices=True))
    distance = np.hypot(*(nearest - np.indices(mask.shape)))
    rows, columns = nearest
    ink, paper = grey[rows, columns], paper[rows, columns]
    # The edge may be soft: close to it the brightness is above the middle, farther off it is nearly that of the paper.
    limits = ((near, paper * (1 - drawing.contrast / 2)), (far, (ink + paper) / 2))
    edged = [(grey >= limit)[(distance > reach) & (distance <= reach + 2)] for reach, limit in limits]
    return drawing._replace(
        edged=min(float(ring.mean()) if ring.size else 0.0 for ring in edged),
        width=2 * half,
    )


def _edge_width(grey: np.ndarray) -> int:
    """Pixels from ink to paper at the soft edge of a stroke."""
    return 1 + round(0.004 * min(grey.shape))


def _is_better(drawing: Drawing, other: Drawing) -> bool:
    """Whether a drawing, not the other, of the other polarity, is the one that was meant."""
    overlap = area_of(intersection_of(drawing.box, other.box))
    within = overlap >= 0.7 * min(area_of(drawing.box), area_of(other.box))
    if within and drawing.rank[:2] == other.rank[:2] and abs(drawing.edged - other.edged) <= _SAME_EDGE:
        # The larger one has a loop with light in it, or is a sheet with strokes on it, which are far thinner.
        larger = area_of(drawing.box) > area_of(other.box)
        outer, inner = (drawing, other) if larger else (other, drawing)
        return larger == (inner.width > _MAX_STROKE_ON_SHEET * outer.width)
    return drawing.rank > other.rank


def _crop(contrast: np.ndarray, mask: np.ndarray) -> Float32[np.ndarray, "rows columns"]:
    """The ink of the strokes and of their soft edges."""
    ink = np.where(ndimage.binary_dilation(mask, np.ones((3, 3)), _edge_width(contrast)), contrast, 0)
    ink = ink / ink.max()
    rows, columns = np.flatnonzero((ink > 0.1).any(1)), np.flatnonzero((ink > 0.1).any(0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
