"""Opening an image from a stranger: bounded in pixels, each fault in one line, upright, of one kind and size."""

import os
import warnings
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image, ImageOps

from jaxnn.errors import UserError

MAX_PIXELS = 1 << 25  # 33 million: a camera's; decoded within 0.5 GB and 2 seconds
MAX_SIDE = (1 << 16) - 1  # JPEG's and GIF's own: to resize a longer line takes more memory than the line
_FORMATS = ("PNG", "JPEG", "BMP", "GIF")


def open_picture(path: str | os.PathLike[str]) -> Image.Image:
    """The image in a PNG, JPEG, BMP or GIF file, decoded, upright, in 8 bits a channel. Raises UserError."""
    file = Path(path)
    if not file.is_file():
        raise UserError(f"{file}: expected an image, found {'a folder' if file.is_dir() else 'no such file'}")
    try:
        # Pillow warns of large images, which are refused below, and of odd metadata, which is not used.
        with warnings.catch_warnings(action="ignore"), Image.open(file, formats=_FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
                raise Image.DecompressionBombError
            image.load()
            return _resizable(ImageOps.exif_transpose(image))
    except Image.DecompressionBombError as error:
        raise UserError(
            f"{file}: expected at most {MAX_PIXELS:,} pixels, {MAX_SIDE:,} a side, found more; make it smaller"
        ) from error
    except Exception as error:
        # Pillow's decoders raise whatever a broken file makes them trip over: OSError, SyntaxError, struct.error, ...
        raise UserError(f"{file}: expected a PNG, JPEG, BMP or GIF image, found none that can be read") from error


def _resizable(image: Image.Image) -> Image.Image:
    """The image in 8 bits a channel; Pillow resizes bits and palettes without smoothing."""
    if image.mode.startswith("I"):
        # 16 bits a pixel, which convert("L") would cut off at 255.
        return Image.fromarray((np.asarray(image) / np.float32(257)).round().astype(np.uint8))
    if image.mode in ("1", "P"):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image


def to_grey(image: Image.Image) -> Float32[np.ndarray, "height width"]:
    """Brightness, 0 to 255. What is transparent becomes paper: white, or black if what can be seen is bright."""
    if image.has_transparency_data:
        drawn = image.convert("LA")
        brightness, alpha = (np.asarray(band, np.float32) for band in drawn.split())
        seen = brightness[alpha > 127]
        paper = 0.0 if seen.size and seen.mean() > 127.5 else 255.0
        return paper + (brightness - paper) * (alpha / 255)
    return np.asarray(image.convert("L"), np.float32)


def to_pixels(image: Image.Image, size: tuple[int, int], channels: int) -> UInt8[np.ndarray, "height width channel"]:
    """The image resized to ``size`` (height, width), grey (1 channel) or red, green and blue (3)."""
    grey = Image.fromarray(np.round(to_grey(image)).astype(np.uint8)) if channels == 1 else None
    plain = grey or image.convert("RGB")
    return np.asarray(plain.resize((size[1], size[0]), Image.Resampling.BILINEAR)).reshape(*size, channels)
