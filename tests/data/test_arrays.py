"""Arrays of NumPy files are read without pickles, with exact types, and refused in one line."""

import io
import json
import pickle
import zipfile

import numpy as np
import pytest

from jaxnn.data import load
from jaxnn.data.array_reader import ArrayReader
from jaxnn.data.reader import rebuild_reader
from jaxnn.errors import UserError

X = np.arange(42, dtype=np.float64).reshape(7, 6) / 8
Y = np.arange(7) % 3


@pytest.fixture
def save(tmp_path):
    def save(name="data.npz", **arrays):
        path = tmp_path / name
        np.savez(path, **arrays) if name.endswith("npz") else np.save(path, arrays["x"])
        return str(path)

    return save


@pytest.mark.parametrize("names", [("x", "y"), ("x_train", "y_train")])
def test_arrays_of_an_npz_file_have_float32_features_and_int32_labels(save, names):
    path = save(**{names[0]: X, names[1]: Y, "x_test": X[:2], "y_test": Y[:2]})
    dataset = load("arrays", {"path": path})
    assert dataset.train.x.dtype == np.float32 and (dataset.train.x == X).all()
    assert dataset.train.y.dtype == np.int32 and (dataset.train.y == Y).all() and dataset.classes == ("0", "1", "2")
    assert dataset.test is not None and (dataset.test.x == X[:2]).all() and (dataset.test.y == Y[:2]).all()
    assert dataset.max_value == 1


def test_arrays_of_npy_files(save):
    options = {"path": save("x.npy", x=X), "y_path": save("y.npy", x=Y)}
    test = {"test_path": save("a.npy", x=X[:3]), "test_y_path": save("b.npy", x=Y[:3])}
    dataset = load("arrays", options | test)
    assert (dataset.train.x == X).all() and (dataset.train.y == Y).all()
    assert dataset.test is not None and (dataset.test.x == X[:3]).all() and (dataset.test.y == Y[:3]).all()


IMAGES = np.arange(7 * 5 * 4, dtype=np.uint8).reshape(7, 5, 4)
INPUTS = {
    "grey images": (IMAGES, {}, IMAGES[..., None], 255),
    "images of channels": (IMAGES[..., None], {}, IMAGES[..., None], 255),
    "flat bytes": (IMAGES.reshape(7, 20), {}, IMAGES.reshape(7, 20).astype(np.float32), 255),
    "integers": (Y[:, None], {}, Y[:, None].astype(np.float32), 1),
    "tokens": (Y[:, None], {"integers": "tokens"}, Y[:, None].astype(np.int32), 1),
    "yes and no": (X > 2, {}, (X > 2).astype(np.float32), 1),
    "one feature": (X[:, 0], {}, X[:, :1].astype(np.float32), 1),
    "full intensity": (X, {"max_value": 16.0}, X.astype(np.float32), 16),
    "column order": (np.asfortranarray(X), {}, X.astype(np.float32), 1),
}


@pytest.mark.parametrize("case", INPUTS)
def test_arrays_inputs_have_the_types_of_a_data_set(save, case):
    x, options, expected, max_value = INPUTS[case]
    dataset = load("arrays", {"path": save(x=x, y=Y), **options})
    assert dataset.train.x.dtype == expected.dtype and np.array_equal(dataset.train.x, expected)
    assert dataset.max_value == max_value and dataset.train.x.flags.c_contiguous


WORDS = np.array(["b", "a", "c"])[Y]
TARGETS = {
    "words": (WORDS, {}, np.array([1, 0, 2])[Y], ("a", "b", "c")),
    "names": (Y, {"classes": ("p", "q", "r")}, Y, ("p", "q", "r")),
    "words in an order": (WORDS, {"classes": ("b", "a", "c")}, Y, ("b", "a", "c")),
    "from one": (Y + 1, {"first_label": 1}, Y, ("1", "2", "3")),
    "from one with names": (Y + 1, {"first_label": 1, "classes": ("p", "q", "r", "s")}, Y, ("p", "q", "r", "s")),
    "a column": (Y[:, None], {}, Y, ("0", "1", "2")),
    "yes and no": (Y > 0, {}, Y > 0, ("0", "1")),
    "floats": (X[:, :2], {}, X[:, :2].astype(np.float32), ()),
    "a row of floats": (X[:, 0], {}, X[:, :1].astype(np.float32), ()),
    "integers as numbers": (Y, {"targets": "numbers"}, Y[:, None].astype(np.float32), ()),
    "floats as classes": (Y.astype(float), {"targets": "classes"}, Y, ("0", "1", "2")),
}


@pytest.mark.parametrize("case", TARGETS)
def test_arrays_targets_are_labels_or_numbers(save, case):
    y, options, expected, classes = TARGETS[case]
    dataset = load("arrays", {"path": save(x=X, y=y), **options})
    assert np.array_equal(dataset.train.y, expected) and dataset.classes == classes
    assert dataset.train.y.dtype == (np.int32 if classes else np.float32)


def test_arrays_class_names_may_stand_in_the_file(save):
    dataset = load("arrays", {"path": save(x=X, y=Y, classes=np.array(["p", "q", "r"]))})
    assert dataset.classes == ("p", "q", "r")


REFUSED = {
    "no y": ({"x": X}, {}, "expected an array named y, found x"),
    "fewer targets": ({"x": X, "y": Y[:3]}, {}, "as many targets as examples"),
    "NaN": ({"x": np.where(X > 2, np.nan, X), "y": Y}, {}, "expected finite numbers"),
    "beyond float32": ({"x": X * 1e300, "y": Y}, {}, "expected finite numbers of float32"),
    "complex": ({"x": X * 1j, "y": Y}, {}, "expected numbers"),
    "words as inputs": ({"x": WORDS, "y": Y}, {}, "expected numbers"),
    "labels from one": ({"x": X, "y": Y + 1}, {}, "found labels from 1 to 3; set first_label = 1"),
    "labels beyond the names": ({"x": X, "y": Y}, {"classes": ("p", "q")}, "labels from 0 to 1, found 2"),
    "an unknown word": ({"x": X, "y": WORDS}, {"classes": ("a", "b")}, "classes of 'a', 'b', found 'c'"),
    "one-hot": ({"x": X, "y": np.eye(3, dtype=int)[Y]}, {}, r"use y\.argmax\(1\)"),
    "fractions as classes": ({"x": X, "y": X[:, 0]}, {"targets": "classes"}, "found fractions"),
    "classes as numbers": ({"x": X, "y": Y}, {"targets": "numbers", "classes": ("p", "q")}, "targets = .classes."),
    "labels that do not repeat": ({"x": np.zeros((50, 2)), "y": np.arange(50)}, {}, "expected classes that repeat"),
    "y twice": ({"x": X, "y": Y}, {"y_path": "y.npy"}, "y_path: expected none with an .npz file"),
    "objects": ({"x": X, "y": np.array([{}] * 7)}, {}, "found Python objects"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_arrays_invalid_files_are_refused_in_one_line(save, case):
    content, options, expected = REFUSED[case]
    with pytest.raises(UserError, match=expected) as refusal:
        load("arrays", {"path": save(**content), **options})
    assert "\n" not in str(refusal.value)


def damaged(data):
    return data[: len(data) // 2]


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


FOREIGN = {
    "HTML": (b"<!DOCTYPE html><html></html>", "found an HTML page"),
    "pickle": (pickle.dumps([1, 2]), "expected"),
    "empty": (b"", "expected an .npy or .npz file"),
    "cut": (damaged(npy(X)), "expected an .npy or .npz file"),
    "text": (b"1,2,3\n4,5,6\n", "expected"),
    "huge header": (npy(X).replace(b"(7, 6)", b"(7777777777, 6)"), "expected"),
}


@pytest.mark.parametrize("case", FOREIGN)
@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
def test_arrays_foreign_and_damaged_files_are_refused_in_one_line(tmp_path, case, name):
    content, expected = FOREIGN[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=expected) as refusal:
        load("arrays", {"path": str(tmp_path / name)})
    assert "\n" not in str(refusal.value)


def test_arrays_zip_archive_that_unpacks_to_more_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("jaxnn.data.array_reader._MAX_BYTES", 1 << 20)
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", npy(np.zeros(1 << 20)))
    with pytest.raises(UserError, match="expected at most 8 GiB of arrays"):
        load("arrays", {"path": str(tmp_path / "x.npz")})


def test_array_reader_reads_new_files_as_the_training_file(save, tmp_path):
    dataset = load("arrays", {"path": save(x=IMAGES, y=Y + 1), "first_label": 1})
    assert dataset.reader is not None
    reader = rebuild_reader(json.loads(json.dumps(dataset.reader.settings())))
    assert reader == dataset.reader and isinstance(reader, ArrayReader)
    for x in (IMAGES[:1], IMAGES[0], IMAGES[0, ..., None], IMAGES[:1, ..., None].astype(np.float64)):
        np.save(tmp_path / "new.npy", x)
        assert np.array_equal(reader.inputs(tmp_path / "new.npy"), IMAGES[:1, ..., None])
    np.savez(tmp_path / "new.npz", x=IMAGES[2:4], y=np.array([2, 1]))
    x, y = reader.examples(tmp_path / "new.npz")
    assert np.array_equal(x, IMAGES[2:4, ..., None]) and y.tolist() == [1, 0] and x.dtype == np.uint8


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (IMAGES[:1] / 255, "expected whole numbers from 0 to 255"),
        (IMAGES[:1].astype(int) + 250, "expected whole numbers from 0 to 255"),
        (IMAGES[:, :2], r"expected examples of shape \(5, 4, 1\)"),
        (IMAGES[:0], "expected examples of shape"),
    ],
)
def test_array_reader_never_changes_a_number(tmp_path, x, expected):
    np.save(tmp_path / "new.npy", x)
    with pytest.raises(UserError, match=expected):
        ArrayReader((5, 4, 1), "uint8").inputs(tmp_path / "new.npy")
