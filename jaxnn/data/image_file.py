"""Opens image files from untrusted input: limits the pixels, reports each fault in one line, unifies the modes."""

import os
import warnings
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image, ImageOps

from jaxnn.errors import UserError

MAX_PIXELS = 1 << 25  # 33 million, as a camera takes; decoded within 0.5 GB and 2 seconds
MAX_SIDE = (1 << 16) - 1  # the limit of JPEG and GIF; to resize a longer line takes more memory than the line
_FORMATS = ("PNG", "JPEG", "BMP", "GIF")


def open_image(path: str | os.PathLike[str]) -> Image.Image:
    """Decodes a PNG, JPEG, BMP or GIF file, turned upright, with 8 bits a channel. Raises UserError."""
    file = Path(path)
    if not file.is_file():
        raise UserError(f"{file}: expected an image, found {'a folder' if file.is_dir() else 'no such file'}")
    try:
        # Pillow warns about large images, which are refused below, and about odd metadata, which we ignore.
        with warnings.catch_warnings(action="ignore"), Image.open(file, formats=_FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
                raise Image.DecompressionBombError
            image.load()
            return _to_8_bits(ImageOps.exif_transpose(image))
    except Image.DecompressionBombError as error:
        raise UserError(
            f"{file}: expected at most {MAX_PIXELS:,} pixels, {MAX_SIDE:,} a side, found more; make it smaller"
        ) from error
    except Exception as error:
        # Pillow's decoders raise many kinds of errors for a broken file: OSError, SyntaxError, struct.error, ...
        raise UserError(f"{file}: expected a PNG, JPEG, BMP or GIF image, found none that can be read") from error


def _to_8_bits(image: Image.Image) -> Image.Image:
    """The image with 8 bits a channel, because Pillow resizes bits and palettes without smoothing."""
    if image.mode.startswith("I"):
        # 16 bits a pixel; convert("L") would clip them at 255.
        return Image.fromarray((np.asarray(image) / np.float32(257)).round().astype(np.uint8))
    if image.mode in ("1", "P"):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image


def to_grey(image: Image.Image) -> Float32[np.ndarray, "height width"]:
    """Brightness, 0 to 255. Transparent pixels become white, or black if the opaque pixels are bright."""
    if image.has_transparency_data:
        brightness, alpha = (np.asarray(band, np.float32) for band in image.convert("LA").split())
        opaque = brightness[alpha > 127]
        background = 0.0 if opaque.size and opaque.mean() > 127.5 else 255.0
        return background + (brightness - background) * (alpha / 255)
    return np.asarray(image.convert("L"), np.float32)


def resize_to_array(
    image: Image.Image, size: tuple[int, int], channels: int
) -> UInt8[np.ndarray, "height width channel"]:
    """The image resized to ``size`` (height, width), in grey (1 channel) or in red, green and blue (3)."""
    image = Image.fromarray(np.round(to_grey(image)).astype(np.uint8)) if channels == 1 else image.convert("RGB")
    return np.asarray(image.resize((size[1], size[0]), Image.Resampling.BILINEAR)).reshape(*size, channels)
