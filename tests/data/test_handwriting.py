"""An image of a digit is converted to the form of the training images, whatever its size, background and position."""

import contextlib
import io
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from jaxnn.data import load
from jaxnn.data.handwriting import read_image
from jaxnn.errors import UserError

SHAPE = (28, 28, 1)


def seven(side=280, corner=(40, 60), background=0, ink=255):
    """A seven drawn with a thick pen; its bounding box is 100 x 160."""
    image = Image.new("L", (side, side), background)
    x, y = corner
    ImageDraw.Draw(image).line([(x, y), (x + 100, y), (x + 30, y + 160)], fill=ink, width=18, joint="curve")
    return image


@pytest.fixture
def read(tmp_path):
    def read(image, shape=SHAPE, max_value=255.0, name="digit.png"):
        image.save(tmp_path / name)
        return read_image(tmp_path / name, shape, max_value)

    return read


def test_read_image_fills_20_of_28_with_the_mass_in_the_middle(read):
    pixels = read(seven())
    assert pixels.shape == (1, *SHAPE) and pixels.dtype == np.uint8
    rows, columns = np.nonzero(pixels[0, :, :, 0])
    assert np.ptp(rows) + 1 == 20
    assert np.ptp(columns) + 1 < 20
    mass = pixels[0, :, :, 0] / pixels.sum()
    assert np.arange(28) @ mass.sum(1) == pytest.approx(14, abs=0.51)
    assert np.arange(28) @ mass.sum(0) == pytest.approx(14, abs=0.51)
    assert pixels.max() == 255


def test_read_image_ignores_background_position_size_and_format(read):
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


def test_read_image_fills_a_small_frame_from_top_to_bottom(read):
    pixels = read(seven(), shape=(8, 8, 1), max_value=16.0)
    assert pixels.shape == (1, 8, 8, 1)
    assert pixels.max() == 16
    assert (pixels[0].max((1, 2)) > 0).all()


def test_read_image_has_the_requested_shape_and_max_value(read):
    for shape, max_value in (((17, 31, 1), 255.0), ((64, 19, 1), 100.0)):
        pixels = read(seven(), shape=shape, max_value=max_value)
        assert pixels.shape == (1, *shape)
        assert pixels.max() == max_value


def test_read_image_keeps_colour_with_three_channels(read):
    image = Image.merge("RGB", [Image.new("L", (9, 5), value) for value in (200, 100, 50)])
    pixels = read(image, shape=(7, 3, 3), max_value=255.0)
    assert pixels.shape == (1, 7, 3, 3)
    assert (pixels == [200, 100, 50]).all()


def test_read_image_accepts_strokes_of_any_shape(read):
    for box in ((0, 0, 0, 0), (5, 5, 5, 99), (5, 5, 99, 5), (0, 0, 99, 99), (99, 0, 99, 0)):
        image = Image.new("L", (300, 300))
        ImageDraw.Draw(image).line(box, fill=255)
        for shape in (SHAPE, (8, 8, 1)):
            assert read(image, shape=shape).max() == 255


@pytest.mark.parametrize("value", [0, 127, 255])
def test_read_image_refuses_a_blank_image(read, value):
    with pytest.raises(UserError, match=r"digit\.png: expected ink on paper, found a blank image"):
        read(Image.new("L", (31, 17), value))


def test_read_image_refuses_other_files(tmp_path):
    (tmp_path / "text.png").write_text("no image")
    for name, expected in (("text.png", "expected a PNG"), ("missing.png", "no such file"), ("", "found a folder")):
        with pytest.raises(UserError, match=expected):
            read_image(tmp_path / name, SHAPE, 255.0)


def test_read_image_refuses_other_numbers_of_channels(read):
    with pytest.raises(UserError, match="1 or 3 channels, found 2"):
        read(seven(), shape=(28, 28, 2))


KINDS = st.sampled_from(["PNG", "JPEG", "GIF", "BMP"])


@given(position=st.integers(0, 2000), value=st.integers(0, 255), kind=KINDS, cut=st.booleans())
def test_read_image_reads_or_refuses_a_damaged_file(tmp_path_factory, position, value, kind, cut):
    file = io.BytesIO()
    seven().save(file, kind)
    data = bytearray(file.getvalue())
    data[position % len(data)] = value
    path = tmp_path_factory.getbasetemp() / "damaged.png"
    path.write_bytes(data[: position % len(data)] if cut else data)
    with contextlib.suppress(UserError):
        assert read_image(path, SHAPE, 255.0).shape == (1, *SHAPE)


@pytest.mark.skipif(not os.environ.get("JAXNN_DATA_DIR"), reason="needs real MNIST: JAXNN_DATA_DIR is not set")
def test_read_image_of_mnist_is_the_identity(read):
    dataset = load("mnist")
    assert dataset.test is not None
    images = dataset.test.x[:50]
    back = np.concatenate([read(Image.fromarray(image[..., 0])) for image in images])
    assert np.abs(back.astype(int) - images).mean() < 0.1
    assert (back == images).all((1, 2, 3)).mean() > 0.6
    on_white = np.concatenate([read(Image.fromarray(255 - image[..., 0])) for image in images])
    assert (on_white == back).all()
