"""A table for the eye, and the same rows as JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from jaxnn.errors import UserError
from jaxnn.report.cells import format_cell
from jaxnn.storage.files import write_whole


def show(
    title: str, rows: Sequence[Mapping[str, Any]], file: Path | None = None, *, width: int = 0, **facts: Any
) -> None:
    """Prints rows, all of the same keys; writes `{"title": …, "rows": […], **facts}` to `file`, where one is given.

    width: of the table at the least where it goes to no terminal
    """
    table = Table(title=title, title_justify="left", title_style="bold")
    for key in rows[0] if rows else ():
        number = all(isinstance(row[key], int | float | Mapping) for row in rows)
        table.add_column(key, justify="right" if number else "left")
    for row in rows:
        table.add_row(*(format_cell(value) for value in row.values()))
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, width)
    console.print(table)
    if file is not None:
        write_json(file, {"title": title, "rows": list(rows), **facts})


def write_json(file: Path, content: Any) -> None:
    """Writes JSON; raises `UserError` where the file cannot be written."""
    if file.is_dir():
        raise UserError(f"--json {file}: expected a file, found a folder")
    write_whole(file, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())
