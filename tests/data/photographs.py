"""Draws digits as a hand does, and photographs of them: paper under a lamp, on a desk, with lines, noise and JPEG."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage


def _arc(x: float, y: float, width: float, height: float, start: float, stop: float) -> list[tuple[float, float]]:
    """Points of an ellipse, from one angle to another in turns; 0 is right, 0.25 is down."""
    turns = np.linspace(start, stop, 25) * 2 * np.pi
    return list(zip(x + width * np.cos(turns), y + height * np.sin(turns), strict=True))


#: digit -> ways to write it -> strokes -> points (x, y) in the unit square
STROKES: dict[int, Sequence[Sequence[Sequence[tuple[float, float]]]]] = {
    0: [[_arc(0.5, 0.5, 0.32, 0.48, -0.25, 0.77)]],
    1: [[[(0.52, 0.02), (0.48, 0.98)]], [[(0.32, 0.25), (0.55, 0.03), (0.52, 0.98)]]],
    2: [[[*_arc(0.48, 0.28, 0.3, 0.26, -0.5, 0.12), (0.18, 0.95), (0.85, 0.93)]]],
    3: [[[*_arc(0.45, 0.27, 0.3, 0.24, -0.42, 0.22), *_arc(0.45, 0.72, 0.34, 0.26, -0.22, 0.42)]]],
    4: [[[(0.3, 0.03), (0.16, 0.56), (0.84, 0.54)], [(0.68, 0.05), (0.62, 0.98)]]],
    5: [[[(0.78, 0.06), (0.3, 0.06), (0.25, 0.45), *_arc(0.46, 0.68, 0.32, 0.28, -0.32, 0.4)]]],
    6: [[[(0.68, 0.04), (0.38, 0.3), (0.24, 0.66), *_arc(0.5, 0.73, 0.27, 0.24, 0.5, -0.5)]]],
    7: [
        [[(0.16, 0.07), (0.82, 0.06), (0.42, 0.97)]],
        [[(0.16, 0.07), (0.82, 0.06), (0.42, 0.97)], [(0.36, 0.5), (0.74, 0.48)]],
    ],
    8: [[[*_arc(0.5, 0.27, 0.25, 0.24, 0.2, -0.75), *_arc(0.5, 0.74, 0.3, 0.25, -0.25, 0.8)]]],
    9: [[[*_arc(0.48, 0.3, 0.26, 0.27, 0.0, -1.0), (0.73, 0.55), (0.62, 0.97)]]],
}


def drawn_digit(digit: int, rng: np.random.Generator, side: int = 560) -> np.ndarray:
    """Ink (side, side) from 0 to 1 of a digit that is drawn by strokes, differently each time."""
    ways = STROKES[digit]
    strokes = ways[int(rng.integers(len(ways)))]
    slant, turn = rng.normal(0, 0.12), np.deg2rad(rng.normal(0, 5))
    stretch = np.array([rng.uniform(0.75, 1.1), 1.0])
    width = side * rng.uniform(0.035, 0.1)
    image = Image.new("L", (side, side))
    draw = ImageDraw.Draw(image)
    for stroke in strokes:
        points = np.asarray(stroke) - 0.5
        points = points * stretch + [[0, 0]] + np.outer(points[:, 1], [-slant, 0])
        points = points @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        # A smooth curve through the points, with a slow tremor of the hand.
        length = np.concatenate([[0], np.hypot(*np.diff(points, axis=0).T).cumsum()])
        places = np.linspace(0, length[-1], 200)
        curve = np.stack([np.interp(places, length, points[:, axis]) for axis in (0, 1)], 1)
        curve = ndimage.gaussian_filter1d(curve, 4, axis=0, mode="nearest")
        curve += ndimage.gaussian_filter1d(rng.normal(0, 1, curve.shape), 25, axis=0) * 0.1
        pressure = 1 + 0.15 * np.sin(np.linspace(0, rng.uniform(2, 9), 200) + rng.uniform(0, 6))
        for (x, y), radius in zip((curve * 0.78 + 0.5) * side, width / 2 * pressure, strict=True):
            draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=255)
    return np.asarray(image.filter(ImageFilter.GaussianBlur(1)), np.float32) / 255


def enlarged_digit(pixels: np.ndarray, side: int = 560) -> np.ndarray:
    """Ink (side, side) from 0 to 1 of a digit of MNIST (28, 28), with the sharp edges of a pen."""
    image = Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(8))
    return 1 / (1 + np.exp(-(np.asarray(image, np.float32) - 110) / 12))


def photograph(ink: np.ndarray, rng: np.random.Generator, size: tuple[int, int] = (1200, 1600)) -> Image.Image:
    """A photograph of ink on paper, (height, width) pixels, in red, green and blue and with the losses of JPEG.

    ink: (side, side) from 0 to 1, on a square of its own; more of the paper is seen around it
    """
    height, width = size
    short = min(size)
    # The scene is described at a fixed scale, and only its pixels depend on the size.
    unit = short / 1000
    paper_box, desk = _paper(rng, height, width)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    scene = np.ones((height, width), np.float32) * rng.uniform(0.82, 0.95)
    scene += _texture(rng, size, 6) * 0.01
    scene = scene[..., None] * np.array([1.0, rng.uniform(0.97, 1.0), rng.uniform(0.9, 1.0)], np.float32)
    scene *= 1 - _lines(rng, x, y, unit)
    # The digit covers 15 to 55 % of the height of the paper and lies within it.
    top, left, bottom, right = paper_box
    # The perspective moves what is near the border of the photograph by some percent.
    seen = (max(top, 0.09 * height), max(left, 0.09 * width), min(bottom, 0.91 * height), min(right, 0.91 * width))
    extent = int(min(seen[2] - seen[0], seen[3] - seen[1]) * rng.uniform(0.25, 0.75))
    row = int(rng.uniform(seen[0] + 0.04 * extent, seen[2] - 1.04 * extent))
    column = int(rng.uniform(seen[1] + 0.04 * extent, seen[3] - 1.04 * extent))
    alpha = np.zeros((height, width), np.float32)
    stamp = Image.fromarray((ink * 255).astype(np.uint8)).resize((extent, extent), Image.Resampling.BICUBIC)
    alpha[row : row + extent, column : column + extent] = np.asarray(stamp, np.float32) / 255
    colour = np.array([[0.12, 0.12, 0.13], [0.12, 0.17, 0.45], [0.3, 0.3, 0.3], [0.5, 0.1, 0.1]])[rng.integers(4)]
    cover = alpha * (rng.uniform(0.8, 1.0) + 0.15 * _texture(rng, size, 3)).clip(0, 1)
    scene = scene * (1 - cover[..., None]) + colour.astype(np.float32) * cover[..., None]
    if desk:
        outside = (y < top) | (y > bottom) | (x < left) | (x > right)
        wood = np.array([[0.25, 0.16, 0.1], [0.07, 0.07, 0.07], [0.45, 0.3, 0.2], [0.3, 0.32, 0.35]])[rng.integers(4)]
        grain = 1 + 0.12 * ndimage.gaussian_filter(rng.normal(0, 1, size), (1.5 * unit, 60 * unit)) * 10 * unit
        scene = np.where(outside[..., None], wood * grain[..., None].clip(0.7, 1.3), scene).astype(np.float32)
        shadow = ndimage.gaussian_filter(outside.astype(np.float32), 6 * unit)
        scene *= 1 - 0.15 * shadow[..., None]
    scene = _perspective(scene, rng)
    light = _light(rng, x / short, y / short)
    tint = np.array([1.0, rng.uniform(0.8, 1.0), rng.uniform(0.5, 1.0)], np.float32)
    exposed = scene * light[..., None] * tint
    exposed = exposed / np.quantile(exposed, 0.995) * rng.uniform(0.75, 1.05)
    exposed = ndimage.gaussian_filter(exposed, (rng.uniform(0.4, 1.6), rng.uniform(0.4, 1.6), 0))
    exposed = exposed.clip(0, None) ** (1 / 1.4)
    noise = rng.normal(0, rng.uniform(0.005, 0.03), exposed.shape).astype(np.float32)
    image = Image.fromarray(((exposed + noise).clip(0, 1) * 255).round().astype(np.uint8))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=int(rng.integers(55, 93)))
    return Image.open(file)


def _paper(rng: np.random.Generator, height: int, width: int) -> tuple[tuple[float, float, float, float], bool]:
    """The paper's top, left, bottom and right, and whether a desk is in view around it."""
    kind = rng.integers(4)
    if kind == 0:
        return (0, 0, height, width), False
    if kind == 1:  # the edge of the desk, at one side
        edge = rng.uniform(0.05, 0.25)
        side = rng.integers(4)
        box = [0.0, 0.0, float(height), float(width)]
        box[side] += (1 if side < 2 else -1) * edge * (height, width)[side % 2]
        return (box[0], box[1], box[2], box[3]), True
    inset = rng.uniform(0.05, 0.2, 4)
    return (inset[0] * height, inset[1] * width, (1 - inset[2]) * height, (1 - inset[3]) * width), True


def _lines(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, unit: float) -> np.ndarray:
    """How much the printed lines of the paper darken it (height, width, 3): none, ruled or squared."""
    kind = rng.integers(3)
    spacing, thick = rng.uniform(45, 110) * unit, max(1.0, rng.uniform(1.5, 4) * unit)
    rows = (y + rng.uniform(0, spacing)) % spacing < thick
    columns = (x + rng.uniform(0, spacing)) % spacing < thick
    lines = [np.zeros_like(rows), rows, rows | columns][kind]
    return lines[..., None] * (rng.uniform(0.1, 0.35) * np.array([1.0, 0.8, 0.45], np.float32))


def _texture(rng: np.random.Generator, size: tuple[int, int], grain: int) -> np.ndarray:
    coarse = rng.normal(0, 1, (size[0] // grain + 1, size[1] // grain + 1)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((size[1], size[0]), Image.Resampling.BILINEAR))


def _light(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Brightness of the lamp at each place: a cone around a point, the lens's vignette, often a soft shadow."""
    centre = rng.uniform(-0.3, 1.3, 2) * [x.max(), y.max()]
    reach = rng.uniform(0.5, 1.6)
    lamp = 1 / (1 + ((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / reach**2) ** 1.5
    ambient = rng.uniform(0.08, 0.4)
    radius = ((x - x.max() / 2) ** 2 + (y - y.max() / 2) ** 2) / (x.max() ** 2 + y.max() ** 2) * 4
    light = (lamp + ambient) * (1 - rng.uniform(0.1, 0.4) * radius)
    if rng.random() < 0.5:  # the shadow of a hand or a telephone
        angle, place = rng.uniform(0, 2 * np.pi), rng.uniform(-0.2, 0.6)
        side = (x - x.max() / 2) * np.cos(angle) + (y - y.max() / 2) * np.sin(angle)
        light = light * (1 - rng.uniform(0.2, 0.5) / (1 + np.exp(-(side - place) / rng.uniform(0.02, 0.1))))
    return light.astype(np.float32)


def _perspective(scene: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The scene, turned by some degrees and seen from an angle; a place outside repeats the nearest edge."""
    height, width = scene.shape[:2]
    turn = np.deg2rad(rng.normal(0, 4))
    middle = np.array([width / 2, height / 2])
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    shift = middle - matrix @ middle
    tilt = rng.uniform(-0.12, 0.12, 2) / max(height, width)
    coefficients = (*matrix[0], shift[0], *matrix[1], shift[1], *tilt)
    pad = max(height, width) // 6
    padded = np.pad(scene, ((pad, pad), (pad, pad), (0, 0)), mode="edge")
    moved = np.array([[1, 0, -pad], [0, 1, -pad], [0, 0, 1.0]])
    full = np.linalg.inv(moved) @ np.array([*coefficients, 1.0]).reshape(3, 3) @ moved
    full = (full / full[2, 2]).ravel()[:8]
    bands = [Image.fromarray(np.ascontiguousarray(padded[..., c])) for c in range(3)]
    bands = [b.transform(b.size, Image.Transform.PERSPECTIVE, tuple(full), Image.Resampling.BILINEAR) for b in bands]
    return np.stack([np.asarray(band)[pad : pad + height, pad : pad + width] for band in bands], -1)
