"""The report as a file, whole or absent."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from jaxnn.errors import UserError
from jaxnn.report.page import Picture, Table, page


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
    """Writes the report beside `path` and renames it there.

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
    path = Path(path)
    # A command line may hold bytes that are no text (lone surrogates): they are shown, not refused.
    text = page(title, command, summary_rows, tables, figures, config_text, manifest)
    content = text.encode("utf-8", "backslashreplace")
    beside = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        beside.write_bytes(content)
        os.replace(beside, path)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(
            f"cannot write the report {path}: {reason}; give a folder that exists and can be written"
        ) from error
    finally:
        beside.unlink(missing_ok=True)
