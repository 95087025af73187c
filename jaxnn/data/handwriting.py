"""Converts a photograph or scan of one digit to the form of the training images of MNIST or the 8x8 digits."""

import os

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from jaxnn.data.image_file import open_image, resize_to_array, to_grey
from jaxnn.errors import UserError

_MAX_SIDE = 1024  # more pixels say nothing about a digit
_MIN_CONTRAST = 16.0
_MIN_INK = 0.1  # of the darkest ink; fainter pixels, as JPEG leaves around a stroke, are outside the bounding box


def read_image(
    path: str | os.PathLike[str], shape: tuple[int, int, int], max_value: float
) -> UInt8[np.ndarray, "1 height width channel"]:
    """Reads an image as a batch of one: uint8 (1, *shape), 0 to ``max_value``.

    With 1 channel the image is processed as MNIST was: bright ink on a black background (inverted if the median of
    the border is bright), cropped to the ink, scaled to 20/28 of the frame with its aspect ratio, and shifted so that
    the centre of mass is in the middle. A frame below 16 pixels is filled as the 8x8 digits are: from top to bottom,
    with the width reduced to at most 6/8 of the frame. With 3 channels the image is only resized.

    Raises UserError for a missing file, a file that is not an image, one of more than 33 million pixels and a blank
    one. Reference: LeCun, Cortes and Burges, "The MNIST database of handwritten digits".
    """
    height, width, channels = shape
    image = open_image(path)
    if channels == 3:
        pixels = resize_to_array(image, (height, width), 3).astype(np.float32)
    elif channels == 1:
        image.thumbnail((_MAX_SIDE, _MAX_SIDE), Image.Resampling.BILINEAR)
        ink = _extract_ink(to_grey(image))
        if ink is None:
            raise UserError(f"{path}: expected ink on paper, found a blank image")
        pixels = _center(ink, height, width)[..., None]
    else:
        raise UserError(f"{path}: expected a net for images of 1 or 3 channels, found {channels}")
    return np.round(pixels * (max_value / 255)).astype(np.uint8)[None]


def _extract_ink(grey: np.ndarray) -> np.ndarray | None:
    """Contrast of each pixel to the background, 0 to 255, cropped to the ink; None if the image is blank."""
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    background = np.median(border)
    # Four standard deviations of the noise. The median absolute deviation is robust against ink at the border.
    noise = 4 * 1.4826 * np.median(np.abs(border - background))
    contrast = (background - grey if background > 127.5 else grey - background) - noise
    if contrast.max() < _MIN_CONTRAST:
        return None
    ink = np.clip(contrast, 0, None) * (255 / contrast.max())
    visible = ink > _MIN_INK * 255
    rows, columns = np.flatnonzero(visible.any(1)), np.flatnonzero(visible.any(0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


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
