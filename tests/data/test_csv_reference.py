"""The fast reader of CSV files equals a slow plain one, for every option, in what it reads and in what it refuses."""

import csv
import gzip
import io
import re
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnn.data import load
from jaxnn.data.reader import rebuild_reader
from jaxnn.errors import UserError

NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
CLEAN = st.one_of(
    st.from_regex(r"[+-]?[0-9]{1,6}(\.[0-9]{0,6})?([eE][+-]?[0-9])?", fullmatch=True),
    st.integers(-300, 300).map(str),
    st.floats(-1e30, 1e30, allow_nan=False).map(repr),
    st.just("-999"),
)
ODD = st.sampled_from(
    [
        "",
        "?",
        "NA",
        "nan",
        "inf",
        "-inf",
        "1_2",
        "١",
        "0x1F",
        "1e",
        "e5",
        ".",
        "+",
        "--1",
        "1-2",
        "1e5.5",
        "1e39",
        "1e400",
        "1e-400",
        "5.",
        ".5",
        " 7 ",
        "1 2",
        "1,5",
        "1.5.5",
        "x",
        "1;2",
        "TRUE",
        "1d5",
        "1j",
        "\xa03",
        "-999",
    ]
)
WORD = st.sampled_from(["", "a", "b", "01", "1", "1.0", "?", "NA", " a ", "b;c", "ä", "2"])
MISSING = ("", "?", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null")


class Refused(Exception):
    """What the plain reader raises."""


def plain_number(cell: str, decimal: str, missing: tuple[str, ...]) -> float:
    cell = cell.strip()
    if cell in missing:
        return np.nan
    text = cell if decimal == "." else cell.replace(".", "x").replace(",", ".")
    if not NUMBER.fullmatch(text) or not abs(float(text)) < 3.4e38:
        raise Refused(cell)
    return float(text)


def plain_read(rows: list[list[str]], options: dict[str, Any]) -> tuple[np.ndarray, list[str]]:
    """The features and the labels of a table whose columns are c0, c1, … and, at the position options["at"], y."""
    missing, policy, at = options["missing_values"], options["missing"], options["at"]
    width = len(rows[0])
    names = [f"c{i}" for i in range(width - 1)]
    names.insert(at, "y")
    features = [i for i in range(width) if names[i] not in (*options["ignore"], "y")]
    numbers = [i for i in features if names[i] not in options["categorical"]]
    table = {i: [plain_number(row[i], options["decimal"], missing) for row in rows] for i in numbers}
    words: dict[int, list[str | None]] = {
        i: [None if row[i].strip() in missing else row[i].strip() for row in rows] for i in range(width)
    }
    kept = list(range(len(rows)))
    gaps = {r for i in numbers for r in kept if np.isnan(table[i][r])}
    gaps |= {r for i in features if i not in numbers for r in kept if words[i][r] is None}
    label_gaps = {r for r in kept if words[at][r] is None}
    if policy == "drop":
        kept = [r for r in kept if r not in gaps | label_gaps]
    elif label_gaps or (gaps and policy == "refuse"):
        raise Refused("missing")
    columns = []
    for i in features:
        if i in numbers:
            columns.append([table[i][r] for r in kept])
            continue
        for category in sorted({word for r in kept if (word := words[i][r]) is not None}):
            cells = [words[i][r] for r in kept]
            columns.append([np.nan if cell is None else float(cell == category) for cell in cells])
    labels = [str(words[at][r]) for r in kept]
    if len(set(labels)) < 2 or any(re.fullmatch(NUMBER, y) and not float(y).is_integer() for y in labels):
        raise Refused("labels")
    return np.array(columns, np.float32).T, labels


@st.composite
def tables(draw):
    width, height = draw(st.integers(1, 5)), draw(st.integers(1, 12))
    options: dict[str, Any] = {
        "delimiter": draw(st.sampled_from([",", ";", "\t", "|"])),
        "decimal": draw(st.sampled_from([".", "."]) if draw(st.booleans()) else st.just(",")),
        "missing": draw(st.sampled_from(["refuse", "drop", "mean"])),
        "missing_values": draw(st.sampled_from([MISSING, ("",), ("", "-999"), ("x",)])),
        "label": "y",
    }
    if options["decimal"] == options["delimiter"]:
        options["delimiter"] = ";"
    names = [f"c{i}" for i in range(width)]
    plain = draw(st.booleans())  # numbers alone, without quotes: read in a faster way
    roles = {name: "n" if plain else draw(st.sampled_from("nnnci")) for name in names}
    roles["c0"] = "n" if set(roles.values()) == {"i"} else roles["c0"]
    options["categorical"] = tuple(name for name in names if roles[name] == "c")
    options["ignore"] = tuple(name for name in names if roles[name] == "i")
    options["at"] = at = draw(st.integers(0, width))
    odd = 0 if plain else draw(st.sampled_from([0, 0.05, 0.3]))

    def number():
        cell = draw(ODD) if draw(st.floats(0, 1)) < odd else draw(CLEAN)
        comma = options["decimal"] == "," and draw(st.integers(0, 9))
        return cell.replace(".", ",") if comma else cell

    kinds = {"n": number, "c": lambda: draw(WORD), "i": lambda: draw(ODD)}
    integers = st.integers(-2, 2).map(str) | st.sampled_from(["", "1", "2", "e", "-999"])
    label = integers if plain else draw(st.sampled_from([integers, WORD, st.sampled_from(["u", "v", "w"])]))
    rows = [[kinds[roles[name]]() for name in names] for _ in range(height)]
    for row in rows:
        row.insert(at, draw(label))
    names.insert(at, "y")
    text = io.StringIO()
    quoting = csv.QUOTE_MINIMAL if plain else draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    csv.writer(text, delimiter=options["delimiter"], quoting=quoting, lineterminator=end).writerows([names, *rows])
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
    content = text.getvalue().encode(encoding)
    return rows, options, gzip.compress(content) if draw(st.booleans()) else content


@settings(deadline=None, max_examples=300)
@given(table=tables())
def test_csv_equals_a_plain_reader(tmp_path_factory, table):
    rows, options, content = table
    given_options = {key: value for key, value in options.items() if key != "at"}
    path = tmp_path_factory.getbasetemp() / "reference.csv"
    path.write_bytes(content)
    try:
        expected = plain_read(rows, options)
    except Refused:
        with pytest.raises(UserError) as refusal, warnings.catch_warnings(action="ignore"):
            load("csv", {"path": str(path), **given_options})
        assert "\n" not in str(refusal.value)
        return
    with warnings.catch_warnings(action="ignore"):
        dataset = load("csv", {"path": str(path), **given_options})
    x, labels = expected
    np.testing.assert_array_equal(dataset.train.x, x)
    assert [dataset.classes[label] for label in dataset.train.y] == labels
    assert dataset.reader is not None
    reader = rebuild_reader(dataset.reader.settings())
    assert reader == dataset.reader
    if options["missing"] != "drop":
        np.testing.assert_array_equal(reader.inputs(path), x)
