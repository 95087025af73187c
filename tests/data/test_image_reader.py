"""An image that is predicted is prepared exactly as the data set was: the reader of the data set does both."""

import json

import numpy as np
import pytest
from PIL import Image

from jaxnn.data import DigitReader, ImageReader, load
from jaxnn.data.reader import rebuild_reader
from jaxnn.errors import UserError

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (13, 17, 4), np.uint8)


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: rotate by 90 degrees
    return exif


#: name of the file -> image, options of `save`
PICTURES = {
    "grey.png": (Image.fromarray(PIXELS[..., 0]), {}),
    "rgb.png": (Image.fromarray(PIXELS[..., :3]), {}),
    "rgba.png": (Image.fromarray(PIXELS), {}),
    "grey and transparent.png": (Image.fromarray(PIXELS).convert("LA"), {}),
    "one transparent colour.png": (Image.fromarray(PIXELS[..., 0] // 64), {"transparency": 0}),
    "palette.png": (Image.fromarray(PIXELS[..., :3]).quantize(8), {}),
    "palette and transparent.gif": (Image.fromarray(PIXELS[..., :3]).quantize(8), {"transparency": 3}),
    "bits.png": (Image.fromarray(PIXELS[..., 0]).convert("1"), {}),
    "16 bit.png": (Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257), {}),
    "16 bit.tif": (Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257), {}),
    "cmyk.jpg": (Image.fromarray(PIXELS), {}),
    "turned.jpg": (Image.fromarray(PIXELS[..., :3]), {"exif": turned()}),
    "large.jpg": (Image.fromarray(PIXELS[..., :3]).resize((1700, 1300)), {"exif": turned()}),
    "photograph.webp": (Image.fromarray(PIXELS[..., :3]), {}),
    "film.gif": (Image.fromarray(PIXELS[..., 0]), {"save_all": True, "append_images": [Image.new("L", (17, 13))]}),
    "one pixel.png": (Image.new("RGB", (1, 1), (3, 5, 7)), {}),
    "a line.png": (Image.fromarray(RNG.integers(0, 256, (1, 10_000), np.uint8)), {}),
}


def save(image, file, options):
    # CMYK has four channels, as red, green, blue and opacity have.
    if "cmyk" in file.name:
        image = Image.frombytes("CMYK", image.size, image.tobytes())
    image.save(file, **options)


@pytest.fixture
def folder(tmp_path):
    """A folder of two classes, with a picture of each kind in both."""
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for file, (image, options) in PICTURES.items():
            save(image, tmp_path / name / file, options)
    return tmp_path


@pytest.mark.parametrize("size", [(1, 1), (5, 9), (28, 28), (64, 31)])
@pytest.mark.parametrize("mode", ["grey", "rgb"])
def test_image_reader_gives_bit_for_bit_what_the_folder_was_read_as(folder, size, mode):
    dataset = load("images", {"path": str(folder), "size": size, "mode": mode})
    assert dataset.reader is not None and dataset.reader == ImageReader(size, mode)
    rebuilt = rebuild_reader(json.loads(json.dumps(dataset.reader.settings())))
    assert rebuilt == dataset.reader
    files = [folder / name / file for name in ("cat", "dog") for file in sorted(PICTURES)]
    for row, file in zip(dataset.train.x, files, strict=True):
        x = rebuilt.inputs(file)
        assert x.dtype == np.uint8 and x.shape == (1, *size, 1 if mode == "grey" else 3)
        assert (x[0] == row).all(), file


def test_digit_reader_gives_what_a_folder_of_digits_was_read_as(tmp_path):
    for name, ink in (("1", 0), ("7", 255)):
        (tmp_path / name).mkdir()
        page = np.full((60, 50), 255 - ink, np.uint8)
        page[10:50, 20:26] = ink
        Image.fromarray(page).save(tmp_path / name / "a.png")
    dataset = load("images", {"path": str(tmp_path), "prepare": "digit"})
    assert dataset.reader is not None and dataset.reader == DigitReader((28, 28), 255.0)
    for row, name in zip(dataset.train.x, ("1", "7"), strict=True):
        assert (rebuild_reader(dataset.reader.settings()).inputs(tmp_path / name / "a.png")[0] == row).all()
        assert row[0, 0, 0] == 0 and row.max() == 255  # bright ink on black, whatever the paper
    with pytest.raises(UserError, match="expected mode = grey with prepare = 'digit', found rgb"):
        load("images", {"path": str(tmp_path), "prepare": "digit", "mode": "rgb"})


def test_image_reader_puts_transparency_on_one_background_in_grey_and_in_colour(tmp_path):
    """A dark drawing on transparent paper becomes one on white, a bright one on black."""
    for ink, background in ((30, 255), (220, 0)):
        image = Image.new("RGBA", (4, 4), (99, 99, 99, 0))
        image.paste((ink, ink, ink, 255), (1, 1, 3, 3))
        image.save(tmp_path / "drawn.png")
        expected = np.full((4, 4), background, np.uint8)
        expected[1:3, 1:3] = ink
        for mode in ("grey", "rgb"):
            x = ImageReader((4, 4), mode).inputs(tmp_path / "drawn.png")[0]
            assert (x == expected[..., None]).all(), (ink, mode)


def test_image_reader_of_a_reduced_photograph_is_near_that_of_all_its_pixels(tmp_path):
    y, x = np.mgrid[0:1200, 0:1600]
    waves = np.stack([127 + 100 * np.sin(x / 200 + c) * np.cos(y / 150) for c in range(3)], -1).astype(np.uint8)
    Image.fromarray(waves).save(tmp_path / "a.jpg", quality=95)
    Image.fromarray(waves).save(tmp_path / "a.png")
    reader = ImageReader((24, 32), "rgb")
    a, b = (reader.inputs(tmp_path / name).astype(int) for name in ("a.jpg", "a.png"))
    assert np.abs(a - b).max() <= 6


@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "images", "size": [28, 28], "mode": "cmyk"},
        {"kind": "images", "size": [28, 28, 3], "mode": "rgb"},
        {"kind": "images", "size": [10**9, 10**9], "mode": "rgb"},
        {"kind": "images", "size": ["28", "28"], "mode": "rgb"},
        {"kind": "images", "size": None, "mode": "rgb"},
        {"kind": "images", "size": [28.5, True], "mode": "rgb"},
        {"kind": "images", "mode": "rgb"},
        {"kind": "digits", "size": [28, 28], "max_value": "x"},
        {"kind": "digits", "size": [28, 28], "max_value": float("nan")},
        {"kind": "digits", "size": [28, 28], "max_value": -1},
        {"kind": "paintings"},
    ],
)
def test_rebuild_reader_refuses_settings_that_no_reader_has(settings):
    with pytest.raises(UserError, match="expected"):
        rebuild_reader(settings)
