"""``load`` knows the names and options, says the nearest, and lets only sound data through."""

import inspect
import re
import subprocess
import sys

import numpy as np
import pytest

from jaxnn.data import DATASETS, Dataset, Part, check, load, one_hot, options_of
from jaxnn.errors import UserError


@pytest.mark.parametrize(
    ("name", "nearest"), [("minst", "mnist"), ("blob", "blobs"), ("digit", "digits"), ("tfds-mnist", "")]
)
def test_an_unknown_set_lists_the_known_and_the_nearest(name, nearest):
    with pytest.raises(UserError) as refusal:
        load(name)
    for known in DATASETS:
        assert known in str(refusal.value)
    assert f"did you mean {nearest}" in str(refusal.value) or not nearest


def test_an_unknown_or_missing_option_is_named():
    with pytest.raises(UserError, match=r"circles: expected an option of n, noise, found nosie; did you mean noise\?"):
        load("circles", nosie=0.1)
    with pytest.raises(UserError, match="beach: expected an option of none, found n"):
        load("beach", n=3)
    with pytest.raises(UserError, match="csv: expected the option path, found none"):
        load("csv")
    with pytest.raises(UserError, match="expected a seed"):
        load("blobs", seed=-1)


@pytest.mark.parametrize("name", DATASETS)
def test_every_option_is_explicit_typed_and_documented(name):
    """The config derives its fields from these."""
    for option, parameter in options_of(name).items():
        assert parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        assert parameter.annotation is not inspect.Parameter.empty
        assert option not in ("seed", "data_dir")
        assert re.search(rf"\b{option}\b", DATASETS[name].__doc__ or ""), option
    assert "name" not in options_of("tfds:mnist")


def test_jax_is_not_imported():
    code = "import sys; from jaxnn.data import load, split; split(load('beach')); assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


X, Y = np.zeros((7, 5, 3, 1), np.uint8), np.arange(7, dtype=np.int32) % 3
FEATURES, TARGETS = np.zeros((7, 5), np.float32), np.zeros((7, 2), np.float32)


def dataset(x: np.ndarray = X, y: np.ndarray = Y, test=None, classes=("a", "b", "c"), white=1.0):
    return Dataset("made", Part(x, y), test, classes, white)


def spoil(array, value):
    spoilt = array.copy()
    spoilt.flat[-1] = value
    return spoilt


SOUND = {
    "images": dataset(),
    "features": dataset(FEATURES),
    "signals": dataset(np.zeros((7, 5, 3), np.float32)),
    "regression": dataset(FEATURES, TARGETS, classes=()),
    "with a test part": dataset(test=Part(X[:2], Y[:2])),
    "one class in the test part": dataset(test=Part(X[:1], Y[:1])),
}


@pytest.mark.parametrize("case", SOUND)
def test_sound_data_pass_unchanged(case):
    assert check(SOUND[case]) is SOUND[case]


UNSOUND = {
    "label -1": (dataset(y=Y - 1), "labels from 0 to 2, found -1"),
    "label = classes": (dataset(y=Y + 1), "labels from 0 to 2, found 3"),
    "float labels": (dataset(y=Y.astype(np.float32)), "labels as a row of integers, found float32"),
    "one-hot labels": (dataset(y=np.eye(7, dtype=np.int32)), "labels as a row of integers"),
    "long labels": (dataset(y=Y.astype(np.int64)), "labels of type int32"),
    "counts that differ": (dataset(y=Y[:-1]), "found 7 examples and 6 answers"),
    "no examples": (dataset(X[:0], Y[:0]), "expected examples, found none"),
    "NaN": (dataset(spoil(FEATURES, np.nan)), "train x: expected finite numbers, found NaN or infinity in example 6"),
    "infinity": (dataset(spoil(FEATURES, -np.inf)), "train x: expected finite"),
    "NaN as target": (dataset(FEATURES, spoil(TARGETS, np.nan), classes=()), "train y: expected finite"),
    "grey images without channel": (dataset(X[..., 0]), r"found uint8 \(7, 5, 3\)"),
    "images of no size": (dataset(X[:, :0]), "expected x as"),
    "double precision": (dataset(FEATURES.astype(np.float64)), "found float64"),
    "numbers without axis": (dataset(FEATURES[:, 0]), r"found float32 \(7,\)"),
    "one class": (dataset(y=Y * 0 + 1), "two or more classes, found only b"),
    "one class named": (dataset(y=Y * 0, classes=("a",)), "two or more classes of different names, found a"),
    "a name twice": (dataset(classes=("a", "b", "a")), "different names"),
    "targets as a row": (dataset(FEATURES, TARGETS[:, 0], classes=()), "targets as float32"),
    "test of another shape": (dataset(test=Part(X[:, :4], Y)), "x of one shape"),
    "test of another type": (dataset(test=Part(np.zeros(X.shape, np.float32), Y)), "x of one shape and type"),
    "test with label 3": (dataset(test=Part(X, Y + 1)), "made test: expected labels"),
    "empty test": (dataset(test=Part(X[:0], Y[:0])), "made test: expected examples"),
    "white 0": (dataset(white=0.0), "positive white"),
    "white NaN": (dataset(white=float("nan")), "positive white"),
}


@pytest.mark.parametrize("case", UNSOUND)
def test_unsound_data_are_refused_in_one_line(case):
    unsound, expected = UNSOUND[case]
    with pytest.raises(UserError, match=expected) as refusal:
        check(unsound)
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).startswith("made")


def test_one_hot_has_a_one_at_each_label():
    rows = one_hot(Y, 3)
    assert rows.shape == (7, 3) and rows.dtype == np.float32
    assert (rows.argmax(1) == Y).all() and (rows.sum(1) == 1).all() and (rows.max(1) == 1).all()
    for labels, expected in ((Y - 1, "found -1"), (Y + 1, "found 3"), (Y * 1.0, "integers"), (Y[:, None], "integers")):
        with pytest.raises(UserError, match=expected):
            one_hot(labels, 3)
    assert one_hot(Y[:0], 3).shape == (0, 3)
