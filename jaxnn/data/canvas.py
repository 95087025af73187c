"""Digits on a canvas, generated from the 8×8 digits that come with scikit-learn: which pixel belongs to which digit,
or where each digit's box is."""

from typing import Literal

import numpy as np

from jaxnn.data.dataset import Dataset, Part
from jaxnn.data.image_reader import ImageReader
from jaxnn.data.synthetic import digits as embedded_digits
from jaxnn.errors import UserError

#: What is told of a canvas.
Target = Literal["pixels", "boxes"]
#: Sides of a digit; the share of its full intensity from which on a pixel is a part of it.
SIDE, INK = 8, 0.25
#: Sides of a cell, in which the centre of at most one digit's box lies.
CELL = 4
#: The share of the digits that only the test part is made of.
TEST_SHARE = 0.2
#: Times that places without an overlap are drawn.
ATTEMPTS = 20
_MAX_PIXELS = 200_000_000


def canvas(
    n: int = 2000,
    test_n: int = 500,
    size: int = 24,
    digits: int = 3,
    noise: float = 0.1,
    target: Target = "pixels",
    seed: int = 0,
) -> Dataset:
    """Canvases with 1 to ``digits`` digits that do not overlap, and what is where. x (n, size, size, 1).

    n, test_n: canvases to learn from, and of the test part, whose digits are not among those to learn from
    size: sides of a canvas in pixels
    digits: the most digits on a canvas
    noise: standard deviation of the noise on all pixels, of which full intensity is 1
    target: "pixels": the class of each pixel, y int32 (n, size, size); "boxes": the box of each digit's ink, y
        `jaxnn.Boxes` of cells of 4×4 pixels

    Class 0 is the background, and class k + 1 the digit k.
    Raises UserError for a canvas that is smaller than its digits, and for boxes on one that does not divide into cells.
    """
    if digits < 1 or size < SIDE or (size // SIDE) ** 2 < digits:
        raise UserError(
            f"canvas: expected room for {digits} digits of {SIDE}×{SIDE} pixels side by side, found a canvas of "
            f"{size}×{size}; set size to at least {SIDE * int(np.ceil(np.sqrt(max(digits, 1))))}"
        )
    if n < 1 or test_n < 1 or (n + test_n) * size * size > _MAX_PIXELS:
        raise UserError(f"canvas: expected n and test_n from 1, {_MAX_PIXELS:,} pixels in all, found {n} and {test_n}")
    if noise < 0:
        raise UserError(f"canvas: expected noise of at least 0, found {noise}")
    if target == "boxes" and size % CELL:
        raise UserError(f"canvas: expected a size that is a multiple of {CELL}, the side of a cell, found {size}")
    from jaxnn.targets import BOX, Boxes  # imports JAX

    source = embedded_digits()
    images, labels = source.train.x[..., 0] / source.max_value, source.train.y
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(images))
    held_out = int(TEST_SHARE * len(images))

    def draw(rows: np.ndarray, count: int) -> Part:
        x = np.zeros((count, size, size), np.float32)
        y = np.zeros((count, size, size), np.int32)
        cells = (count, size // CELL, size // CELL)
        label, box = np.zeros(cells, np.int32), np.zeros((*cells, BOX), np.float32)
        for i in range(count):
            chosen = rng.choice(rows, rng.integers(1, digits, endpoint=True))
            for row, (top, left) in zip(chosen, free_corners(rng, len(chosen), size), strict=True):
                window = (i, slice(top, top + SIDE), slice(left, left + SIDE))
                x[window] = images[row]
                y[window] = np.where(images[row] >= INK, labels[row] + 1, 0)
                if target == "boxes":
                    pixels = np.add(np.argwhere(images[row] >= INK), (top, left))
                    mark_box(label[i], box[i], int(labels[row]) + 1, pixels)
        x += noise * rng.standard_normal(x.shape, np.float32)
        return Part(x[..., None], Boxes(label, box) if target == "boxes" else y)

    train, test = draw(order[held_out:], n), draw(order[:held_out], test_n)
    classes = ("background", *(str(k) for k in range(10)))
    return Dataset("canvas", train, test, classes, 1.0, reader=ImageReader((size, size), "grey", share=True))


def mark_box(label: np.ndarray, box: np.ndarray, k: int, pixels: np.ndarray) -> None:
    """Writes class k and the box around the pixels (m, 2) of an object into the cell that its centre lies in.

    label: (rows, columns); box: (rows, columns, 4)

    The centres of two digits that do not overlap lie more than a cell apart.
    """
    first, last = pixels.min(0) / CELL, (pixels.max(0) + 1) / CELL
    centre = (first + last) / 2
    cell = np.minimum(centre.astype(int), len(label) - 1)
    label[*cell] = k
    box[*cell] = [*(centre - cell), *(last - first)]


def free_corners(rng: np.random.Generator, count: int, size: int) -> list[tuple[int, int]]:
    """The upper left corners of so many digits that do not overlap.

    One after the other is drawn among the free ones. Where none is left, all are drawn again, and where that fails
    `ATTEMPTS` times, they are cells of a grid.
    """
    top, left = np.meshgrid(np.arange(size - SIDE + 1), np.arange(size - SIDE + 1), indexing="ij")
    for _ in range(ATTEMPTS):
        corners: list[tuple[int, int]] = []
        free = np.ones(top.shape, bool)
        while len(corners) < count and free.any():
            place = rng.choice(np.flatnonzero(free.ravel()))
            corners.append((int(top.ravel()[place]), int(left.ravel()[place])))
            free &= (abs(top - corners[-1][0]) >= SIDE) | (abs(left - corners[-1][1]) >= SIDE)
        if len(corners) == count:
            return corners
    cells = rng.choice((size // SIDE) ** 2, count, replace=False)
    return [(SIDE * int(cell // (size // SIDE)), SIDE * int(cell % (size // SIDE))) for cell in cells]
