"""CSV files of every option and of odd cells, and what they hold, as a strategy of hypothesis."""

import csv
import gzip
import io
from typing import Any, NamedTuple

from hypothesis import strategies as st

CLEAN = st.one_of(
    st.from_regex(r"[+-]?[0-9]{1,6}(\.[0-9]{0,6})?([eE][+-]?[0-9])?", fullmatch=True),
    st.integers(-300, 300).map(str),
    st.floats(-1e30, 1e30, allow_nan=False).map(repr),
    st.just("-999"),
)
ODD = st.sampled_from(
    [
        "", "?", "NA", "nan", "inf", "-inf", "1_2", "١", "0x1F", "1e", "e5", ".", "+", "--1", "1-2", "1e5.5", "1e39",
        "1e400", "1e-400", "5.", ".5", " 7 ", "1 2", "1,5", "1.5.5", "x", "1;2", "TRUE", "1d5", "1j", "\xa03", "-999",
    ]
)  # fmt: skip
WORD = st.sampled_from(["", "a", "b", "01", "1", "1.0", "?", "NA", " a ", "b;c", "ä", "2"])
INTEGER = st.integers(-2, 2).map(str) | st.sampled_from(["", "1", "2", "e", "-999"])
NAME = st.sampled_from(["2019", "2020", "1e5", "", "NA", "height", " c0 ", "c1", "0", "1"])
MISSING = ("", "?", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null")


class Table(NamedTuple):
    """A file for a test.

    names: the header; None without one
    roles: what each column is: n a number, c a word, i left out, y a target
    rows, test: the rows of the file and of a second one
    options: the options of `csv_file`, without the paths
    content, test_content: the bytes of both files
    """

    names: list[str] | None
    roles: list[str]
    rows: list[list[str]]
    test: list[list[str]]
    options: dict[str, Any]
    content: bytes
    test_content: bytes

    @property
    def numeric_targets(self) -> bool:
        targets = self.options["targets"]
        return targets == "numbers" or (targets == "auto" and isinstance(self.options["label"], tuple))

    def columns(self, *roles: str) -> list[int]:
        return [i for i, role in enumerate(self.roles) if role in roles]


def encoded(text: str, encoding: str, *, marked: bool) -> bytes:
    """The text in an encoding, or in UTF-8 or UTF-16 with a byte order mark, which takes precedence."""
    if not marked:
        try:
            return text.encode("utf-16-le" if encoding == "utf-16" else encoding)
        except UnicodeEncodeError:
            pass
    return text.encode("utf-16" if len(text) % 2 else "utf-8-sig")


@st.composite
def tables(draw):
    width, plain = draw(st.integers(1, 5)), draw(st.booleans())  # plain: numbers without quotes, read in a faster way
    options: dict[str, Any] = {
        "delimiter": draw(st.sampled_from([",", ";", "\t", "|"])),
        "decimal": draw(st.sampled_from([".", ".", ".", ","])),
        "missing": draw(st.sampled_from(["refuse", "drop", "mean"])),
        "missing_values": draw(st.sampled_from([MISSING, ("",), ("", "-999"), ("x",)])),
        "unknown": draw(st.sampled_from(["refuse", "zeros"])),
        "encoding": draw(st.sampled_from(["utf-8", "utf-8", "utf-16", "cp1252", "latin-1"])),
    }
    if options["decimal"] == options["delimiter"]:
        options["delimiter"] = ";"
    roles = ["n" if plain else draw(st.sampled_from("nnnci")) for _ in range(width)]
    roles[0] = "n" if set(roles) == {"i"} else roles[0]
    numeric = draw(st.booleans())
    num_targets = draw(st.integers(1, 3)) if numeric else 1
    for _ in range(num_targets):
        roles.insert(draw(st.integers(0, len(roles))), "y")
    clean = draw(st.booleans())  # neither odd nor missing cells, so that most tables are read
    odd = 0 if plain or clean else draw(st.sampled_from([0, 0.05, 0.3]))
    words = st.sampled_from(["u", "v", "w", "x", "y"]) if clean else WORD
    labels = words if clean else draw(st.sampled_from([INTEGER, WORD, st.sampled_from(["1", "2"])]))

    def number():
        cell = draw(ODD) if draw(st.floats(0, 1)) < odd else draw(CLEAN)
        return cell.replace(".", ",") if options["decimal"] == "," and draw(st.integers(0, 9)) else cell

    kinds = {"n": number, "c": lambda: draw(words), "i": lambda: draw(ODD)}
    kinds["y"] = number if numeric else lambda: draw(labels)
    rows, test = ([[kinds[role]() for role in roles] for _ in range(draw(st.integers(1, n)))] for n in (12, 4))
    if draw(st.integers(0, 3)):  # labels, and perhaps words, of the second file that the first one has
        others = draw(st.sampled_from(["n", "nc"]))
        test = [
            [
                cell if role in others else rows[i % len(rows)][k]
                for k, (cell, role) in enumerate(zip(row, roles, strict=True))
            ]
            for i, row in enumerate(test)
        ]

    way = draw(st.sampled_from(["names", "indices", "none"]))
    names = [f"c{i}" for i in range(len(roles))]
    if way == "indices" and draw(st.booleans()):
        years = [str(2019 + i) for i in range(len(roles))]
        names = years if draw(st.booleans()) else [draw(NAME) for _ in roles]
    options["header"] = draw(st.sampled_from([way != "none", "auto"]))

    def key(i: int) -> str | int:
        return names[i] if way == "names" else draw(st.sampled_from([i, i - len(roles)]))

    targets = draw(st.permutations([i for i, role in enumerate(roles) if role == "y"]))
    label = tuple(key(i) for i in targets)
    as_list = num_targets > 1 or draw(st.booleans())
    options["label"] = label if as_list else label[0]
    options["targets"] = draw(st.sampled_from(["numbers", "auto"] if as_list else ["numbers"])) if numeric else (
        "classes" if as_list else draw(st.sampled_from(["classes", "auto"]))
    )  # fmt: skip
    for option, role in (("categorical", "c"), ("ignore", "i")):
        options[option] = tuple(key(i) for i in range(len(roles)) if roles[i] == role)

    def content(rows: list[list[str]], order: list[int]) -> bytes:
        text = io.StringIO()
        end = draw(st.sampled_from(["\n", "\r\n"]))
        if draw(st.integers(0, 5)) == 0:
            text.write(f"sep={options['delimiter']}{end}")
        quoting = csv.QUOTE_MINIMAL if plain else draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
        lines = [names, *rows] if way != "none" else rows
        writer = csv.writer(text, delimiter=options["delimiter"], quoting=quoting, lineterminator=end)
        writer.writerows([row[i] for i in order] for row in lines)
        data = encoded(text.getvalue(), options["encoding"], marked=draw(st.booleans()))
        return gzip.compress(data) if draw(st.booleans()) else data

    order = list(range(len(roles)))
    second = order if way == "none" else draw(st.permutations(order))
    return Table(
        None if way == "none" else names, roles, rows, test, options, content(rows, order), content(test, second)
    )
