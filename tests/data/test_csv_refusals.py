"""A CSV file that cannot be read exactly is refused with file, line, column and remedy; odd columns are warned of."""

import contextlib
import gzip
import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnn.data import load
from jaxnn.errors import DataWarning, UserError

TABLE = "height,width,kind\n1.5,2,round\n-3,4e-2,square\n5, 6 ,round\n"


@pytest.fixture
def write(tmp_path):
    def write(text, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


NUMBERS = "\n".join(f"{i},{i % 7},{i % 2}" for i in range(50))
#: name -> (content, options, the end of the message): files that are refused
REFUSED: dict[str, tuple[str | bytes, dict[str, Any], str]] = {
    "empty": ("", {}, "expected rows, found none"),
    "header alone": ("a,label\n", {}, "expected rows of features and a label, found none"),
    "no features": ("label\nu\nv\n", {}, "expected rows of features and a label, found no features"),
    "no such column": (
        "a,lable\n1,2\n",
        {},
        "label: expected one column named 'label', found 'a', 'lable'; did you mean 'lable'",
    ),
    "no such column to leave out": ("a,label\n1,2\n", {"ignore": "dat"}, "ignore: expected one column named 'dat'"),
    "no such index": ("a,label\n1,2\n", {"label": 3}, "label: expected a column from 0 to 1, found 3"),
    "another delimiter": ("a;label\n1;2\n", {}, "found 'a;label'; set delimiter = ';'"),
    "two such columns": ("label,label,a\n1,2,3\n", {}, "expected one column named 'label'"),
    "features of one name": ("a,a,label\n1,2,3\n", {}, "expected columns of different names, found 'a' 2 times"),
    "a column twice": ("a,label\n1,2\n", {"ignore": ("a", 0)}, "ignore: expected different columns, found 0 twice"),
    "a feature as label": (
        "a,label\n1,2\n",
        {"categorical": "label"},
        "categorical: expected columns other than the label",
    ),
    "nameless index": (
        ",a,label\n0,1,u\n1,2,v\n",
        {},
        r"found none for column 0 .*index.*ignore = \[0\] leaves it out",
    ),
    "nameless end": ("a,label,\n1,u,\n2,v,\n", {}, r"found none for column 2 .*delimiter.*ignore = \[-1\]"),
    "ragged": ("a,label\n1,u\n1,2,v\n", {}, "line 3: expected 2 columns, found 3"),
    "trailing delimiter": (
        "a,label\n1,u,\n",
        {},
        "line 2: expected 2 columns, found 3; remove the delimiter at the end",
    ),
    "ragged in the numbers": (NUMBERS + "\n1,2\n", {"label": -1}, "line 51: expected 3 columns, found 2"),
    "row names without a name": ("a,label\nr1,1,u\n", {}, "line 2: .*a header that lacks a name"),
    "a word": ("a,label\n1,u\nx,v\n", {}, r"line 3 column 'a': expected a number, found 'x'; categorical = \[\"a\"\]"),
    "words": ("a,b,c,label\nx,1,y,u\n", {}, r"line 2 column 'a': .*categorical = \[\"a\", \"c\"\].*ignore = \[\"a\"\]"),
    "a word without header": (
        "1,x,u\n2,3,v\n",
        {"header": False, "label": -1},
        r"line 1 column 1: .*categorical = \[1\]",
    ),
    "a date": ("a,day,label\n1,2020-01-02,u\n", {}, r"line 2 column 'day': .*date or time: ignore = \[\"day\"\]"),
    "a time": ("a,at,label\n1,12:30,u\n", {}, r"line 2 column 'at': .*date or time"),
    "nothing": (
        "a,label\n1,u\n,v\n",
        {},
        "line 3 column 'a': expected a number, found a missing value; missing = .drop.",
    ),
    "NaN": ("a,label\n1,u\nnan,v\n", {}, "line 3 column 'a': expected a number, found a missing value"),
    "not yet missing": ("a,label\n1,u\n--,v\n", {}, "line 3 column 'a': .*add '--' to missing_values"),
    "infinite": ("a,label\n1,u\n-inf,v\n", {}, "line 3 column 'a': .*write a finite number"),
    "infinite in float32": ("a,label\n1,u\n1e39,v\n", {}, r"line 3 column 'a': .*at most 3\.4e\+38"),
    "underscore": ("a,label\n1_2,u\n1,v\n", {}, "line 2 column 'a': .*found '1_2'; write it in plain digits"),
    "thousands": ('a,label\n"1,234,000",u\n', {}, "line 2 column 'a': .*write it in plain digits"),
    "currency": ("a,label\n$5,u\n", {}, "line 2 column 'a': .*write it in plain digits"),
    "hexadecimal": ("a,label\n0x1F,u\n1,v\n", {}, "line 2 column 'a': expected a number"),
    "other digits": ("a,label\n\u0661,u\n1,v\n", {}, "line 2 column 'a': .*digits 0 to 9"),
    "decimal comma": ("a;label\n1,5;u\n", {"delimiter": ";"}, "line 2 column 'a': .*decimal = \",\" reads"),
    "quoted decimal comma": ('a,label\n"1,5",u\n', {}, "line 2 column 'a': .*write it with a point"),
    "decimal point": (
        "a;label\n1.5;u\n",
        {"delimiter": ";", "decimal": ","},
        "line 2 column 'a': .*decimal = \".\" reads",
    ),
    "no label": ("a,label\n1,u\n1,\n", {}, "line 3 column 'label': expected a label, found a missing value"),
    "no label, means": ("a,label\n1,u\n1,\n", {"missing": "mean"}, "line 3 column 'label': expected a label"),
    "fraction as label": (
        "a,label\n1,u\n1,1.5\n",
        {},
        "line 3: expected a word or an integer as class, found '1.5'; targets",
    ),
    "word as target": ("a,b\n1,x\n", {"label": ("b",)}, "line 2 column 'b': .*targets = .classes. takes words"),
    "several columns of classes": (
        "a,b,c\n1,x,y\n",
        {"label": ("b", "c"), "targets": "classes"},
        "one column of classes",
    ),
    "one class": ("a,label\n1,u\n2,u\n", {}, "two or more classes"),
    "labels that do not repeat": (
        NUMBERS,
        {"label": 0},
        "expected classes that repeat, found 50 labels in 50 rows; targets",
    ),
    "identifier": ("id,a,label\n" + NUMBERS, {}, r"column 'id': .*an identifier.*ignore = \[\"id\"\]"),
    "categories that do not repeat": (
        "day,a,label\n" + NUMBERS,
        {"categorical": "day"},
        "column 'day': expected categories that repeat",
    ),
    "header or example": ("x,2,0\n3,4,1\n", {"label": -1}, "line 1: .*set header = true or header = false"),
    "header or example of words": (
        "x,y\n3,4\n",
        {"label": -1, "categorical": 0},
        "set header = true or header = false",
    ),
    "column numbers as header": (
        "0,1,2\n5,6,1\n7,8,0\n",
        {"label": -1},
        "line 1: .*the numbers of the columns; set header",
    ),
    "column numbers after an index": (",0,1,2\n0,5,6,1\n", {"label": -1}, "line 1: .*the numbers of the columns"),
    "nothing is missing": (
        "a,label\n1,u\n,v\n",
        {"missing_values": ()},
        "line 3 column 'a': .*add '' to missing_values",
    ),
    "years as header": ("1990,1991,kind\n3,4,1\n5,6,0\n", {"label": -1}, "line 1: .*found 'kind'; set header = true"),
    "years as header of words": (
        "1990,kind\n3,u\n5,v\n5,u\n5,v\n",
        {"label": -1},
        "line 1: .*found 'kind'; set header = true",
    ),
    "names without header": ("1,2\n3,4\n", {"label": "a", "header": False}, "expected one column named 'a'"),
    "names and no header": (
        "a,label\n3,4\n",
        {"header": False},
        "expected columns by their index, found a column by its name",
    ),
    "open quote": ('a,label\n1,"u\n', {}, "line 2: .*found a quote out of place"),
    "text after a quote": ('a,label\n1,"u"x\n', {}, "line 2: .*found a quote out of place"),
    "vast word": ("a,label\n1," + "u" * 200_000 + "\n2,v\n", {}, "expected words of at most 200 characters"),
    "latin-1": (b"a,label\n1,\xe9\n", {}, "expected text in UTF-8, .*encoding = 'cp1252'"),
    "UTF-16 without a mark": ("a,label\n1,u\n".encode("utf-16-le"), {}, "null characters; encoding = 'utf-16'"),
    "sep= of another delimiter": (
        "sep=;\na;label\n1;u\n",
        {},
        "line 1: expected the delimiter ',', .*set delimiter = ';'",
    ),
    "HTML": ("\n<!DOCTYPE html>\n<html>", {}, "found an HTML page"),
    "cut gzip": (gzip.compress(b"a,label\n1,u\n" * 99)[:-9], {}, "gzip file is cut short"),
    "delimiter of no character": (TABLE, {"delimiter": ""}, "delimiter: expected one character"),
    "delimiter of two": (TABLE, {"delimiter": "::"}, "delimiter: expected one character"),
    "delimiter of a number": (TABLE, {"delimiter": "."}, "delimiter: expected one character"),
    "delimiter as decimal": (TABLE, {"decimal": ","}, "expected a character other than the delimiter"),
    "label of no column": (TABLE, {"label": ()}, "label: expected a column or several, found none"),
    "binary": (bytes(range(256)), {}, "expected"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_csv_invalid_file_is_refused_in_one_line(write, case):
    content, options, expected = REFUSED[case]
    with pytest.raises(UserError, match=expected) as refusal:
        load("csv", {"path": write(content), **options})
    assert "\n" not in str(refusal.value) and len(str(refusal.value)) < 600


def test_csv_absent_file_is_refused(tmp_path):
    for absent in (tmp_path, tmp_path / "no.csv"):
        with pytest.raises(UserError, match="found"):
            load("csv", {"path": str(absent)})


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("a,b,label\n1,2,u\n1,3,v\n", r"column 'a': has one value in all rows.*ignore = \[\"a\"\]"),
        ("a,b,label\n1,x,u\n2,x,v\n", r"column 'b': has one value in all rows.*ignore = \[\"b\"\]"),
        ("t,a,label\n" + NUMBERS, r"column 't': counts the rows.*ignore = \[\"t\"\]"),
    ],
)
def test_csv_column_that_teaches_nothing_is_warned_of(write, text, warning):
    with pytest.warns(DataWarning, match=warning):
        load("csv", {"path": write(text), "categorical": "b" if "x" in text else ()})


@settings(deadline=None)
@given(data=st.binary(max_size=200) | st.text(alphabet='01.,"e-\n\r x', max_size=60).map(str.encode))
def test_csv_any_bytes_are_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(data)
    with contextlib.suppress(UserError), warnings.catch_warnings(action="ignore"):
        load("csv", {"path": str(path), "label": -1})
