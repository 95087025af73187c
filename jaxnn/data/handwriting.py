"""Converts a photograph or scan of one digit to the form of the training images of MNIST or the 8x8 digits."""

import io
import os

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from jaxnn.data.image_file import open_image, to_grey
from jaxnn.data.ink import extract_ink
from jaxnn.errors import UserError

_MAX_SIDE = 512  # more pixels say nothing about a digit


def read_digit(
    path: str | os.PathLike[str] | io.BytesIO, size: tuple[int, int], max_value: float
) -> UInt8[np.ndarray, "1 height width 1"]:
    """Reads the drawing of a digit as a batch of one: uint8 (1, height, width, 1), 0 to ``max_value``.

    The image is processed as MNIST was: bright ink on a black background, cropped to the ink, scaled to 20/28 of the
    frame with its aspect ratio, and shifted so that the centre of mass is in the middle. A frame below 16 pixels is
    filled as the 8x8 digits are: from top to bottom, with the width reduced to at most 6/8 of the frame. What is ink
    and what is paper is decided by `jaxnn.data.ink`.

    Raises UserError for a missing file, a file that is not an image, one of more than 33 million pixels and a blank
    one. Reference: LeCun, Cortes and Burges, "The MNIST database of handwritten digits".
    """
    image = open_image(path)
    image.thumbnail((_MAX_SIDE, _MAX_SIDE), Image.Resampling.BILINEAR)
    ink = extract_ink(to_grey(image))
    if ink is None:
        raise UserError(
            f"{path}: expected a drawing on paper, found none; a photograph should show one, close by and sharp"
        )
    pixels = _center(255 * ink, *size)[None, ..., None]
    return np.round(pixels * (max_value / 255)).astype(np.uint8)


def _center(ink: np.ndarray, height: int, width: int) -> Float32[np.ndarray, "height width"]:
    """A frame with the ink scaled and its centre of mass in the middle."""
    if min(height, width) >= 16:
        y_scale = x_scale = 20 / 28 * min(height / ink.shape[0], width / ink.shape[1])
        middle = (height / 2, width / 2)  # the centre of mass of MNIST's images is at pixel 14 of 0..27
    else:
        y_scale = height / ink.shape[0]
        x_scale = min(y_scale, 6 / 8 * width / ink.shape[1])
        middle = ((height - 1) / 2, (width - 1) / 2)  # that of the 8x8 digits is at 3.5 of 0..7
    rows, columns = max(1, round(ink.shape[0] * y_scale)), max(1, round(ink.shape[1] * x_scale))
    scaled = np.asarray(Image.fromarray(ink.astype(np.float32)).resize((columns, rows), Image.Resampling.BILINEAR))
    scaled = scaled * (255 / scaled.max())
    top = round(middle[0] - float(scaled.sum(1) @ np.arange(rows) / scaled.sum()))
    left = round(middle[1] - float(scaled.sum(0) @ np.arange(columns) / scaled.sum()))
    top, left = min(max(top, 0), height - rows), min(max(left, 0), width - columns)
    frame = np.zeros((height, width), np.float32)
    frame[top : top + rows, left : left + columns] = scaled
    return frame
