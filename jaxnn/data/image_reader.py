"""Readers of image files. A data set and its predictions prepare images by the same reader."""

import io
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Shaped, UInt8

from jaxnn.errors import UserError

Mode = Literal["grey", "rgb"]
CHANNELS: dict[str, int] = {"grey": 1, "rgb": 3}
MAX_SIDE = 1024


@dataclass(frozen=True)
class ImageReader:
    """Reads an image in grey or in colour, resized to ``size``: uint8 (1, height, width, channel), 0 to 255.

    size: height and width
    mode: "grey" (1 channel) or "rgb" (3 channels)
    share: whether pixels are float32 shares of full intensity, 0 to 1

    Raises UserError for a size beyond 1 to 1024 and for another mode.
    """

    size: tuple[int, int]
    mode: Mode = "rgb"
    share: bool = False

    def __post_init__(self) -> None:
        _check_size(self.size)
        if self.mode not in CHANNELS:
            raise UserError(f"images: mode: expected {' or '.join(CHANNELS)}, found {self.mode}")

    def inputs(self, file: str | os.PathLike[str] | io.BytesIO) -> Shaped[np.ndarray, "1 height width channel"]:
        """The image of a file. Raises UserError for a file that is not an image or that is too large."""
        from jaxnn.data.image_file import open_image, resize_to_array  # imports Pillow

        image = open_image(file, reduced_to=max(self.size))
        pixels = resize_to_array(image, self.size, CHANNELS[self.mode])[None]
        return pixels.astype(np.float32) / 255 if self.share else pixels

    def settings(self) -> dict[str, Any]:
        """JSON values that rebuild the reader."""
        return {"kind": "images", "size": list(self.size), "mode": self.mode, "share": self.share}


@dataclass(frozen=True)
class DigitReader:
    """Reads the drawing of a digit as MNIST or the 8x8 digits have it: uint8 (1, height, width, 1), 0 to ``max_value``.

    size: height and width
    max_value: that of the brightest pixel, from 1 to 255

    A photograph or a scan becomes bright ink on black, cropped and centred; see `jaxnn.data.handwriting`. Raises
    UserError for a size beyond 1 to 1024 and for another ``max_value``.
    """

    size: tuple[int, int]
    max_value: float = 255.0

    def __post_init__(self) -> None:
        _check_size(self.size)
        if not 1 <= self.max_value <= 255:
            raise UserError(f"digits: max_value: expected a number from 1 to 255, found {self.max_value}")

    def inputs(self, file: str | os.PathLike[str] | io.BytesIO) -> UInt8[np.ndarray, "1 height width 1"]:
        """The digit of a file. Raises UserError as `ImageReader` does, and for a blank image."""
        from jaxnn.data.handwriting import read_digit  # imports Pillow

        return read_digit(file, self.size, self.max_value)

    def settings(self) -> dict[str, Any]:
        """JSON values that rebuild the reader."""
        return {"kind": "digits", "size": list(self.size), "max_value": self.max_value}


def _check_size(size: Sequence[Any]) -> None:
    if len(size) != 2 or not all(type(side) is int and 1 <= side <= MAX_SIDE for side in size):
        raise UserError(f"images: size: expected height and width from 1 to {MAX_SIDE}, found {tuple(size)}")


def _image_reader(settings: Mapping[str, Any]) -> ImageReader:
    height, width = settings["size"]
    _check_size((height, width))
    if settings["mode"] not in get_args(Mode):
        raise ValueError
    return ImageReader((height, width), settings["mode"], bool(settings.get("share", False)))


def _digit_reader(settings: Mapping[str, Any]) -> DigitReader:
    height, width = settings["size"]
    _check_size((height, width))
    return DigitReader((height, width), float(settings["max_value"]))


#: kind -> what rebuilds a reader of this kind from its other settings, which come from a file and may be anything
IMAGE_READERS: dict[str, Callable[[Mapping[str, Any]], ImageReader | DigitReader]] = {
    "images": _image_reader,
    "digits": _digit_reader,
}
