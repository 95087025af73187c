"""Tables on the screen, and the same rows as JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from jaxnn.errors import UserError
from jaxnn.report.cells import format_cell
from jaxnn.storage.files import atomic_write


def print_table(
    title: str,
    rows: Sequence[Mapping[str, Any]],
    file: Path | None = None,
    *,
    min_width: int = 0,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Prints rows, all with the same keys, as a table.

    file: if given, also write `{"title": …, "rows": […]}` and the entries of `facts` to this file as JSON
    min_width: the smallest width in characters where the output is no terminal
    """
    table = Table(title=title, title_justify="left", title_style="bold")
    for key in rows[0] if rows else ():
        number = all(isinstance(row[key], int | float | Mapping) for row in rows)
        table.add_column(key, justify="right" if number else "left")
    for row in rows:
        table.add_row(*(format_cell(value) for value in row.values()))
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, min_width)
    console.print(table)
    if file is not None:
        write_json(file, {"title": title, "rows": list(rows), **(facts or {})})


def write_json(file: Path, content: Any) -> None:
    """Writes JSON to the file of `--json`. Raises `UserError` if it cannot be written."""
    if file.is_dir():
        raise UserError(f"--json {file}: expected a file, found a folder")
    atomic_write(file, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())
