"""The report's HTML: everything inside, nothing fetched, nothing run; whatever it is told is text, never markup."""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import NamedTuple

SIGNATURE = b"\x89PNG\r\n\x1a\n"
NUMBER = re.compile(r"[-+−]?\d[\d., ]*(e[-+−]?\d+)?( ?± ?[\d.,]+)?( ?[%a-zA-Zµ/]{1,5})?|[-–—]|[-−]?(nan|inf)")

# The browser itself then refuses to fetch or run anything, even if an escape were missing.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


class Table(NamedTuple):
    """A table under its title; every row is as long as the header, and all are strings."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


class Picture(NamedTuple):
    """A PNG with its title and `alt`, which tells one who cannot see it what it shows."""

    title: str
    png: bytes
    alt: str


def page(
    title: str,
    command: str,
    summary_rows: Sequence[tuple[str, str]],
    tables: Sequence[Table],
    figures: Sequence[Picture],
    config_text: str,
    manifest: Mapping[str, object],
) -> str:
    """The whole page; see `write_report` for what each part is."""
    style = files("jaxnn.report").joinpath("style.css").read_text("utf-8")
    facts = "\n".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in summary_rows)
    made_with = json.dumps(manifest, indent=2, ensure_ascii=False, default=str)
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
<pre class="command"><code>{escape(command)}</code></pre>
{f"<dl>{facts}</dl>" if facts else ""}
</header>
{_part("Results", "tables", [_table(table) for table in tables])}
{_part("Figures", "figures", [_figure(picture) for picture in figures])}
<h2>How this was made</h2>
<details><summary>Config</summary><pre><code>{escape(config_text)}</code></pre></details>
<details><summary>Manifest</summary><pre><code>{escape(made_with)}</code></pre></details>
</main>
</body>
</html>
"""


def _part(heading: str, kind: str, sections: Sequence[str]) -> str:
    return "\n".join([f'<h2>{heading}</h2>\n<div class="{kind}">', *sections, "</div>"]) if sections else ""


def _table(table: Table) -> str:
    wrong = [len(row) for row in table.rows if len(row) != len(table.header)]
    if wrong:
        raise ValueError(f"expected {len(table.header)} cells in each row of table {table.title!r}, found {wrong[0]}")
    # a column of numbers stands to the right, so that its digits line up
    numeric = [
        bool(table.rows) and all(NUMBER.fullmatch(row[i].strip()) for row in table.rows)
        for i in range(len(table.header))
    ]
    kinds = [' class="number"' if right else "" for right in numeric]
    head = "".join(f'<th scope="col"{kind}>{escape(c)}</th>' for kind, c in zip(kinds, table.header, strict=True))
    body = "\n".join(
        f"<tr>{''.join(f'<td{kind}>{escape(c)}</td>' for kind, c in zip(kinds, row, strict=True))}</tr>"
        for row in table.rows
    )
    return f"""<section>
<h3>{escape(table.title)}</h3>
<div class="scroll"><table>
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody>
</table></div>
</section>"""


def _figure(picture: Picture) -> str:
    if not picture.png.startswith(SIGNATURE) or len(picture.png) < 24:
        raise ValueError(f"expected a PNG for figure {picture.title!r}, found {picture.png[:8]!r}")
    if not picture.alt.strip():
        raise ValueError(f"expected a text that says what figure {picture.title!r} shows, found none")
    # width and height stand at the front of every PNG; with them the page does not jump while it opens
    width, height = (int.from_bytes(picture.png[i : i + 4], "big") for i in (16, 20))
    data = base64.b64encode(picture.png).decode("ascii")
    return f"""<section>
<h3>{escape(picture.title)}</h3>
<figure>
<img src="data:image/png;base64,{data}" width="{width}" height="{height}" alt="{escape(picture.alt)}">
<figcaption>{escape(picture.alt)}</figcaption>
</figure>
</section>"""
