"""The report as one HTML file: it embeds everything, fetches nothing and runs nothing.

Every string passed in is shown as text and is never markup.
"""

import base64
import json
import os
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import NamedTuple
from urllib.parse import quote

from jaxnn.report.html_table import Table, breakable, table_html
from jaxnn.storage.files import atomic_write

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

# With this policy the browser refuses to fetch or run anything, even if a string were not escaped.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


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
    summary = "\n".join(f"<div><dt>{escape(k)}</dt><dd>{breakable(v)}</dd></div>" for k, v in summary_rows)
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
{_sections("Results", "tables", [table_html(table) for table in tables])}
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


def _text(title: str, text: str) -> str:
    # HTML leaves out a line break right after <pre>.
    return f'<section>\n<h3>{escape(title)}</h3>\n<pre class="text">\n{escape(text)}</pre>\n</section>'


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
