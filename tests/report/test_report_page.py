"""The report is one file that shows everything it was given, as text, and fetches nothing."""

import base64
import json
import re
from html.parser import HTMLParser

import pytest

from jaxnn.errors import UserError
from jaxnn.report import Picture, Table, write_report

# The smallest PNG head that says its size: 7 by 5 pixels.
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x07\x00\x00\x00\x05" + bytes(range(256))
VOID = {"meta", "link", "img", "br"}
ATTACKS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onload='alert(1)",
    "</style></title></pre></details><iframe src=https://example.org>",
    "&lt;b&gt; &amp; \x00 \ud800 {0} $title %s",
)


class Page(HTMLParser):
    """The tags, attributes and texts of a page; fails where tags do not nest."""

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
    )
    return path.read_bytes().decode("utf-8")


@pytest.mark.parametrize("text", ATTACKS)
def test_hostile_text_makes_no_tag_and_no_attribute(tmp_path, text):
    hostile, harmless = Page(report(tmp_path, text)), Page(report(tmp_path))
    assert hostile.tags == harmless.tags
    kept = {"alt"}
    assert [a for a in hostile.attributes if a[1] not in kept] == [a for a in harmless.attributes if a[1] not in kept]


def test_text_is_shown_as_it_was_written_wherever_it_stands(tmp_path):
    text = ATTACKS[1]
    page = Page(report(tmp_path, text, figures=1))
    shown = "".join(page.text)
    # title twice, command, name and value, table title, header, two rows, figure title, caption, config,
    # and twice in the manifest, after a quotation mark that JSON escapes
    assert shown.count(text) == 14 and shown.count(json.dumps(text)) == 2
    assert ("img", "alt", text) in page.attributes


def test_nothing_is_fetched_and_nothing_runs(tmp_path):
    text = report(tmp_path)
    page = Page(text)
    for tag, name, value in page.attributes:
        if name in ("src", "href", "srcset", "action", "data", "poster"):
            assert value.startswith("data:"), (tag, value)
        assert not name.startswith("on")
    assert not {"script", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    assert not re.search(r"https?:|//\w|@import|url\(", re.sub(r'src="data:[^"]*"', "", text))
    assert any(value.startswith("default-src 'none'") for _, name, value in page.attributes if name == "content")


def test_every_figure_is_inside_whole_with_its_size_and_words(tmp_path):
    page = Page(report(tmp_path, "words", figures=3))
    sources = [value for tag, name, value in page.attributes if (tag, name) == ("img", "src")]
    assert [base64.b64decode(s.removeprefix("data:image/png;base64,")) for s in sources] == [
        PNG + bytes([i]) for i in range(3)
    ]
    images = [(name, value) for tag, name, value in page.attributes if tag == "img"]
    assert images.count(("width", "7")) == images.count(("height", "5")) == images.count(("alt", "words")) == 3


def test_numbers_stand_to_the_right_and_words_to_the_left(tmp_path):
    text = report(tmp_path, "word")
    assert '<td>word</td><td class="number">-2.5e-3</td>' in text


def test_light_and_dark_and_config_folded(tmp_path):
    text = report(tmp_path)
    assert "prefers-color-scheme: dark" in text
    assert Page(text).tags.count("details") == 2 and "<details open" not in text


def test_the_same_run_gives_the_same_bytes(tmp_path):
    assert report(tmp_path) == report(tmp_path)


def test_parts_that_are_empty_have_no_heading(tmp_path):
    path = tmp_path / "report.html"
    write_report(path, title="t", command="c", summary_rows=[], tables=[], figures=[], config_text="", manifest={})
    page = Page(path.read_text("utf-8"))
    assert page.tags.count("h2") == 1 and "dl" not in page.tags


@pytest.mark.parametrize(
    ("tables", "figures", "said"),
    [
        ([Table("t", ("a", "b"), [("1",)])], [], "expected 2 cells"),
        ([], [Picture("f", b"GIF89a", "alt")], "expected a PNG"),
        ([], [Picture("f", PNG, " ")], "what figure 'f' shows"),
    ],
)
def test_a_malformed_part_is_named_and_nothing_is_written(tmp_path, tables, figures, said):
    with pytest.raises(ValueError, match=said):
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


def test_a_failed_write_leaves_the_older_report(tmp_path, monkeypatch):
    before = report(tmp_path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(UserError, match=r"report\.html: No space left"):
        report(tmp_path, "another")
    assert [p.read_bytes().decode() for p in tmp_path.iterdir()] == [before]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(UserError, match="folder that exists"):
        report(tmp_path / "absent")
