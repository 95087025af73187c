"""The report as one HTML file: it embeds everything, fetches nothing and runs nothing.

Every string passed in is shown as text and is never markup.
"""

import base64
import json
import os
import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import NamedTuple
from urllib.parse import quote

from jaxnn.storage.files import atomic_write

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_NUMBER = r"[-+−]?\d[\d.,]*(?:e[-+−]?\d+)?"
#: 97.6, 1,000, 10 12 14, -2.5e-3, 50.86 ± 25, 50.86 ± 25 (12 … 90.5), 3.1 s, nan
NUMERIC_CELL = re.compile(
    rf"{_NUMBER}(?: {_NUMBER})*(?: ?± ?{_NUMBER})?(?: \({_NUMBER} … {_NUMBER}\))?(?: ?[%a-zA-Zµ/]{{1,5}})?"
    r"|[-−]?(?:nan|inf)"
)
#: So many columns fit the screen of a phone, where names are broken; more of them do when they have so few characters.
MAX_NARROW_COLUMNS, MAX_NARROW_CHARACTERS = 4, 44
MISSING_CELLS = ("", "-", "–", "—")

# With this policy the browser refuses to fetch or run anything, even if a string were not escaped.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


class Table(NamedTuple):
    """A table with its title. Every row has as many cells as the header; all cells are strings."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


class Headline(NamedTuple):
    """What a reader wants to know first: a name, its value, a line about how sure it is, and what it is of.

    story: what was trained, a line each
    """

    name: str
    value: str
    note: str = ""
    story: Sequence[str] = ()


class Picture(NamedTuple):
    """A PNG with its title and `alt`, a text that describes the image for a reader who cannot see it."""

    title: str
    png: bytes
    alt: str


def write_report(
    path: str | os.PathLike[str],
    *,
    title: str,
    command: str,
    summary_rows: Sequence[tuple[str, str]],
    tables: Sequence[Table],
    figures: Sequence[Picture],
    config_text: str,
    manifest: Mapping[str, object],
    links: Sequence[str] = (),
    texts: Sequence[tuple[str, str]] = (),
    headline: Headline | None = None,
    curves: Sequence[tuple[str, str]] = (),
) -> None:
    """Writes the report atomically; the arguments are those of `page`.

    Raises UserError if the file cannot be written, ValueError if a table or a figure is malformed.
    """
    text = page(title, command, summary_rows, tables, figures, config_text, manifest, links, texts, headline, curves)
    # A command line may contain bytes that are not valid text (lone surrogates); they are shown as escapes.
    atomic_write(path, text.encode("utf-8", "backslashreplace"))


def page(
    title: str,
    command: str,
    summary_rows: Sequence[tuple[str, str]],
    tables: Sequence[Table],
    figures: Sequence[Picture],
    config_text: str,
    manifest: Mapping[str, object],
    links: Sequence[str] = (),
    texts: Sequence[tuple[str, str]] = (),
    headline: Headline | None = None,
    curves: Sequence[tuple[str, str]] = (),
) -> str:
    """The HTML of the report: how well it went, the curves, the results with their figures, how to repeat it.

    Args:
        title: what was run, in one line.
        command: the command line that repeats the run.
        summary_rows: (name, value) of the most important results, shown first.
        tables: each with its title, header and rows.
        figures: each with its title, PNG and alt text.
        config_text: the resolved config as TOML.
        manifest: environment and provenance of the run, shown as JSON.
        links: names of files beside the report, which it links to.
        texts: (title, text) of texts that a model wrote, with their line breaks.
        headline: what the page begins with.
        curves: (title, HTML) of `jaxnn.report.interactive_curves`, whose HTML is taken as it is.
    """
    files_beside = " · ".join(
        f'<a href="./{quote(name, errors="backslashreplace")}">{escape(name)}</a>' for name in links
    )
    style = files("jaxnn.report").joinpath("style.css").read_text("utf-8")
    summary = "\n".join(f"<div><dt>{escape(k)}</dt><dd>{_breakable(v)}</dd></div>" for k, v in summary_rows)
    manifest_text = json.dumps(manifest, indent=2, ensure_ascii=False, default=str)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<style>
{style}</style>
</head>
<body>
<main>
<header>
<h1>{escape(title)}</h1>
{"" if headline is None else _headline(headline)}
{f"<dl>{summary}</dl>" if summary else ""}
</header>
{_sections("Learning curves", "curve-figures", [_curve(title, figure) for title, figure in curves])}
{_sections("Results", "tables", [_table(table) for table in tables])}
{_sections("Samples", "texts", [_text(title, text) for title, text in texts])}
{_sections("Figures", "figures", [_figure(picture) for picture in figures])}
<h2>How to repeat it</h2>
<pre class="command"><code>{escape(command)}</code></pre>
{f'<p class="files">Files: {files_beside}</p>' if files_beside else ""}
<details><summary>Config</summary><pre><code>{escape(config_text)}</code></pre></details>
<details><summary>Manifest</summary><pre><code>{escape(manifest_text)}</code></pre></details>
</main>
</body>
</html>
"""


def _headline(headline: Headline) -> str:
    story = "".join(f"<p>{escape(line)}</p>" for line in headline.story)
    note = f"<span>{escape(headline.note)}</span>" if headline.note else ""
    value = f"<strong>{escape(headline.value)}</strong>"
    return f'<div class="headline"><p class="figure"><b>{escape(headline.name)}</b>{value}{note}</p>{story}</div>'


def _curve(title: str, figure: str) -> str:
    return f"<section>\n<h3>{escape(title)}</h3>\n{figure}\n</section>"


def _sections(heading: str, css_class: str, sections: Sequence[str]) -> str:
    return "\n".join([f'<h2>{heading}</h2>\n<div class="{css_class}">', *sections, "</div>"]) if sections else ""


def _table(table: Table) -> str:
    columns = len(table.header)
    wrong_lengths = [len(row) for row in table.rows if len(row) != columns]
    if wrong_lengths:
        raise ValueError(
            f"expected {columns} cells in each row of table {table.title!r}, found {wrong_lengths[0]}; "
            "give every row as many cells as the header"
        )
    # A numeric column is right-aligned, so that its digits line up.
    attributes = [' class="number"' if _is_numeric([row[i] for row in table.rows]) else "" for i in range(columns)]
    head = "".join(
        f'<th scope="col"{a}>{_breakable(cell)}</th>' for a, cell in zip(attributes, table.header, strict=True)
    )
    # On a narrow screen the cells of a wide table stand one below the other, each beside the name of its column.
    is_wide = _is_wide(table)
    labels = [f' data-label="{escape(name)}"' if is_wide else "" for name in table.header]
    cells = [a + label for a, label in zip(attributes, labels, strict=True)]
    body = "\n".join(
        f"<tr>{''.join(f'<td{a}>{_cell(cell)}</td>' for a, cell in zip(cells, row, strict=True))}</tr>"
        for row in table.rows
    )
    css_class = ' class="wide"' if is_wide else ""
    return f"""<section>
<h3>{escape(table.title)}</h3>
<div class="scroll"><table{css_class}>
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody>
</table></div>
</section>"""


def _is_wide(table: Table) -> bool:
    """Whether the columns do not fit beside each other on the screen of a phone. Two characters are between them."""
    columns = list(zip(table.header, *table.rows, strict=True))
    characters = sum(max(map(len, column)) + 2 for column in columns)
    return len(columns) > MAX_NARROW_COLUMNS and characters > MAX_NARROW_CHARACTERS


def _breakable(text: str) -> str:
    """Text as HTML, where a dotted name may be broken after each of its parts."""
    return re.sub(r"(?<=\w[._])(?=\w)", "<wbr>", escape(text))


def _cell(text: str) -> str:
    """A cell as HTML. A spread over seeds, "50.86 ± 25 (12 … 90.5)", is broken before its bracket and nowhere else.

    A name such as balanced_accuracy is broken after a part, so that a table of few columns fits the screen of a phone.
    """
    if not NUMERIC_CELL.fullmatch(text):
        return _breakable(text)
    spread, bracket, bounds = text.partition(" (")
    return f"<span>{escape(spread)}</span> <span>({escape(bounds)}</span>" if bracket else escape(text)


def _text(title: str, text: str) -> str:
    # HTML leaves out a line break right after <pre>.
    return f'<section>\n<h3>{escape(title)}</h3>\n<pre class="text">\n{escape(text)}</pre>\n</section>'


def _is_numeric(cells: Sequence[str]) -> bool:
    """Whether a column has numbers and, beside them, at most missing values."""
    present = [cell.strip() for cell in cells if cell.strip() not in MISSING_CELLS]
    return bool(present) and all(NUMERIC_CELL.fullmatch(cell) for cell in present)


def _figure(picture: Picture) -> str:
    if not picture.png.startswith(PNG_SIGNATURE) or len(picture.png) < 24:
        raise ValueError(
            f"expected a PNG for figure {picture.title!r}, found {picture.png[:8]!r}; pass the bytes of `plots.png`"
        )
    if not picture.alt.strip():
        raise ValueError(f"expected an alt text for figure {picture.title!r}, found none; describe what it shows")
    # A PNG starts with its width and height; with them the page does not shift while it loads.
    width, height = (int.from_bytes(picture.png[i : i + 4], "big") for i in (16, 20))
    data = base64.b64encode(picture.png).decode("ascii")
    return f"""<section>
<h3>{escape(picture.title)}</h3>
<figure>
<img src="data:image/png;base64,{data}" width="{width}" height="{height}" alt="{escape(picture.alt)}">
<figcaption>{escape(picture.alt)}</figcaption>
</figure>
</section>"""
