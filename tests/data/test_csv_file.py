"""A CSV file is read exactly, with every option."""

import gzip
from typing import Any

import numpy as np
import pytest

from jaxnn.data import load
from jaxnn.errors import DataWarning, UserError


@pytest.fixture
def write(tmp_path):
    def write(text, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


TABLE = "height,width,kind\n1.5,2,round\n-3,4e-2,square\n5, 6 ,round\n"
FEATURES = np.array([[1.5, 2], [-3, 0.04], [5, 6]], np.float32)


@pytest.mark.parametrize("label", ["kind", 2, -1])
def test_csv_label_is_a_name_or_an_index(write, label):
    dataset = load("csv", {"path": write(TABLE), "label": label})
    assert (dataset.train.x == FEATURES).all() and dataset.train.x.dtype == np.float32
    assert dataset.train.y.tolist() == [0, 1, 0] and dataset.train.y.dtype == np.int32
    assert dataset.classes == ("round", "square")


def test_csv_label_column_may_be_in_the_middle(write):
    x, y = load("csv", {"path": write("a,label,b\n1,u,2\n3,v,4\n")}).train
    assert x.tolist() == [[1, 2], [3, 4]] and y.tolist() == [0, 1]


#: name -> (content, options, x, labels, classes): files that are read, and what they hold
READ: dict[str, tuple[str | bytes, dict[str, Any], list[list[float]], list[int], tuple[str, ...]]] = {
    "numbers alone": ("1,2,0\n3,4,1\n", {"label": -1}, [[1, 2], [3, 4]], [0, 1], ("0", "1")),
    "header of words": ("a,b,c\n1,2,0\n3,4,1\n", {"label": -1}, [[1, 2], [3, 4]], [0, 1], ("0", "1")),
    "header by option": ("1,2,0\n3,4,1\n5,6,2\n", {"label": 2, "header": True}, [[3, 4], [5, 6]], [0, 1], ("1", "2")),
    "no header by option": (
        "x,2,u\n3,4,v\n",
        {"label": 2, "header": False, "ignore": (0,)},
        [[2], [4]],
        [0, 1],
        ("u", "v"),
    ),
    "missing in the first row": (
        "?,2,0\n3,4,1\n5,6,0\n",
        {"label": -1, "missing_values": ("", "-1"), "categorical": (0,), "header": False},
        [[0, 0, 1, 2], [1, 0, 0, 4], [0, 1, 0, 6]],
        [0, 1, 0],
        ("0", "1"),
    ),
    "all forms of a number": (
        "a,label\n+1,u\n-.5,v\n2.,u\n3e2,v\n4E-1,u\n 7 ,v\n007,u\n",
        {},
        [[1], [-0.5], [2], [300], [0.4], [7], [7]],
        [0, 1, 0, 1, 0, 1, 0],
        ("u", "v"),
    ),
    "index left out": (",a,label\n0,1,u\n1,2,v\n", {"ignore": (0,)}, [[1], [2]], [0, 1], ("u", "v")),
    "trailing delimiter left out": ("a,label,\n1,u,\n2,v,\n", {"ignore": -1}, [[1], [2]], [0, 1], ("u", "v")),
    "sep=": ("sep=;\r\na;label\r\n1;u\r\n2;v\r\n", {"delimiter": ";"}, [[1], [2]], [0, 1], ("u", "v")),
    "sep=tab": ("sep=\t\na\tlabel\n1\tu\n2\tv\n", {"delimiter": "tab"}, [[1], [2]], [0, 1], ("u", "v")),
    "tab": ("a\tlabel\n1\tu\n2\tv\n", {"delimiter": "\t"}, [[1], [2]], [0, 1], ("u", "v")),
    "tab as two characters": ("a\tlabel\n1\tu\n2\tv\n", {"delimiter": "\\t"}, [[1], [2]], [0, 1], ("u", "v")),
    "UTF-8 with a mark": (
        b'\xef\xbb\xbf"label";"b, c"\r\n"\xc3\xa9";1\r\n\r\n"z";2\r\n',
        {"delimiter": ";"},
        [[1], [2]],
        [1, 0],
        ("z", "é"),
    ),
    "UTF-16 with a mark": ("a,label\n1,é\n2,z\n".encode("utf-16"), {}, [[1], [2]], [1, 0], ("z", "é")),
    "UTF-16 without a mark": (
        "a,label\n1,é\n2,z\n".encode("utf-16-le"),
        {"encoding": "utf-16"},
        [[1], [2]],
        [1, 0],
        ("z", "é"),
    ),
    "Windows": ("a,label\n1,é\n2,z\n".encode("cp1252"), {"encoding": "cp1252"}, [[1], [2]], [1, 0], ("z", "é")),
    "gzip": (gzip.compress(b"a,label\n1,u\n2,v\n"), {}, [[1], [2]], [0, 1], ("u", "v")),
    "old Macintosh line ends": ("a,label\r1,u\r2,v\r", {}, [[1], [2]], [0, 1], ("u", "v")),
    "blank lines": ("\n\na,label\n\n1,u\n   \n2,v\n\n", {}, [[1], [2]], [0, 1], ("u", "v")),
    "decimal comma": (
        "a;label\n1,5;u\n-2,5e1;v\n",
        {"delimiter": ";", "decimal": ","},
        [[1.5], [-25]],
        [0, 1],
        ("u", "v"),
    ),
    "quoted delimiter and line end": (
        'a,label\n1,"u, ""w""\nx"\n2,v\n',
        {},
        [[1], [2]],
        [0, 1],
        ('u, "w"\nx', "v"),
    ),
    "categories": (
        "age,job,label\n30,clerk,u\n40,admin.,v\n50,clerk,u\n",
        {"categorical": "job"},
        [[30, 0, 1], [40, 1, 0], [50, 0, 1]],
        [0, 1, 0],
        ("u", "v"),
    ),
    "numbers as categories": (
        "zip,label\n01,u\n1,v\n",
        {"categorical": ("zip",)},
        [[1, 0], [0, 1]],
        [0, 1],
        ("u", "v"),
    ),
    "columns left out": (
        "date,a,id,label\n2020-01-02,1,x7,u\n,2,?,v\n",
        {"ignore": ("date", "id")},
        [[1], [2]],
        [0, 1],
        ("u", "v"),
    ),
    "a number that is missing": (
        "a,b,label\n1,2,u\n-999,3,v\n4,5,v\n",
        {"missing": "mean", "missing_values": ("-999",)},
        [[1, 2], [np.nan, 3], [4, 5]],
        [0, 1, 1],
        ("u", "v"),
    ),
    "a number that is missing in the first row": (
        "-999,2,0\n3,4,1\n5,6,0\n",
        {"label": -1, "missing": "mean", "missing_values": ("-999",)},
        [[np.nan, 2], [3, 4], [5, 6]],
        [0, 1, 0],
        ("0", "1"),
    ),
    "marked as UTF-8 in another encoding": (
        "\ufeffa,größe\n1,ä\n2,ö\n",
        {"label": "größe", "encoding": "cp1252"},
        [[1], [2]],
        [0, 1],
        ("ä", "ö"),
    ),
    "missing kept": (
        "a,job,label\n,clerk,u\n3,NA,v\n5,boss,v\n",
        {"missing": "mean", "categorical": "job"},
        [[np.nan, 0, 1], [3, np.nan, np.nan], [5, 1, 0]],
        [0, 1, 1],
        ("u", "v"),
    ),
}


@pytest.mark.parametrize("case", READ)
def test_csv_file_is_read_exactly(write, case):
    content, options, x, labels, classes = READ[case]
    dataset = load("csv", {"path": write(content), **options})
    np.testing.assert_array_equal(dataset.train.x, np.array(x, np.float32))
    assert dataset.train.y.tolist() == labels and dataset.classes == classes


@pytest.mark.parametrize(
    "labels",
    [
        ("01", "1", "x"),
        ("2.0", "2", "1e1"),
        ("1.0", "2.0", "10.0"),
        ("10", "9", "none"),
        ("b", "a", "B"),
        ("0", "-0", "+0"),
    ],
)
def test_csv_classes_are_the_words_of_the_file(write, labels):
    rows = "".join(f"{i},{label}\n" for i, label in enumerate(labels))
    dataset = load("csv", {"path": write("x,label\n" + rows)})
    assert set(dataset.classes) == set(labels)
    assert tuple(dataset.classes[label] for label in dataset.train.y) == labels


def test_csv_classes_of_integers_are_sorted_by_value(write):
    assert load("csv", {"path": write("x,label\n1,10\n2,9\n3,-1\n")}).classes == ("-1", "9", "10")


@pytest.mark.parametrize("options", [{"label": ("b", "c")}, {"label": "b", "targets": "numbers", "ignore": ("c",)}])
def test_csv_numeric_targets_are_columns_of_float32(write, options):
    dataset = load("csv", {"path": write("a,b,c\n1,2,3\n4,5.5,6e1\n"), **options})
    assert dataset.train.x.tolist() == [[1], [4]] and dataset.classes == ()
    expected = [[2, 3], [5.5, 60]] if "targets" not in options else [[2], [5.5]]
    assert dataset.train.y.tolist() == expected and dataset.train.y.dtype == np.float32


def test_csv_missing_rows_are_dropped_with_a_warning(write):
    path = write("a,job,label\n1,x,u\n,x,v\n3,?,v\n4,y,\n5,y,v\n")
    with pytest.warns(DataWarning, match="3 of 5 rows have missing values and are left out"):
        x, y = load("csv", {"path": path, "missing": "drop", "categorical": "job"}).train
    assert x.tolist() == [[1, 1, 0], [5, 0, 1]] and y.tolist() == [0, 1]


def test_csv_second_file_is_the_test_part(write):
    path, test_path = write(TABLE), write("kind,width,height\nsquare,1,2\n", "test.csv")
    dataset = load("csv", {"path": path, "label": "kind", "test_path": test_path})
    assert dataset.test is not None
    assert dataset.test.x.tolist() == [[2, 1]] and dataset.test.y.tolist() == [1]


def test_csv_relative_path_is_found_in_the_data_folder(write, monkeypatch, tmp_path):
    write(TABLE)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert len(load("csv", {"path": "table.csv", "label": "kind"}, data_dir=tmp_path).train.x) == 3
    with pytest.raises(UserError, match=r"found no table\.csv and no .*nowhere.*; give its path, or put it there"):
        load("csv", {"path": "table.csv", "label": "kind"}, data_dir=tmp_path / "nowhere")
    monkeypatch.delenv("JAXNN_DATA_DIR", raising=False)
    with pytest.raises(UserError, match=r"found no table\.csv; give its path, or name the folder .* by --data-dir"):
        load("csv", {"path": "table.csv", "label": "kind"})
