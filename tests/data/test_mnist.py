"""MNIST is found as IDX files or as a pickle, checked byte for byte, and refused if it is invalid."""

import gzip
import os
import pickle
import struct

import numpy as np
import pytest

from jaxnn.data import load
from jaxnn.data.mnist import _md5
from jaxnn.errors import UserError

TRAIN, VALIDATION, TEST = 7, 3, 5


def draw(count, side=11):
    generator = np.random.default_rng(count)
    return generator.integers(0, 256, (count, side, side), np.uint8), np.arange(count).astype(np.uint8) % 10


def encode(array):
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_idx(folder, train, test, dash="-", end=".gz"):
    folder.mkdir(parents=True, exist_ok=True)
    for stem, (x, y) in (("train", train), ("t10k", test)):
        for name, array in ((f"{stem}-images{dash}idx3-ubyte", x), (f"{stem}-labels{dash}idx1-ubyte", y)):
            data = encode(array)
            (folder / (name + end)).write_bytes(gzip.compress(data) if end else data)


def write_pickle(folder, parts, protocol=2):
    folder.mkdir(parents=True, exist_ok=True)
    rows = tuple((x.reshape(len(x), -1).astype(np.float32) / 256, y.astype(np.int64)) for x, y in parts)
    (folder / "mnist.pkl.gz").write_bytes(gzip.compress(pickle.dumps(rows, protocol)))


def assert_holds(dataset, train, test):
    assert dataset.test is not None
    for part, (x, y) in ((dataset.train, train), (dataset.test, test)):
        assert (part.x == x[..., None]).all() and part.x.dtype == np.uint8
        assert (part.y == y).all() and part.y.dtype == np.int32
    assert dataset.max_value == 255
    assert dataset.classes == tuple("0123456789")


@pytest.mark.parametrize("dash", ["-", "."])
@pytest.mark.parametrize("end", ["", ".gz"])
@pytest.mark.parametrize("inside", ["mnist", "."])
def test_mnist_idx_files_are_found_under_each_name(tmp_path, dash, end, inside):
    write_idx(tmp_path / inside, draw(TRAIN), draw(TEST), dash, end)
    assert_holds(load("mnist", data_dir=tmp_path), draw(TRAIN), draw(TEST))


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize("inside", ["mnist", "."])
def test_mnist_pickle_restores_the_pixels(tmp_path, protocol, inside):
    parts = [draw(count) for count in (TRAIN, VALIDATION, TEST)]
    write_pickle(tmp_path / inside, parts, protocol)
    train = tuple(np.concatenate([left, right]) for left, right in zip(parts[0], parts[1], strict=True))
    assert_holds(load("mnist", data_dir=tmp_path), train, parts[2])


def test_mnist_folder_is_read_from_the_environment(tmp_path, monkeypatch):
    write_idx(tmp_path / "mnist", draw(TRAIN), draw(TEST))
    monkeypatch.setenv("JAXNN_DATA_DIR", str(tmp_path))
    assert_holds(load("mnist"), draw(TRAIN), draw(TEST))


def test_mnist_missing_folder_error_lists_the_files(tmp_path, monkeypatch):
    monkeypatch.delenv("JAXNN_DATA_DIR", raising=False)
    for data_dir in (None, tmp_path / "nowhere", tmp_path):
        with pytest.raises(UserError) as refusal:
            load("mnist", data_dir=data_dir)
        line = str(refusal.value)
        assert "\n" not in line
        for word in ("train-images-idx3-ubyte.gz", "mnist.pkl.gz", "--data-dir", "JAXNN_DATA_DIR", "digits"):
            assert word in line


def test_mnist_missing_file_is_named(tmp_path):
    write_idx(tmp_path, draw(TRAIN), draw(TEST))
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(UserError, match="lacks t10k-labels;"):
        load("mnist", data_dir=tmp_path)


def test_mnist_of_full_size_is_verified(tmp_path):
    """60 000 and 10 000 images that are not MNIST are accepted only with verify=False."""
    train, test = draw(60_000, side=2), draw(10_000, side=2)
    write_idx(tmp_path, train, test, end="")
    with pytest.raises(UserError, match=r"expected md5 6bbc9ace898e44ae57da46a324031adb, found .*verify = false"):
        load("mnist", data_dir=tmp_path)
    assert_holds(load("mnist", {"verify": False}, data_dir=tmp_path), train, test)


def test_mnist_classes_limit_the_labels(tmp_path):
    x, y = draw(TRAIN)
    write_idx(tmp_path, (x, y + 40), draw(TEST))
    with pytest.raises(UserError, match="mnist train: expected labels from 0 to 9, found 40"):
        load("mnist", data_dir=tmp_path)
    assert len(load("mnist", {"classes": 47}, data_dir=tmp_path).classes) == 47
    for classes in (1, 257):
        with pytest.raises(UserError, match="expected 2 to 256 classes"):
            load("mnist", {"classes": classes}, data_dir=tmp_path)


def inconsistent_arrays():
    (x, y), test = draw(TRAIN), draw(TEST)
    return {
        "fewer labels": ((x, y[:-1]), test, "mnist train: .* 7 examples and 6 targets"),
        "more labels in test": ((x, y), (test[0][:-1], test[1]), "mnist test: .* 4 examples and 5 targets"),
        "one class": ((x, y * 0 + 3), test, "two or more classes, found only 3"),
        "another size in test": ((x, y), draw(TEST, side=5), "one shape"),
    }


@pytest.mark.parametrize("case", inconsistent_arrays())
def test_mnist_inconsistent_arrays_are_refused(tmp_path, case):
    train, test, expected = inconsistent_arrays()[case]
    write_idx(tmp_path, train, test)
    with pytest.raises(UserError, match=expected):
        load("mnist", data_dir=tmp_path)


def other_pickles():
    x, y = np.zeros((5, 49), np.float32), np.arange(5)
    good = (x, y)
    return {
        "two parts": ((good, good), "three pairs"),
        "an array": (x, "three pairs"),
        "brighter than white": ((good, (x + 1, y), good), "k/256"),
        "negative": ((good, (x - 0.5, y), good), "k/256"),
        "NaN": ((good, (x * np.nan, y), good), "k/256"),
        "infinity": ((good, (x + np.inf, y), good), "k/256"),
        "not k/256": ((good, good, (x + 0.001, y)), "k/256"),
        "integers": ((good, good, (x.astype(np.int32), y)), "rows of floats"),
        "not square": ((good, good, (x[:, :48], y)), "square"),
        "no pixels": ((good, good, (x[:, :0], y)), "square"),
        "one axis": ((good, good, (x[0], y)), "square"),
        "two sizes": ((good, (x[:, :36], y), good), "one size"),
        "float labels": ((good, good, (x, y.astype(np.float32))), "row of integers"),
        "one-hot labels": ((good, good, (x, np.eye(5, dtype=np.int64))), "row of integers"),
        "label -1": ((good, good, (x, y - 1)), "from 0 to 255"),
        "label 10": ((good, good, (x, y + 6)), "from 0 to 9, found 10"),
        "label 256": ((good, good, (x, y + 252)), "from 0 to 255"),
        "no labels": ((good, good, (x, y[:0])), "row of integers"),
        "fewer labels": ((good, good, (x, y[:3])), "5 examples and 3 targets"),
    }


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("case", other_pickles())
def test_mnist_pickles_of_other_values_are_refused(tmp_path, case):
    value, expected = other_pickles()[case]
    (tmp_path / "mnist.pkl.gz").write_bytes(gzip.compress(pickle.dumps(value, 2)))
    with pytest.raises(UserError, match=expected):
        load("mnist", data_dir=tmp_path)


def test_mnist_md5_is_that_of_the_unpacked_idx_file():
    import hashlib

    for array in draw(TEST):
        assert _md5(array) == hashlib.md5(encode(array)).hexdigest()


@pytest.mark.skipif(not os.environ.get("JAXNN_DATA_DIR"), reason="needs real MNIST: JAXNN_DATA_DIR is not set")
def test_mnist_real_files_have_the_known_shapes_and_labels():
    dataset = load("mnist")
    assert dataset.train.x.shape == (60_000, 28, 28, 1)
    assert dataset.test is not None
    assert dataset.test.x.shape == (10_000, 28, 28, 1)
    assert dataset.train.y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]


def test_mnist_letters_of_emnist_are_read_by_options(tmp_path):
    """Labels from 1, transposed images, and names with a prefix and "test"."""
    (train, labels), (test, test_labels) = draw(TRAIN), draw(TEST)
    for name, array in (
        ("train-images-idx3", train.swapaxes(1, 2)),
        ("train-labels-idx1", labels + 1),
        ("test-images-idx3", test.swapaxes(1, 2)),
        ("test-labels-idx1", test_labels + 1),
    ):
        (tmp_path / f"emnist-letters-{name}-ubyte.gz").write_bytes(gzip.compress(encode(array)))
    options = {"prefix": "emnist-letters-", "first_label": 1, "transpose": True}
    names = tuple("abcdefghijklmnopqrstuvwxyz")
    for classes, expected in ((names, names), (26, tuple(str(i) for i in range(1, 27)))):
        dataset = load("mnist", {**options, "classes": classes}, data_dir=tmp_path)
        assert dataset.classes == expected and dataset.test is not None
        assert (dataset.train.x[..., 0] == train).all() and (dataset.train.y == labels).all()
        assert (dataset.test.x[..., 0] == test).all() and (dataset.test.y == test_labels).all()
    with pytest.raises(UserError, match="mnist train: expected labels from 0 to 4, found 5; set first_label"):
        load("mnist", {"prefix": "emnist-letters-", "classes": 5}, data_dir=tmp_path)
    with pytest.raises(UserError, match="found no files emnist-digits-train-images"):
        load("mnist", {"prefix": "emnist-digits-"}, data_dir=tmp_path)
