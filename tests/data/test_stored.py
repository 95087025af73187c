"""Data sets whose examples stay in their files are those that are read whole."""

import numpy as np
import pytest
from PIL import Image

from jaxnn.data import load
from jaxnn.data.rows import Rows
from jaxnn.errors import UserError

DRAW = np.random.default_rng(0)


def images_folder(root):
    for name in ("cat", "dog"):
        (root / "images" / name).mkdir(parents=True)
        for i in range(3):
            picture = Image.fromarray(DRAW.integers(0, 256, (9, 8), np.uint8))
            picture.save(root / "images" / name / f"{i}.png")
    return "images", {"path": "images", "size": (9, 8)}


def npy_images(root):
    np.save(root / "x.npy", DRAW.integers(0, 256, (20, 5, 6), np.uint8))
    np.save(root / "y.npy", np.arange(20) % 3)
    return "arrays", {"path": "x.npy", "y_path": "y.npy"}


def npy_numbers(root):
    np.save(root / "x.npy", DRAW.normal(size=(20, 5)))
    np.save(root / "y.npy", DRAW.normal(size=(20, 5, 2)))
    return "arrays", {"path": "x.npy", "y_path": "y.npy"}


def npy_tokens(root):
    np.save(root / "x.npy", DRAW.integers(0, 99, (20, 5)))
    np.save(root / "y.npy", np.arange(20) % 2)
    return "arrays", {"path": "x.npy", "y_path": "y.npy", "integers": "tokens"}


def idx(root, **options):
    (root / "mnist").mkdir()
    for part, count in (("train", 12), ("t10k", 5)):
        x = DRAW.integers(0, 256, (count, 28, 28), np.uint8)
        header = bytes([0, 0, 8, 3]) + np.array(x.shape, ">u4").tobytes()
        (root / "mnist" / f"{part}-images-idx3-ubyte").write_bytes(header + x.tobytes())
        header = bytes([0, 0, 8, 1]) + np.array([count], ">u4").tobytes()
        (root / "mnist" / f"{part}-labels-idx1-ubyte").write_bytes(header + bytes(i % 10 for i in range(count)))
    return "mnist", options


def text(tokens, content="The cat,\r\nthe dog.\nZoë's hat\r\n\r\nend of it" * 3):
    def write(root):
        (root / "text.txt").write_bytes(content.encode("utf-8-sig" if tokens != "bytes" else "utf-8"))
        return "text", {"file": "text.txt", "tokens": tokens, "window": 4}

    return write


KINDS = {
    "images": images_folder,
    "npy of images": npy_images,
    "npy of numbers": npy_numbers,
    "npy of tokens": npy_tokens,
    "idx": idx,
    "idx, transposed": lambda root: idx(root, transpose=True),
    "bytes": text("bytes"),
    "characters": text("characters"),
    "words": text("words"),
}


@pytest.mark.parametrize("block", [7, 16 << 20])
@pytest.mark.parametrize("kind", KINDS)
def test_examples_that_stay_in_their_files_are_those_that_are_read(tmp_path, monkeypatch, kind, block):
    from jaxnn.data import tokens as module

    monkeypatch.setattr(module, "BLOCK_BYTES", block)
    name, options = KINDS[kind](tmp_path)
    whole = load(name, options, data_dir=tmp_path)
    stored = load(name, options, data_dir=tmp_path, most_bytes=0)
    assert isinstance(stored.train.x, Rows) and not isinstance(whole.train.x, Rows)
    assert stored.classes == whole.classes and stored.max_value == whole.max_value and stored.tokens == whole.tokens
    assert stored.reader == whole.reader
    for part in ("train", "validation", "test"):
        kept, read = getattr(whole, part), getattr(stored, part)
        assert (kept is None) == (read is None)
        for a, b in zip(kept or (), read or (), strict=True):
            assert a.dtype == b.dtype and a.shape == b.shape
            np.testing.assert_array_equal(np.asarray(b), a)


def test_small_files_are_read_whole(tmp_path):
    name, options = npy_images(tmp_path)
    assert not isinstance(load(name, options, data_dir=tmp_path, most_bytes=1 << 20).train.x, Rows)


def test_picture_that_is_damaged_is_named_when_it_is_read(tmp_path):
    name, options = images_folder(tmp_path)
    (tmp_path / "images" / "cat" / "1.png").write_bytes(b"\x89PNG\r\n\x1a\nrest")
    rows = load(name, options, data_dir=tmp_path, most_bytes=0).train.x
    rows[np.array([0, 5])]
    with pytest.raises(UserError, match=r"record 1 cannot be read: .*1\.png"):
        rows[:]


def test_idx_file_that_is_cut_short_is_refused(tmp_path):
    name, options = idx(tmp_path)
    file = tmp_path / "mnist" / "train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(UserError, match="expected 9,424 bytes, as its header says, found 9,423"):
        load(name, options, data_dir=tmp_path, most_bytes=0)


def test_text_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "text.txt").write_bytes(b"abc\xff" * 9)
    with pytest.raises(UserError, match="expected UTF-8, found the byte 0xff"):
        load("text", {"file": "text.txt", "window": 4}, data_dir=tmp_path, most_bytes=0)
