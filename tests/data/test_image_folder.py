"""The sub-folders of a folder of images are its classes; a file that is not an image is named in the error."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from jaxnn.data import load, split
from jaxnn.data.image_file import MAX_PIXELS, open_image, to_grey
from jaxnn.errors import DataWarning, UserError

GENERATOR = np.random.default_rng(0)
PIXELS = {name: GENERATOR.integers(0, 256, (count, 5, 7, 3), np.uint8) for name, count in (("10", 3), ("9", 2))}


@pytest.fixture
def folder(tmp_path):
    for name, images in PIXELS.items():
        (tmp_path / name).mkdir()
        for row, image in enumerate(images):
            Image.fromarray(image).save(tmp_path / name / f"{row}.png")
    (tmp_path / ".hidden").touch()
    (tmp_path / "9" / ".DS_Store").write_bytes(b"no image")
    (tmp_path / "README").write_text("no class")
    return tmp_path


def test_images_of_the_requested_size_are_unchanged(folder):
    dataset = load("images", {"path": str(folder), "size": (5, 7), "mode": "rgb"})
    assert (dataset.train.x == np.concatenate([PIXELS["10"], PIXELS["9"]])).all()
    assert dataset.classes == ("9", "10")
    assert dataset.train.y.tolist() == [1, 1, 1, 0, 0]
    assert dataset.max_value == 255


def test_images_in_grey_mode_are_the_luminance(folder):
    x = load("images", {"path": str(folder), "size": (5, 7)}).train.x
    assert x.shape == (5, 5, 7, 1) and x.dtype == np.uint8
    luminance = PIXELS["10"].astype(float) @ [0.299, 0.587, 0.114]
    assert np.abs(x[:3, ..., 0] - luminance).max() <= 1


def test_images_of_other_sizes_are_resized(folder):
    for size in ((3, 2), (11, 13)):
        x = load("images", {"path": str(folder), "size": size}).train.x
        assert x.shape[1:3] == size
    flat = folder / "9" / "0.png"
    Image.fromarray(np.full((97, 53), 77, np.uint8)).save(flat)
    x, y = load("images", {"path": str(folder), "size": (3, 2)}).train
    assert (x[y == 0][0] == 77).all()


def test_open_image_reads_every_mode(folder):
    """A ramp from 0 to 255 is saved in each mode and read back."""
    ramp = np.linspace(0, 255, 16 * 16).astype(np.uint8).reshape(16, 16)
    grey = Image.fromarray(ramp)
    rgb = Image.merge("RGB", [grey] * 3)
    opaque = Image.new("L", (16, 16), 255)
    kinds = {
        "grey.png": grey,
        "rgb.png": rgb,
        "rgba.png": Image.merge("RGBA", [grey, grey, grey, opaque]),
        "la.png": Image.merge("LA", [grey, opaque]),
        "16 bit.png": Image.fromarray(ramp.astype(np.uint16) * 257),
        "palette.png": grey.convert("P"),
        "palette.gif": grey.convert("P"),
        "grey.bmp": grey,
        "cmyk.jpg": rgb.convert("CMYK"),
        "grey.jpg": grey,
    }
    for name, image in kinds.items():
        image.save(folder / name, quality=100) if name.endswith("jpg") else image.save(folder / name)
        lossy = 4 if name.endswith("jpg") or "palette" in name else 0.001
        assert np.abs(to_grey(open_image(folder / name)) - ramp).max() <= lossy, name


def test_open_image_reads_numbers_of_no_known_range_as_no_image(tmp_path):
    for name, array in (("a.tif", np.ones((4, 4), np.float32)), ("b.tif", np.full((4, 4), 70_000, np.int32))):
        Image.fromarray(array).save(tmp_path / name)
        with pytest.raises(UserError, match="expected a PNG, JPEG"):
            open_image(tmp_path / name)


def test_to_grey_replaces_transparency_by_the_background(tmp_path):
    """The background of black strokes becomes white, that of bright strokes black."""
    shape = np.zeros((5, 7), np.uint8)
    shape[1:4, 2:5] = 255
    for ink in (0, 255):
        drawn = Image.merge("LA", [Image.new("L", (7, 5), ink), Image.fromarray(shape)])
        drawn.save(tmp_path / "drawn.png")
        grey = to_grey(open_image(tmp_path / "drawn.png"))
        assert (grey == np.where(shape == 255, ink, 255 - ink)).all()


def test_open_image_turns_a_photograph_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: rotate by 90 degrees
    Image.new("L", (7, 5)).save(tmp_path / "turned.jpg", exif=exif)
    assert open_image(tmp_path / "turned.jpg").size == (5, 7)


def test_images_of_train_and_test_folders_are_official_parts(tmp_path):
    for i, (part, name) in enumerate(
        [("train", "a"), ("train", "b"), ("validation", "b"), ("test", "b"), ("test", "a")]
    ):
        (tmp_path / part / name).mkdir(parents=True)
        Image.new("L", (3, 3), i).save(tmp_path / part / name / "x.png")
    dataset = load("images", {"path": str(tmp_path)})
    assert dataset.validation is not None and dataset.test is not None
    for part, values, labels in (
        (dataset.train, [0, 1], [0, 1]),
        (dataset.validation, [2], [1]),
        (dataset.test, [4, 3], [0, 1]),
    ):
        assert part.x[:, 0, 0, 0].tolist() == values and part.y.tolist() == labels
    parts = split(dataset, validation=1.0, test=1.0)
    assert parts.validation is not None and parts.test is not None
    assert [part.num_examples for part in parts if part] == [2, 1, 2]
    assert (parts.validation.x == dataset.validation.x).all() and (parts.test.x == dataset.test.x).all()


def test_images_that_cannot_be_read_are_refused_together_or_skipped(folder):
    broken = {"10/cut.jpg": b"\xff\xd8\xff", "10/empty.png": b"", "9/notes.txt": b"hello"}
    for name, data in broken.items():
        (folder / name).write_bytes(data)
    with pytest.raises(
        UserError, match=r"cut\.jpg: expected .*; 2 more cannot be read: 10/empty\.png, 9/notes\.txt; remove"
    ):
        load("images", {"path": str(folder)})
    with pytest.warns(DataWarning, match="left out 3 of 8 files, .*: 10/cut.jpg, 10/empty.png, 9/notes.txt$"):
        dataset = load("images", {"path": str(folder), "size": (5, 7), "mode": "rgb", "unreadable": "skip"})
    assert (dataset.train.x == np.concatenate([PIXELS["10"], PIXELS["9"]])).all()
    assert dataset.train.y.tolist() == [1, 1, 1, 0, 0]


def test_images_of_a_wrong_suffix_are_read_by_their_content(folder):
    image = Image.fromarray(PIXELS["9"][0])
    for i, kind in enumerate(["JPEG", "BMP", "GIF", "WEBP", "TIFF"]):
        image.save(folder / "9" / f"x{i}.png", kind)
    assert load("images", {"path": str(folder)}).train.x.shape == (10, 28, 28, 1)


def png(width, height):
    """A PNG whose header states a size, followed by few bytes."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


INVALID = {
    "text": (b"hello", "expected a PNG, JPEG"),
    "empty": (b"", "found an empty file"),
    "HEIC": (b"\0\0\0\x18ftypheic\0\0\0\0", "found HEIC; convert it to PNG or JPEG"),
    "AVIF": (b"\0\0\0\x18ftypavif\0\0\0\0", "found AVIF; convert it to PNG or JPEG"),
    "PDF": (b"%PDF-1.7\n", "found PDF; convert it"),
    "SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "found SVG; convert it"),
    "too many pixels": (png(MAX_PIXELS // 8192 + 1, 8192), "a side, found more"),
    "far too many pixels": (png(2**31 - 1, 2**31 - 1), "found"),
    "no pixels": (png(0, 5), "expected a PNG, JPEG"),
    "cut short": (png(1000, 1000), "expected a PNG, JPEG"),
    "header alone": (png(5, 7)[:40], "expected a PNG, JPEG"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "found PostScript"),
    "TIFF": (b"II*\0\x08\0\0\0\0\0", "expected a PNG, JPEG"),
    "JPEG start": (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(40), "expected a PNG, JPEG"),
}


@pytest.mark.parametrize("case", INVALID)
def test_images_name_the_invalid_file(folder, case):
    data, expected = INVALID[case]
    (folder / "10" / "wrong.png").write_bytes(data)
    with pytest.raises(UserError, match=rf"wrong\.png: .*{expected}") as refusal:
        load("images", {"path": str(folder)})
    assert "\n" not in str(refusal.value)


def test_images_without_classes_are_refused(folder):
    (folder / "empty").mkdir()
    with pytest.raises(UserError, match="expected images of the class empty, found none"):
        load("images", {"path": str(folder)})
    for path in (folder / "9", folder / "README", folder / "empty"):
        with pytest.raises(UserError, match="expected a folder with a sub-folder"):
            load("images", {"path": str(path)})
    with pytest.raises(UserError, match="found no"):
        load("images", {"path": str(folder / "missing")})


def test_images_invalid_size_is_refused(folder):
    for size in ((0, 5), (5, 1025)):
        with pytest.raises(UserError, match="height and width from 1 to 1024"):
            load("images", {"path": str(folder), "size": size})


def test_images_beyond_the_size_limit_are_refused(folder, monkeypatch):
    monkeypatch.setattr("jaxnn.data.image_folder._MAX_BYTES", 5 * 28 * 28 - 1)
    with pytest.raises(UserError, match="found 3,920 bytes; choose a smaller size"):
        load("images", {"path": str(folder)})
