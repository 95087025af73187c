"""An image of a digit is converted to the form of the training images, whatever its size, background and position."""

import contextlib
import io
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from photographs import drawn_digit, photograph
from PIL import Image, ImageDraw
from scipy import ndimage

from jaxnn.data import load
from jaxnn.data.handwriting import read_digit
from jaxnn.errors import UserError

SIZE = (28, 28)


def seven(side=280, corner=(40, 60), background=0, ink=255):
    """A seven drawn with a thick pen; its bounding box is 100 x 160."""
    image = Image.new("L", (side, side), background)
    x, y = corner
    ImageDraw.Draw(image).line([(x, y), (x + 100, y), (x + 30, y + 160)], fill=ink, width=18, joint="curve")
    return image


@pytest.fixture
def read(tmp_path):
    def read(image, size=SIZE, max_value=255.0, name="digit.png"):
        image.save(tmp_path / name)
        return read_digit(tmp_path / name, size, max_value)

    return read


def test_read_digit_fills_20_of_28_with_the_mass_in_the_middle(read):
    pixels = read(seven())
    assert pixels.shape == (1, *SIZE, 1) and pixels.dtype == np.uint8
    rows, columns = np.nonzero(pixels[0, :, :, 0])
    assert np.ptp(rows) + 1 == 20
    assert np.ptp(columns) + 1 < 20
    mass = pixels[0, :, :, 0] / pixels.sum()
    assert np.arange(28) @ mass.sum(1) == pytest.approx(14, abs=0.51)
    assert np.arange(28) @ mass.sum(0) == pytest.approx(14, abs=0.51)
    assert pixels.max() == 255


def test_read_digit_ignores_background_position_size_and_format(read):
    plain = read(seven()).astype(int)
    noise = np.random.default_rng(0).standard_normal((280, 280)) * 6
    noisy = Image.fromarray((np.asarray(seven(background=180, ink=20)) + noise).clip(0, 255).astype(np.uint8))
    others = {
        "white paper": (seven(background=255, ink=0), "a.png"),
        "grey paper": (seven(background=190, ink=60), "a.png"),
        "other position": (seven(side=700, corner=(500, 20)), "a.png"),
        "smaller": (seven().resize((140, 140), Image.Resampling.BOX), "a.png"),
        "larger": (seven().resize((1400, 1400)), "a.png"),
        "colour": (Image.merge("RGB", [seven(background=255, ink=0)] * 3), "a.png"),
        "JPEG": (seven(background=255, ink=0), "a.jpg"),
        "noisy": (noisy, "a.png"),
        "16 bits": (Image.fromarray(np.asarray(seven().resize((1400, 1400))).astype(np.uint16) * 257), "a.png"),
        "black and white": (seven().resize((1400, 1400)).convert("1"), "a.png"),
        "palette": (seven().resize((1400, 1400)).convert("P"), "a.png"),
        "at the edge": (seven(corner=(8, 8)), "a.png"),
    }
    for case, (image, name) in others.items():
        assert np.abs(read(image, name=name) - plain).mean() < 4, case


def drawings(count):
    """Ink of digits, 0 to 1, each with the generator of its seed."""
    for seed in range(count):
        rng = np.random.default_rng([3, seed])
        yield drawn_digit(seed % 10, rng, 280), rng


def as_image(ink):
    return Image.fromarray((255 * ink).astype(np.uint8))


def correlation(a, b):
    """Of two images after a blur of a pixel: a photograph is turned by some degrees, and strokes are thin."""
    blurred = [ndimage.gaussian_filter(image[0, ..., 0].astype(float), 1).ravel() for image in (a, b)]
    return float(np.corrcoef(blurred[0], blurred[1])[0, 1])


def test_read_digit_ignores_the_lamp_the_paper_and_the_desk(read):
    """Each photograph is read as the drawing that it shows. Lines, shadows and noise change few pixels."""
    for seed, (ink, rng) in enumerate(drawings(12)):
        photo = read(photograph(ink, rng, (300, 400)), name="photograph.jpg")
        assert correlation(photo, read(as_image(ink))) > 0.8, seed


def test_read_digit_does_not_take_a_sheet_for_ink(read):
    """A sheet of paper on a dark desk of one brightness is a bright shape with the digit as its loops."""
    for ink, _ in drawings(10):
        page = Image.fromarray((235 - 200 * ink).astype(np.uint8))
        for desk, size in ((0, (420, 330)), (40, (600, 500)), (40, (310, 290))):
            image = Image.new("L", size, desk)
            image.paste(page, (12, 4))
            assert correlation(read(image), read(page)) > 0.9, (desk, size)


def test_read_digit_ignores_the_margin(read):
    """A picture that is cropped to the strokes, which then cover most of its border, is read as the whole picture."""
    for ink, _ in drawings(10):
        box = as_image(ink).getbbox()
        for image in (as_image(ink), as_image(1 - ink)):
            assert correlation(read(image.crop(box)), read(image)) > 0.9


def test_read_digit_reads_a_drawing_that_is_as_wide_as_the_picture(read):
    for size in ((100, 100), (1000, 400)):
        image = Image.new("L", size)
        box = (size[0] // 4, size[1] // 4, 3 * size[0] // 4, 3 * size[1] // 4)
        image.paste(255, box)
        for drawing in (image, Image.fromarray(255 - np.asarray(image))):
            assert correlation(read(drawing), read(image.crop((box[0] - 9, box[1] - 9, box[2] + 9, box[3] + 9)))) > 0.9


def test_read_digit_does_not_take_the_light_in_a_loop_for_ink(read):
    for box in ((20, 20, 180, 180), (0, 0, 199, 199), (60, 20, 120, 190)):
        for paper, ink in ((255, 0), (0, 255)):
            image = Image.new("L", (200, 200), paper)
            ImageDraw.Draw(image).ellipse(box, outline=ink, width=22)
            pixels = read(image)[0, :, :, 0]
            assert pixels[14, 14] < 30 and pixels.max() == 255


def test_read_digit_fills_a_small_frame_from_top_to_bottom(read):
    pixels = read(seven(), size=(8, 8), max_value=16.0)
    assert pixels.shape == (1, 8, 8, 1)
    assert pixels.max() == 16
    assert (pixels[0].max((1, 2)) > 0).all()


def test_read_digit_has_the_requested_shape_and_max_value(read):
    for size, max_value in (((17, 31), 255.0), ((64, 19), 100.0)):
        pixels = read(seven(), size=size, max_value=max_value)
        assert pixels.shape == (1, *size, 1)
        assert pixels.max() == max_value


def test_read_digit_accepts_strokes_of_any_shape(read):
    for box in ((0, 0, 0, 0), (5, 5, 5, 99), (5, 5, 99, 5), (0, 0, 99, 99), (99, 0, 99, 0)):
        image = Image.new("L", (300, 300))
        ImageDraw.Draw(image).line(box, fill=255)
        for size in (SIZE, (8, 8)):
            assert read(image, size=size).max() == 255


@pytest.mark.parametrize("value", [0, 127, 255])
def test_read_digit_refuses_a_blank_image(read, value):
    with pytest.raises(UserError, match=r"digit\.png: expected a drawing on paper, found none"):
        read(Image.new("L", (31, 17), value))


def test_read_digit_refuses_other_files(tmp_path):
    (tmp_path / "text.png").write_text("no image")
    for name, expected in (("text.png", "expected a PNG"), ("missing.png", "no such file"), ("", "found a folder")):
        with pytest.raises(UserError, match=expected):
            read_digit(tmp_path / name, SIZE, 255.0)


KINDS = st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])


@settings(deadline=None)  # a time, which depends on the machine's load, is no part of this law
@given(position=st.integers(0, 2000), value=st.integers(0, 255), kind=KINDS, cut=st.booleans())
def test_read_digit_reads_or_refuses_a_damaged_file(tmp_path_factory, position, value, kind, cut):
    file = io.BytesIO()
    seven().resize((70, 70)).save(file, kind)
    data = bytearray(file.getvalue())
    data[position % len(data)] = value
    path = tmp_path_factory.getbasetemp() / "damaged.png"
    path.write_bytes(data[: position % len(data)] if cut else data)
    with contextlib.suppress(UserError):
        assert read_digit(path, SIZE, 255.0).shape == (1, *SIZE, 1)


@pytest.mark.skipif(not os.environ.get("JAXNN_DATA_DIR"), reason="needs real MNIST: JAXNN_DATA_DIR is not set")
def test_read_digit_of_mnist_is_the_identity(read):
    dataset = load("mnist")
    assert dataset.test is not None
    images = dataset.test.x[:50]
    back = np.concatenate([read(Image.fromarray(image[..., 0])) for image in images])
    assert np.abs(back.astype(int) - images).mean() < 0.1
    assert (back == images).all((1, 2, 3)).mean() > 0.6
    on_white = np.concatenate([read(Image.fromarray(255 - image[..., 0])) for image in images])
    assert (on_white == back).all()
