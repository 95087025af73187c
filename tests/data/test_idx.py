"""An IDX file is read if its header and its bytes agree, and refused in one line if they do not."""

import gzip
import os
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxnn.data.idx import read_idx
from jaxnn.errors import UserError


def encode(array, magic=(0, 0, 8), shape=None):
    shape = array.shape if shape is None else shape
    return bytes([*magic, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + array.tobytes()


IMAGES = np.random.default_rng(0).integers(0, 256, (3, 5, 7), np.uint8)


@pytest.fixture
def write(tmp_path):
    def write(data, name="images"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_idx_reads_what_was_written(write, pack, name):
    assert (read_idx(write(pack(encode(IMAGES)), name), 3) == IMAGES).all()


def test_idx_reads_several_gzip_members_as_one(write):
    data = encode(IMAGES)
    assert (read_idx(write(gzip.compress(data[:30]) + gzip.compress(data[30:])), 3) == IMAGES).all()


FALSE_HEADERS = {
    "empty file": (b"", "cut short"),
    "header alone": (encode(IMAGES)[:16], "cut short"),
    "one byte short": (encode(IMAGES)[:-1], "cut short"),
    "one byte more": (encode(IMAGES) + b"\0", "more bytes follow"),
    "more images stated": (encode(IMAGES, shape=(4, 5, 7)), "cut short"),
    "fewer images stated": (encode(IMAGES, shape=(2, 5, 7)), "more bytes follow"),
    "2**96 bytes stated": (encode(IMAGES, shape=(2**32 - 1,) * 3), "expected|the file states"),
    "no image": (encode(IMAGES[:0]), "empty shape"),
    "images without width": (encode(IMAGES, shape=(3, 5, 0)), "empty shape"),
    "labels for images": (encode(IMAGES, shape=(105,)), "expected the IDX header"),
    "floats": (encode(IMAGES, magic=(0, 0, 13)), "expected the IDX header"),
    "another format": (b"\x89PNG\r\n\x1a\n" * 9, "found a PNG image"),
}


@pytest.mark.parametrize("case", FALSE_HEADERS)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_idx_false_header_is_refused_in_one_line(write, pack, case):
    data, expected = FALSE_HEADERS[case]
    with pytest.raises(UserError, match=expected) as refusal:
        read_idx(write(pack(data)), 3)
    assert "\n" not in str(refusal.value)
    assert "images" in str(refusal.value)


@pytest.mark.parametrize("length", [3, 12, 40, -9, -1])
def test_idx_truncated_gzip_is_refused(write, length):
    with pytest.raises(UserError, match="cut short"):
        read_idx(write(gzip.compress(encode(IMAGES))[:length]), 3)


def test_idx_damaged_gzip_is_refused(write):
    data = bytearray(gzip.compress(encode(IMAGES)))
    for position, part in ((3, "header"), (len(data) // 2, "body"), (len(data) - 6, "checksum")):
        damaged = data.copy()
        damaged[position] ^= 0xFF
        with pytest.raises(UserError):
            read_idx(write(damaged, part), 3)


def test_idx_gzip_bomb_is_not_unpacked(write):
    """A header that states 2 GiB is refused before any of it is read; 100 MB after stated 105 bytes stay packed."""
    large = write(gzip.compress(encode(IMAGES, shape=(2**11, 2**10, 2**10))), "large")
    bomb = write(gzip.compress(encode(IMAGES) + bytes(100 << 20), 1), "bomb")
    tracemalloc.start()
    with pytest.raises(UserError, match="at most"):
        read_idx(large, 3)
    with pytest.raises(UserError, match="more bytes follow"):
        read_idx(bomb, 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_idx_path_that_is_not_a_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")  # opening it would block forever
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("pipe", "link", "missing", "."):
        with pytest.raises(UserError, match="expected a file"):
            read_idx(tmp_path / name, 3)


@given(data=st.binary(max_size=64), zipped=st.booleans(), start=st.sampled_from([b"", b"\0\0\x08\3", b"\x1f\x8b\x08"]))
def test_idx_any_bytes_are_read_or_refused(tmp_path_factory, data, zipped, start):
    path = tmp_path_factory.getbasetemp() / "any-idx"
    path.write_bytes(gzip.compress(start + data) if zipped else start + data)
    try:
        array = read_idx(path, 3)
    except UserError:
        return
    assert encode(array) == start + data
