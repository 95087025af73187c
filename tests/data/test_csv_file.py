"""A CSV file is read exactly; an invalid one is refused with file and line."""

import contextlib
import csv
import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxnn.data import load
from jaxnn.errors import UserError


@pytest.fixture
def write(tmp_path):
    def write(text, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


TABLE = "height,width,kind\n1.5,2,round\n-3,4e-2,square\n5, 6 ,round\n"
FEATURES = np.array([[1.5, 2], [-3, 0.04], [5, 6]], np.float32)


@pytest.mark.parametrize("label", ["kind", 2, -1])
def test_csv_label_is_a_name_or_an_index(write, label):
    dataset = load("csv", {"path": str(write(TABLE)), "label": label})
    assert (dataset.train.x == FEATURES).all() and dataset.train.x.dtype == np.float32
    assert dataset.train.y.tolist() == [0, 1, 0] and dataset.train.y.dtype == np.int32
    assert dataset.classes == ("round", "square")


def test_csv_label_column_may_be_in_the_middle(write):
    x, y = load("csv", {"path": str(write("a,label,b\n1,u,2\n3,v,4\n"))}).train
    assert x.tolist() == [[1, 2], [3, 4]] and y.tolist() == [0, 1]


def test_csv_first_row_of_numbers_is_not_a_header(write):
    rows = TABLE.partition("\n")[2]
    assert (load("csv", {"path": str(write(rows)), "label": -1}).train.x == FEATURES).all()


def test_csv_quotes_delimiter_and_byte_order_mark_are_read(write):
    path = write(b'\xef\xbb\xbf"label";"b, c"\r\n"\xc3\xa9";1\r\n\r\n"z";2\r\n')
    x, y = load("csv", {"path": str(path), "delimiter": ";"}).train
    assert x.tolist() == [[1], [2]] and y.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (("10", "9", "-1"), ("-1", "9", "10")),
        (("2.0", "2", "1e1"), ("2", "10")),
        (("10", "9", "none"), ("10", "9", "none")),
        (("b", "a", "B"), ("B", "a", "b")),
    ],
)
def test_csv_classes_are_sorted_and_integers_by_value(write, labels, classes):
    rows = "".join(f"1,{label}\n" for label in labels)
    dataset = load("csv", {"path": str(write("x,label\n" + rows))})
    assert dataset.classes == classes


def test_csv_relative_path_is_found_in_the_data_folder(write, monkeypatch, tmp_path):
    write(TABLE)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert len(load("csv", {"path": "table.csv", "label": "kind"}, data_dir=tmp_path).train.x) == 3
    with pytest.raises(UserError, match=r"found no table\.csv and no .*nowhere"):
        load("csv", {"path": "table.csv", "label": "kind"}, data_dir=tmp_path / "nowhere")


INVALID = {
    "empty": ("", "expected rows, found none"),
    "header alone": ("a,label\n", "expected rows of features"),
    "no features": ("label\nu\nv\n", "expected rows of features"),
    "no such column": ("a,b\n1,2\n", "expected one column named 'label', found 'a', 'b'"),
    "two such columns": ("label,label,a\n1,2,3\n", "expected one column named"),
    "ragged": ("a,label\n1,u\n1,2,v\n", "line 3: expected 2 columns, found 3"),
    "a word": ("a,label\n1,u\nx,v\n", "line 3 column 0: expected a finite number, found 'x'"),
    "nothing": ("a,label\n1,u\n,v\n", "line 3 column 0"),
    "NaN": ("a,label\n1,u\nnan,v\n", "line 3 column 0"),
    "infinite": ("a,label\n1,u\n-inf,v\n", "line 3 column 0"),
    "infinite in float32": ("a,label\n1,u\n1e39,v\n", "line 3 column 0"),
    "no label": ("a,label\n1,u\n1,\n", "line 3 column 1: expected a label, found nothing"),
    "fraction as label": ("a,label\n1,u\n1,1.5\n", "line 3 column 1: expected a word or a whole number"),
    "NaN as label": ("a,label\n1,u\n1,nan\n", "line 3 column 1: expected a word"),
    "one class": ("a,label\n1,u\n2,u\n", "two or more classes"),
    "open quote": ('a,label\n1,"u\n', "not a CSV file"),
    "vast cell": ("a,label\n1," + "u" * 200_000, "not a CSV file"),
    "latin-1": (b"a,label\n1,\xe9\n", "expected UTF-8"),
    "binary": (bytes(range(256)), "expected"),
}


@pytest.mark.parametrize("case", INVALID)
def test_csv_invalid_file_is_refused_in_one_line(write, case):
    text, expected = INVALID[case]
    with pytest.raises(UserError, match=expected) as refusal:
        load("csv", {"path": str(write(text))})
    assert "\n" not in str(refusal.value)


def test_csv_invalid_options_are_refused(write, tmp_path):
    path = str(write(TABLE))
    cases: list[tuple[dict[str, Any], str]] = [
        ({"label": 3}, "column from 0 to 2, found 3"),
        ({"delimiter": ""}, "one character"),
        ({"delimiter": "::"}, "one character"),
    ]
    for options, expected in cases:
        with pytest.raises(UserError, match=expected):
            load("csv", {"path": path, **options})
    for missing in (tmp_path, tmp_path / "no.csv"):
        with pytest.raises(UserError, match="found"):
            load("csv", {"path": str(missing)})


CELLS = st.floats(-(2.0**99), 2.0**99, width=32, allow_subnormal=False)


@given(rows=st.lists(st.tuples(CELLS, st.integers(0, 99), CELLS), min_size=2, max_size=20))
def test_csv_reads_what_the_csv_module_writes(tmp_path_factory, rows):
    rows = [*rows, (0.0, 100, 0.0)]
    text = io.StringIO()
    csv.writer(text).writerows([("a", "label", "b"), *rows])
    path = tmp_path_factory.getbasetemp() / "written.csv"
    path.write_text(text.getvalue(), newline="")
    dataset = load("csv", {"path": str(path)})
    assert dataset.train.x.tolist() == [[first, last] for first, _, last in rows]
    assert [int(dataset.classes[label]) for label in dataset.train.y] == [label for _, label, _ in rows]


@given(data=st.binary(max_size=200) | st.text(alphabet='01.,"e-\n\r x', max_size=60).map(str.encode))
def test_csv_any_bytes_are_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(data)
    with contextlib.suppress(UserError):
        load("csv", {"path": str(path), "label": -1})
