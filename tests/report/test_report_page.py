"""The report is one file that shows all its arguments as text and fetches nothing."""

import base64
import json
import re
from html.parser import HTMLParser
from importlib.resources import files

import pytest

from jaxnn.errors import UserError
from jaxnn.report import Headline, Picture, Table, page, write_report

# The start of a PNG up to its size, 7 × 5 pixels, with data after it.
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x07\x00\x00\x00\x05" + bytes(range(256))
VOID = {"meta", "link", "img", "br", "wbr"}
ATTACKS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onload='alert(1)",
    "</style></title></pre></details><iframe src=https://example.org>",
    "&lt;b&gt; &amp; \x00 \ud800 {0} $title %s",
)


class Page(HTMLParser):
    """The tags, attributes and texts of a page; fails if tags are not properly nested."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def report(tmp_path, text: str = "plain", figures: int = 3) -> str:
    path = tmp_path / "report.html"
    write_report(
        path,
        title=text,
        command=text,
        summary_rows=[(text, text)],
        tables=[Table(text, (text, "n"), [(text, "1"), (text, "-2.5e-3")])],
        figures=[Picture(text, PNG + bytes([i]), text) for i in range(figures)],
        config_text=text,
        manifest={text: [text, None, 1.5]},
        links=[text],
        texts=[(text, text)],
        headline=Headline(text, text, text, [text]),
    )
    return path.read_bytes().decode("utf-8")


@pytest.mark.parametrize("text", ATTACKS)
def test_report_adds_no_tag_or_attribute_for_hostile_text(tmp_path, text):
    hostile, harmless = Page(report(tmp_path, text)), Page(report(tmp_path))
    assert [tag for tag in hostile.tags if tag != "wbr"] == harmless.tags
    shown = ("alt", "data-label", "href")
    assert [a for a in hostile.attributes if a[1] not in shown] == [a for a in harmless.attributes if a[1] not in shown]
    assert [a[:2] for a in hostile.attributes] == [a[:2] for a in harmless.attributes]


def test_report_shows_text_verbatim_everywhere(tmp_path):
    text = ATTACKS[1]
    parsed = Page(report(tmp_path, text, figures=1))
    shown = "".join(parsed.text)
    # Title twice, headline with its value, note and story, command, name and value, link, table title, header, two
    # rows, figure title, caption, config, and in the manifest twice, where JSON escapes its quotation marks.
    assert shown.count(text) == 21 and shown.count(json.dumps(text)) == 2
    assert ("img", "alt", text) in parsed.attributes


def test_report_fetches_nothing_and_runs_nothing(tmp_path):
    text = report(tmp_path)
    parsed = Page(text)
    for tag, name, value in parsed.attributes:
        if (tag, name) == ("a", "href"):  # followed by the reader alone; a file beside the report
            assert value.startswith("./") and "//" not in value and ":" not in value
        elif name in ("src", "href", "srcset", "action", "data", "poster"):
            assert value.startswith("data:"), (tag, value)
        assert not name.startswith("on")
    assert not {"script", "iframe", "object", "embed", "base", "form"} & set(parsed.tags)
    assert not re.search(r"https?:|//\w|@import|url\(", re.sub(r'src="data:[^"]*"', "", text))
    assert any(value.startswith("default-src 'none'") for _, name, value in parsed.attributes if name == "content")


def test_report_embeds_every_figure_with_its_size_and_alt_text(tmp_path):
    parsed = Page(report(tmp_path, "words", figures=3))
    sources = [value for tag, name, value in parsed.attributes if (tag, name) == ("img", "src")]
    assert [base64.b64decode(s.removeprefix("data:image/png;base64,")) for s in sources] == [
        PNG + bytes([i]) for i in range(3)
    ]
    images = [(name, value) for tag, name, value in parsed.attributes if tag == "img"]
    assert images.count(("width", "7")) == images.count(("height", "5")) == images.count(("alt", "words")) == 3


def test_table_aligns_numbers_right_and_words_left(tmp_path):
    text = report(tmp_path, "word")
    assert '<td>word</td><td class="number">-2.5e-3</td>' in text


def test_dotted_names_are_broken_after_a_part_alone():
    html = page(
        "t", "c", [("k", "by validation.loss")], [Table("t", ("optimizer.learning_rate",), [["x"]])], [], "", {}
    )
    names = page("t", "c", [], [Table("t", ("a", "b"), [["balanced_accuracy %", "0.9876"]])], [], "", {})
    assert "<td>balanced_<wbr>accuracy %</td>" in names and ">0.9876</td>" in names
    assert "<dd>by validation.<wbr>loss</dd>" in html and ">optimizer.<wbr>learning_<wbr>rate</th>" in html


def test_spread_of_seeds_is_broken_before_its_bracket_alone():
    html = page("t", "c", [], [Table("t", ("a",), [["2.5e-05 ± 1.2e-06 (2.3e-05 … 2.7e-05)"]])], [], "", {})
    assert "<span>2.5e-05 ± 1.2e-06</span> <span>(2.3e-05 … 2.7e-05)</span></td>" in html
    assert style_rules()["td span"].strip() == "white-space: nowrap;"
    assert "<span>" not in page("t", "c", [], [Table("t", ("a",), [["words (of a kind)"]])], [], "", {})


def test_cells_of_a_wide_table_carry_the_name_of_their_column():
    wide = page("t", "c", [], [Table("t", list("abcde"), [["123.45678"] * 5])], [], "", {})
    assert '<table class="wide">' in wide and '<td class="number" data-label="e">123.45678</td>' in wide


@pytest.mark.parametrize(("columns", "cell"), [("abcd", "123.45678"), ("abcde", "0.9876")])
def test_table_that_fits_a_phone_stays_a_table(columns, cell):
    narrow = page("t", "c", [], [Table("t", list(columns), [[cell] * len(columns)])], [], "", {})
    assert "wide" not in narrow.partition("<body>")[2] and "data-label" not in narrow.partition("<body>")[2]


def test_style_breaks_no_word_that_fits_and_lets_cells_wrap():
    rules = style_rules()
    assert "anywhere" not in rules["dd"] and "nowrap" not in rules["th, td"]


def style_rules() -> dict[str, str]:
    """The body of each rule of the style sheet, by selector."""
    style = re.sub(r"/\*.*?\*/", "", files("jaxnn.report").joinpath("style.css").read_text("utf-8"), flags=re.DOTALL)
    return {selector.strip(): body for selector, body in re.findall(r"([^{}]+)\{([^{}]*)\}", style)}


def column_alignments(*rows: tuple[str, ...]) -> list[bool]:
    """Whether each column of a table with these rows is right-aligned as numeric, header and cells alike."""
    header = tuple(f"column {i}" for i in range(len(rows[0])))
    html = page("t", "c", [], [Table("t", header, rows)], [], "", {})
    cells = re.findall(r"<t[hd]( [^>]*)?>", html.partition("<table>")[2].partition("</table>")[0])
    numeric = ['class="number"' in attributes for attributes in cells]
    columns = [numeric[i :: len(header)] for i in range(len(header))]
    assert all(len(column) == 1 + len(rows) and len(set(column)) == 1 for column in columns)
    return [column[0] for column in columns]


@pytest.mark.parametrize(
    "cell",
    ["48", "50.86 ± 25", "50.86 ± 25 (12 … 90.5)", "2.5e-05 ± 1.2e-06 (2.3e-05 … 2.7e-05)", "-1,000", "97.6 %", "nan"],
)
def test_table_column_of_numbers_is_right_aligned(cell):
    assert column_alignments(("word", cell), ("word", "1"), ("word", "–"), ("word", "")) == [False, True]


@pytest.mark.parametrize("cell", ["diverged", "above all 20: no reason known", "(1 … 2)", "± 3", "1 to 2", "", "–"])
def test_table_column_without_numbers_only_is_left_aligned(cell):
    assert column_alignments((cell, "1"), (cell, "2")) == [False, True]


def test_table_columns_have_a_gap_for_every_alignment():
    """Every inner cell has padding on both sides: "48" and "50.86" in neighbouring columns must not read 4850.86."""
    rules = style_rules()
    paddings = re.findall(r"padding[\w-]*: ([^;]+);", rules.pop("th, td"))
    assert len(paddings) == 1
    lengths = paddings[0].split()
    assert len(lengths) == 2  # vertical and horizontal, so left and right are equal
    least = re.fullmatch(r"clamp\((\.?[\d.]+)rem,.+\)", lengths[1])
    assert least and float(least[1]) >= 0.5
    # Only the outer edges of the table may remove the padding again.
    assert rules.pop(":is(th, td):first-child").strip() == "padding-left: 0;"
    assert rules.pop(":is(th, td):last-child").strip() == "padding-right: 0;"
    # The cells of a wide table on a narrow screen stand one below the other.
    rules = {s: body for s, body in rules.items() if not s.startswith(".wide")}
    cell_rules = {s: body for s, body in rules.items() if re.search(r"\bt[hdr]\b|\.number|^\*|table|tbody", s)}
    assert "text-align: right" in cell_rules[".number"] and "border-collapse: collapse" in cell_rules["table"]
    assert not any("padding" in body for body in cell_rules.values())


def test_report_has_a_dark_theme_and_a_folded_config(tmp_path):
    text = report(tmp_path)
    assert "prefers-color-scheme: dark" in text
    assert Page(text).tags.count("details") == 2 and "<details open" not in text


def test_report_is_deterministic(tmp_path):
    assert report(tmp_path) == report(tmp_path)


def test_report_omits_headings_of_empty_sections(tmp_path):
    path = tmp_path / "report.html"
    write_report(path, title="t", command="c", summary_rows=[], tables=[], figures=[], config_text="", manifest={})
    parsed = Page(path.read_text("utf-8"))
    assert parsed.tags.count("h2") == 1 and "dl" not in parsed.tags


@pytest.mark.parametrize(
    ("tables", "figures", "message"),
    [
        ([Table("t", ("a", "b"), [("1",)])], [], "expected 2 cells"),
        ([], [Picture("f", b"GIF89a", "alt")], "expected a PNG"),
        ([], [Picture("f", PNG, " ")], "expected an alt text for figure 'f'"),
    ],
)
def test_report_error_names_a_malformed_part_and_writes_no_file(tmp_path, tables, figures, message):
    with pytest.raises(ValueError, match=message):
        write_report(
            tmp_path / "report.html",
            title="t",
            command="c",
            summary_rows=[],
            tables=tables,
            figures=figures,
            config_text="",
            manifest={},
        )
    assert not list(tmp_path.iterdir())


def test_report_write_error_keeps_the_older_report(tmp_path, monkeypatch):
    before = report(tmp_path)

    def disk_full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", disk_full)
    with pytest.raises(UserError, match=r"report\.html: No space left"):
        report(tmp_path, "another")
    assert [p.read_bytes().decode() for p in tmp_path.iterdir()] == [before]


def test_report_write_error_names_a_missing_folder(tmp_path):
    with pytest.raises(UserError, match="folder that exists"):
        report(tmp_path / "absent")
