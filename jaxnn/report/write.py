"""The report as a file, whole or absent."""

import os
from collections.abc import Mapping, Sequence

from jaxnn.report.page import Picture, Table, page
from jaxnn.storage.files import atomic_write


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
) -> None:
    """Writes the report, whole or not at all.

    Args:
        title: what was run, in a line.
        command: the command line that repeats it.
        summary_rows: (name, value), the few numbers that a reader wants first.
        tables: each with its title, header and rows, all strings.
        figures: each with its title, PNG and a text that says what it shows.
        config_text: the resolved config as TOML.
        manifest: what the run was made with; shown as JSON.

    Raises UserError where the file cannot be written, ValueError where a table or a figure is malformed.
    """
    # A command line may hold bytes that are no text (lone surrogates): they are shown, not refused.
    text = page(title, command, summary_rows, tables, figures, config_text, manifest)
    atomic_write(path, text.encode("utf-8", "backslashreplace"))
