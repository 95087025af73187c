"""One image of one digit, of any size and on any paper, brought into the form of the images that a net learned."""

import os

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from jaxnn.data.image_file import open_picture, to_grey, to_pixels
from jaxnn.errors import UserError

_LONGEST_SIDE = 1024  # more says nothing about a digit
_LEAST_CONTRAST = 16.0
_FAINT = 0.1  # of the darkest ink: less, as JPEG leaves around a stroke, does not count for the ink's extent


def read_image(
    path: str | os.PathLike[str], shape: tuple[int, int, int], white: float
) -> UInt8[np.ndarray, "1 height width channel"]:
    """The image as a batch of one: uint8 (1, *shape), 0 to ``white``. Grey images are treated as MNIST was made:

    bright ink on black paper (inverted where the border's median is bright), cut to the ink, fitted into the middle
    20/28 of the frame in one scale, its centre of mass in the middle. A frame below 16 pixels is filled as the 8x8
    digits are: from top to bottom, and squeezed into 6/8 of the width. With 3 channels the image is only resized.

    Raises UserError: no file, no image, more than 33 million pixels, no ink. Source: LeCun, Cortes and Burges.
    """
    height, width, channels = shape
    image = open_picture(path)
    if channels == 3:
        pixels = to_pixels(image, (height, width), 3).astype(np.float32)
    elif channels == 1:
        image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), Image.Resampling.BILINEAR)
        ink = _ink(to_grey(image))
        if ink is None:
            raise UserError(f"{path}: expected ink on paper, found a blank image")
        pixels = _centred(ink, height, width)[..., None]
    else:
        raise UserError(f"{path}: expected a net for images of 1 or 3 channels, found {channels}")
    return np.round(pixels * (white / 255)).astype(np.uint8)[None]


def _ink(grey: np.ndarray) -> np.ndarray | None:
    """How much darker (or brighter) than the paper each pixel is, 0 to 255, cut to the ink; None if there is none."""
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    paper = np.median(border)
    # Four standard deviations of the paper's own noise, estimated so that ink at the border does not count.
    noise = 4 * 1.4826 * np.median(np.abs(border - paper))
    contrast = (paper - grey if paper > 127.5 else grey - paper) - noise
    if contrast.max() < _LEAST_CONTRAST:
        return None
    ink = np.clip(contrast, 0, None) * (255 / contrast.max())
    visible = ink > _FAINT * 255
    rows, columns = np.flatnonzero(visible.any(1)), np.flatnonzero(visible.any(0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _centred(ink: np.ndarray, height: int, width: int) -> Float32[np.ndarray, "height width"]:
    if min(height, width) >= 16:
        down = across = 20 / 28 * min(height / ink.shape[0], width / ink.shape[1])
        middle = (height / 2, width / 2)  # MNIST's centre of mass is at pixel 14 of 0..27
    else:
        down = height / ink.shape[0]
        across = min(down, 6 / 8 * width / ink.shape[1])
        middle = ((height - 1) / 2, (width - 1) / 2)  # that of the 8x8 digits at 3.5 of 0..7
    tall, wide = max(1, round(ink.shape[0] * down)), max(1, round(ink.shape[1] * across))
    small = np.asarray(Image.fromarray(ink.astype(np.float32)).resize((wide, tall), Image.Resampling.BILINEAR))
    small = small * (255 / small.max())
    top = round(middle[0] - float(small.sum(1) @ np.arange(tall) / small.sum()))
    left = round(middle[1] - float(small.sum(0) @ np.arange(wide) / small.sum()))
    top, left = min(max(top, 0), height - tall), min(max(left, 0), width - wide)
    frame = np.zeros((height, width), np.float32)
    frame[top : top + tall, left : left + wide] = small
    return frame
