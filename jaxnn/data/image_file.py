"""Opens image files from untrusted input: limits the pixels, reports each fault in one line, unifies the modes."""

import io
import os
import warnings
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image, ImageChops, ImageOps

from jaxnn.errors import UserError

MAX_PIXELS = 1 << 25  # 33 million, as a camera takes; decoded within 0.5 GB and 2 seconds
MAX_SIDE = (1 << 16) - 1  # the limit of JPEG and GIF; to resize a longer line takes more memory than the line
_MAX_SAMPLE = 512  # pixels a side, to tell a dark drawing from a bright one
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
_EXPECTED = "a PNG, JPEG, WebP, TIFF, BMP or GIF image"
#: The bytes that files of other kinds have at a place, for a message that names the kind.
_OTHER_KINDS = (
    (4, b"ftyphei", "HEIC"),
    (4, b"ftyphev", "HEIC"),
    (4, b"ftypmif1", "HEIC"),
    (4, b"ftypavi", "AVIF"),
    (4, b"ftyp", "a film"),
    (0, b"\0\0\0\x0cJXL", "JPEG XL"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\0\0\0\x0cjP", "JPEG 2000"),
    (0, b"8BPS", "a Photoshop file"),
    (0, b"%PDF", "PDF"),
    (0, b"%!PS", "PostScript"),
    (0, b"<svg", "SVG"),
    (0, b"<?xml", "SVG or XML"),
    (0, b"PK\x03\x04", "a zip archive"),
)


def open_image(path: str | os.PathLike[str] | io.BytesIO, reduced_to: int | None = None) -> Image.Image:
    """Decodes an image file, turned upright, as mode L or RGB: 8 bits a channel, opaque. Raises UserError.

    path: or the content of a file in memory
    reduced_to: a JPEG of more pixels is decoded at a half, a fourth or an eighth of its size, so that its shorter side
        has at least twice so many pixels. This takes a tenth of the time of a photograph

    A film or a file of several pages gives its first picture. Where a picture is transparent its background becomes
    white, or black if its opaque part is bright.
    """
    if isinstance(path, io.BytesIO):
        return _decoded(path, "the picture", reduced_to)
    file = Path(path)
    if not file.is_file():
        raise UserError(f"{file}: expected an image, found {'a folder' if file.is_dir() else 'no such file'}")
    return _decoded(file, file, reduced_to)


def _decoded(source: Path | io.BytesIO, file: Path | str, reduced_to: int | None) -> Image.Image:
    """The image of a file, or of its content, which messages name `file`."""
    try:
        # Pillow warns about large images, which are refused below, and about odd metadata, which we ignore.
        with warnings.catch_warnings(action="ignore"), Image.open(source, formats=FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels(image.format) or max(width, height) > MAX_SIDE:
                raise Image.DecompressionBombError
            if reduced_to is not None:
                image.draft(None, (2 * reduced_to, 2 * reduced_to))
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            return _without_transparency(_to_8_bits(image))
    except Image.DecompressionBombError as error:
        raise UserError(
            f"{file}: expected at most {max_pixels(None):,} pixels ({max_pixels('WEBP'):,} of WebP), {MAX_SIDE:,} a "
            "side, found more; make it smaller"
        ) from error
    except Exception as error:
        # Pillow's decoders raise many kinds of errors for a broken file: OSError, SyntaxError, struct.error, ...
        raise UserError(f"{file}: expected {_EXPECTED}, found {_kind_of(source)}") from error


def max_pixels(kind: str | None) -> int:
    """The largest image of a format. The decoder of WebP keeps an image twice."""
    return MAX_PIXELS // 2 if kind == "WEBP" else MAX_PIXELS


def _kind_of(file: Path | io.BytesIO) -> str:
    if isinstance(file, io.BytesIO):
        return "another content"
    try:
        with file.open("rb") as stream:
            start = stream.read(16)
    except OSError:
        return "a file that cannot be read"
    for place, mark, kind in _OTHER_KINDS:
        if start[place:].startswith(mark):
            return f"{kind}; convert it to PNG or JPEG"
    return "none that can be read" if start else "an empty file"


def _to_8_bits(image: Image.Image) -> Image.Image:
    """The image in mode L, LA, RGB or RGBA, because Pillow resizes bits and palettes without smoothing."""
    if image.mode.startswith("I"):
        # 16 bits a pixel; convert("L") would clip them at 255.
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError("expected 8 or 16 bits a channel")
        grey = Image.fromarray((values / np.float32(257)).round().astype(np.uint8))
        if not isinstance(clear := image.info.get("transparency"), int):
            return grey
        return Image.merge("LA", [grey, Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8))])
    if image.mode == "F":
        raise ValueError("expected 8 or 16 bits a channel")
    grey = image.mode in ("1", "L", "LA", "La")
    return image.convert(("LA" if grey else "RGBA") if image.has_transparency_data else "L" if grey else "RGB")


def _without_transparency(image: Image.Image) -> Image.Image:
    """The image, of mode L, LA, RGB or RGBA, on an opaque background against which it can be seen."""
    if image.mode in ("L", "RGB"):
        return image
    width, height = image.size
    sample = image.resize((min(width, _MAX_SAMPLE), min(height, _MAX_SAMPLE)), Image.Resampling.NEAREST).convert("LA")
    brightness, opacity = (np.asarray(band) for band in sample.split())
    opaque = brightness[opacity > 127]
    background = 0 if opaque.size and opaque.mean() > 127.5 else 255
    transparency = ImageChops.invert(image.getchannel("A"))
    page = image.convert(image.mode.removesuffix("A"))
    page.paste((background,) * len(page.mode) if page.mode == "RGB" else background, mask=transparency)
    return page


def to_grey(image: Image.Image) -> Float32[np.ndarray, "height width"]:
    """Brightness of an image that `open_image` gives, 0 to 255."""
    return np.asarray(image.convert("L"), np.float32)


def resize_to_array(
    image: Image.Image, size: tuple[int, int], channels: int
) -> UInt8[np.ndarray, "height width channel"]:
    """The image resized to ``size`` (height, width), in grey (1 channel) or in red, green and blue (3)."""
    image = image.convert("L") if channels == 1 else image
    resized = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.asarray(resized.convert("L" if channels == 1 else "RGB")).reshape(*size, channels)
