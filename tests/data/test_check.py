"""``check_dataset`` accepts valid data, arrays and pytrees, and refuses the others in one line."""

from typing import Any, NamedTuple

import jax
import numpy as np
import pytest

from jaxnn.data import Dataset, Part, check_dataset, one_hot
from jaxnn.errors import UserError

X, Y = np.zeros((7, 5, 3, 1), np.uint8), np.arange(7, dtype=np.int32) % 3
FEATURES, TARGETS = np.zeros((7, 5), np.float32), np.zeros((7, 2), np.float32)
TOKENS, LENGTHS = np.arange(7 * 11, dtype=np.int64).reshape(7, 11), np.arange(7, dtype=np.int32)
TOKEN_LABELS = (TOKENS % 3).astype(np.int32)
MASK = TOKENS % 2 == 0


class Sequence(NamedTuple):
    values: Any
    lengths: Any


class Weighted(NamedTuple):
    target: Any
    weight: Any


SEQUENCE = Sequence(np.zeros((7, 11, 2), np.float32), LENGTHS)


def dataset(x: Any = X, y: Any = Y, test=None, classes=("a", "b", "c"), max_value=1.0):
    return Dataset("example", Part(x, y), test, classes, max_value)


def spoil(array, value):
    changed = array.copy()
    changed.flat[-1] = value
    return changed


VALID = {
    "images": dataset(),
    "features": dataset(FEATURES),
    "signals": dataset(np.zeros((7, 5, 3), np.float32)),
    "regression": dataset(FEATURES, TARGETS, classes=()),
    "with a test part": dataset(test=Part(X[:2], Y[:2])),
    "one class in the test part": dataset(test=Part(X[:1], Y[:1])),
    "tokens": dataset(TOKENS),
    "tokens of 16 bits": dataset(TOKENS.astype(np.uint16)),
    "one category an example": dataset(LENGTHS),
    "a label for each token": dataset(TOKENS, TOKEN_LABELS),
    "a label for each pixel": dataset(X, (np.arange(105).reshape(7, 5, 3) % 3).astype(np.int32)),
    "targets of three axes": dataset(FEATURES, np.zeros((7, 5, 2), np.float32), classes=()),
    "NamedTuple": dataset(SEQUENCE),
    "dict of tuples": dataset({"image": X, "mask": MASK, "more": (FEATURES[:, 0], TOKENS)}),
    "weighted labels": dataset(TOKENS, Weighted(TOKEN_LABELS, MASK.astype(np.float32))),
    "masked labels": dataset(TOKENS, Weighted(TOKEN_LABELS, MASK)),
    "weighted targets": dataset(SEQUENCE, Weighted(TARGETS, FEATURES[:, 0]), classes=()),
    "pytree with a test part": dataset(SEQUENCE, test=Part(jax.tree.map(lambda a: a[:3], SEQUENCE), Y[:3])),
}


@pytest.mark.parametrize("case", VALID)
def test_check_dataset_returns_valid_data_unchanged(case):
    assert check_dataset(VALID[case]) is VALID[case]


INVALID = {
    "label -1": (dataset(y=Y - 1), "labels from 0 to 2, found -1"),
    "label = classes": (dataset(y=Y + 1), "labels from 0 to 2, found 3"),
    "float labels": (dataset(y=Y.astype(np.float32)), r"labels as integers \(n, ...\), found float32"),
    "one-hot labels": (dataset(y=np.eye(3, dtype=np.int32)[Y]), r"expected labels, found one-hot rows \(7, 3\)"),
    "long labels": (dataset(y=Y.astype(np.int64)), "labels of type int32"),
    "counts that differ": (dataset(y=Y[:-1]), "found 7 examples and 6 targets"),
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
    "test with label 3": (dataset(test=Part(X, Y + 1)), "example test: expected labels"),
    "empty test": (dataset(test=Part(X[:0], Y[:0])), "example test: expected examples"),
    "max_value 0": (dataset(max_value=0.0), "positive max_value"),
    "max_value NaN": (dataset(max_value=float("nan")), "positive max_value"),
    "tokens of no length": (dataset(TOKENS[:, :0]), r"found int64 \(7, 0\)"),
    "text": (dataset(np.array(["a"] * 7)), "expected x as .*found <U1"),
    "objects": (dataset(np.array([None] * 7)), "expected x as .*found object"),
    "complex": (dataset(FEATURES.astype(np.complex64)), "expected x as .*found complex64"),
    "integer targets without classes": (dataset(FEATURES, Y, classes=()), "targets as float32"),
    "one label in all tokens": (dataset(TOKENS, TOKEN_LABELS * 0), "two or more classes, found only a"),
    "label 3 of a token": (dataset(TOKENS, spoil(TOKEN_LABELS, 3)), "labels from 0 to 2, found 3"),
    "pytree without arrays": (dataset(()), "example train x: expected an array or a pytree"),
    "pytree of numbers": (dataset((X, 3)), r"example train x\[1\]: expected a NumPy array"),
    "a list": (dataset([1, 2, 3, 4, 5, 6, 7]), r"train x\[0\]: expected a NumPy array"),
    "numbers without rows": (dataset(np.float32(3)), "train x: expected a NumPy array"),
    "pytree of other counts": (dataset(SEQUENCE._replace(lengths=LENGTHS[:-1])), "x.lengths: expected 7 rows"),
    "NaN in a pytree": (dataset({"a": X, "b": spoil(FEATURES, np.nan)}), r"x\['b'\]: expected finite numbers"),
    "double precision in a pytree": (dataset((X, FEATURES.astype(np.float64))), r"x\[1\] as .* found float64"),
    "pytree of float labels": (dataset(y=(TARGETS,)), "expected y to hold integer labels"),
    "pytree of wrong labels": (dataset(y=Weighted(Y + 1, FEATURES[:, 0])), "labels from 0 to 2, found 3"),
    "other counts in a pytree y": (dataset(y=Weighted(Y, TARGETS[:-1])), "found 7 examples and 6 targets"),
    "infinite weight": (dataset(y=Weighted(Y, spoil(TARGETS, np.inf))), "train y.weight: expected finite"),
    "test of another structure": (dataset(SEQUENCE, test=Part(SEQUENCE.values, Y)), "x of one shape and type"),
}


@pytest.mark.parametrize("case", INVALID)
def test_check_dataset_refuses_invalid_data_in_one_line(case):
    invalid, expected = INVALID[case]
    with pytest.raises(UserError, match=expected) as refusal:
        check_dataset(invalid)
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).startswith("example")


def test_one_hot_has_a_one_at_each_label():
    rows = one_hot(Y, 3)
    assert rows.shape == (7, 3) and rows.dtype == np.float32
    assert (rows.argmax(1) == Y).all() and (rows.sum(1) == 1).all() and (rows.max(1) == 1).all()
    for labels, expected in ((Y - 1, "found -1"), (Y + 1, "found 3"), (Y * 1.0, "integers"), (Y[:, None], "integers")):
        with pytest.raises(UserError, match=expected):
            one_hot(labels, 3)
    assert one_hot(Y[:0], 3).shape == (0, 3)
