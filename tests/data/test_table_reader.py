"""A table's reader reads further files as the training table was read: columns by name, categories, classes, means."""

import json

import numpy as np
import pytest

from jaxnn.data import load, split
from jaxnn.data.dataset import ExampleReader
from jaxnn.data.missing import fill_missing
from jaxnn.data.reader import rebuild_reader
from jaxnn.data.table_reader import TableReader
from jaxnn.errors import UserError

TRAIN = "day,age,job,balance,y\nx,30,clerk,1.5,no\nx,40,boss,,yes\nx,,clerk,4,no\nx,50,NA,5,yes\n"
OPTIONS = {"label": "y", "categorical": "job", "ignore": "day"}


@pytest.fixture
def read(tmp_path):
    """read(text, options) -> the rebuilt reader of a training table, and a function that writes another file."""

    def write(text, name="new.csv"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    def read(text=TRAIN, **options):
        path = write(text, "train.csv")
        dataset = load("csv", {"path": str(path), **OPTIONS, "missing": "mean", **options})
        dataset, _ = fill_missing(dataset, split(dataset))
        assert isinstance(dataset.reader, TableReader)
        reader = rebuild_reader(json.loads(json.dumps(dataset.reader.settings())))
        assert reader == dataset.reader and isinstance(reader, ExampleReader)
        return reader, write

    return read


def test_table_reader_finds_columns_by_name_in_any_order(read):
    reader, write = read()
    x = reader.inputs(write("balance,extra,job,age\n7,?,boss,20\n8,words,clerk,21\n"))
    assert x.tolist() == [[20, 1, 0, 7], [21, 0, 1, 8]] and x.dtype == np.float32
    assert reader.feature_names == ["age", "job=boss", "job=clerk", "balance"]


def test_table_reader_puts_the_means_of_the_training_in_place_of_missing_cells(read):
    reader, write = read()
    x = reader.inputs(write("age,job,balance\n,,NaN\n"))
    np.testing.assert_allclose(x, [[40, 1 / 3, 2 / 3, 3.5]], rtol=1e-6)


def test_fill_missing_uses_the_training_part_alone(tmp_path):
    path = tmp_path / "t.csv"
    rows = [f"{'' if i % 5 == 0 else i * i},{i},{'uv'[i % 2]}" for i in range(60)]
    path.write_text("a,b,label\n" + "\n".join(rows))
    with pytest.warns(match="counts the rows"):
        dataset = load("csv", {"path": str(path), "missing": "mean"})
    raw = split(dataset, validation=11, test=13, seed=3)
    _, parts = fill_missing(dataset, raw)
    mean = np.float32(np.nanmean(raw.train.x[:, 0], dtype=np.float64))
    assert np.isnan(dataset.train.x).sum() == 12
    for part, source in zip(parts, raw, strict=True):
        assert part is not None and source is not None
        gaps = np.isnan(source.x)
        assert (part.x[gaps] == mean).all() and (part.x[~gaps] == source.x[~gaps]).all()


def test_fill_missing_refuses_a_feature_that_no_training_example_has(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b,label\n,1,u\n,2,v\n3,3,u\n4,4,v\n")
    dataset = load("csv", {"path": str(path), "missing": "mean"})
    with pytest.raises(UserError, match="expected a value of 'a' in a training example"):
        fill_missing(dataset, split(dataset, train=2, test=2, shuffle=False))


def test_table_reader_examples_have_the_labels_of_the_training(read):
    reader, write = read()
    x, y = reader.examples(write("y,age,job,balance\nyes,1,boss,2\n"))
    assert x.tolist() == [[1, 1, 0, 2]] and y.tolist() == [1]


def test_table_reader_examples_of_numbers(read):
    reader, write = read("a,b,c\n1,2,3\n4,5,6.5\n", label=("c", "a"), categorical=(), ignore=())
    x, y = reader.examples(write("c,b,a\n7,8,9\n"))
    assert reader.target_names == ["c", "a"]
    assert x.tolist() == [[8]] and y.tolist() == [[7, 9]] and y.dtype == np.float32


@pytest.mark.parametrize("with_label", [True, False])
def test_table_reader_without_header_finds_columns_by_position(read, with_label):
    reader, write = read("1,u,2,x\n3,v,4,x\n", label=1, categorical=(), ignore=(-1,), header=False)
    text = "5,u,6,x\n7,v,8,x\n" if with_label else "5,6,x\n7,8,x\n"
    assert reader.inputs(write(text)).tolist() == [[5, 6], [7, 8]]
    if with_label:
        assert reader.examples(write(text)).y.tolist() == [0, 1]


REFUSED = {
    "no such columns": ("age,job\n1,boss\n", "found no 'balance' among 'age', 'job'"),
    "no header": ("1,boss,2\n", "found no 'age', 'job', 'balance' among '1', 'boss', '2'"),
    "a column twice": ("age,job,balance,age\n1,boss,2,3\n", "different names, found 'age' twice"),
    "another category": ("age,job,balance\n1,chief,2\n", "line 2 column 'job': .*'boss', 'clerk', found 'chief'"),
    "a word as number": ("age,job,balance\n1,boss,much\n", "line 2 column 'balance': expected a number, found 'much'"),
    "nothing": ("age,job,balance\n", "expected examples, found none"),
    "empty": ("", "expected rows, found none"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_table_reader_refuses_in_one_line(read, case):
    text, expected = REFUSED[case]
    reader, write = read()
    with pytest.raises(UserError, match=expected) as refusal:
        reader.inputs(write(text))
    assert "\n" not in str(refusal.value)


def test_table_reader_refuses_another_class(read):
    reader, write = read()
    with pytest.raises(UserError, match="line 2: expected a class of the training table, 'no', 'yes', found 'maybe'"):
        reader.examples(write("age,job,balance,y\n1,boss,2,maybe\n"))


def test_table_reader_encodes_another_category_as_zeros_if_told_so(read):
    reader, write = read(unknown="zeros")
    assert reader.inputs(write("age,job,balance\n1,chief,2\n")).tolist() == [[1, 0, 0, 2]]


@pytest.mark.parametrize("missing", ["refuse", "drop"])
def test_table_reader_without_means_refuses_missing_cells(read, missing):
    reader, write = read("a,y\n1,u\n2,v\n", missing=missing, categorical=(), ignore=())
    with pytest.raises(UserError, match="line 3 column 'a': expected a number, found a missing value"):
        reader.inputs(write("a\n1\nNA\n"))


BROKEN = [
    {"features": []},
    {"features": [["a", 0]]},
    {"features": [["a", 0, None], [None, 1, None]]},
    {"means": [1.0, 2.0, 3.0]},
    {"width": 2},
    {"missing": "guess"},
    {"unknown": None},
    {"style": {"delimiter": ","}},
    {"style": 3},
]


@pytest.mark.parametrize("change", BROKEN)
def test_table_reader_refuses_broken_settings(read, change):
    reader, _ = read()
    with pytest.raises(UserError, match="expected"):
        rebuild_reader(reader.settings() | change)
