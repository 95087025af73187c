"""Tables on the screen, and the same rows as JSON."""

import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from jaxnn.cli import terminal
from jaxnn.report.cells import format_cell
from jaxnn.storage.files import atomic_write, json_bytes

#: Words of at most so many characters, all numbers among them, are never split.
LONGEST_WORD = 24
#: Columns of the padding and the line between two columns.
SEPARATOR = 3


def print_table(
    title: str,
    rows: Sequence[Mapping[str, Any]],
    file: Path | None = None,
    *,
    facts: Mapping[str, Any] | None = None,
    cell: Callable[[Any], str] = format_cell,
) -> None:
    """Prints rows, all with the same keys, as a table; below one another where the screen is too narrow for it.

    No number is ever cut or split. In a pipe or a file every row is one line, unless COLUMNS is set.
    file: if given, also write `{"title": …, "rows": […]}` and the entries of `facts` to this file as JSON
    cell: how a value looks
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"

    def text(value: object) -> str:
        return terminal.printable(" ".join(str(value).split("\n")), encoding)

    header = [text(key) for key in (rows[0] if rows else ())]
    cells = [[text(cell(value)) for value in row.values()] for row in rows]
    terminal.print_text(text(title))
    width = terminal.output_width()
    widths = column_widths([header, *cells], width)
    if widths is None:
        assert width is not None
        terminal.print_text(stacked(header, cells, width))
    else:
        table = Table()
        for i, (name, column_width) in enumerate(zip(header, widths, strict=True)):
            values = [list(row.values())[i] for row in rows]
            number = all(isinstance(value, int | float | Mapping) or value == "" for value in values)
            justify = "right" if number else "left"
            table.add_column(Text(name), justify=justify, width=column_width, overflow="fold")
        for texts in cells:
            table.add_row(*map(Text, texts))
        terminal.print_renderable(table, sum(widths) + SEPARATOR * len(widths) + 1)
    if file is not None:
        write_json(file, {"title": title, "rows": list(rows), **(facts or {})})


def print_scores(
    title: str, rows: Sequence[Mapping[str, Any]], file: Path | None = None, *, facts: Mapping[str, Any] | None = None
) -> None:
    """Prints the rows of `score_rows` with a row for each metric. `file` gets them as they are."""
    from jaxnn.report.score_table import metric_rows

    print_table(title, metric_rows(rows))
    if file is not None:
        write_json(file, {"title": title, "rows": list(rows), **(facts or {})})


def column_widths(lines: Sequence[Sequence[str]], width: int | None) -> list[int] | None:
    """The width of each column of a table that fits into `width`; None where no number may be split for that.

    The widest columns wrap first.
    """
    columns = list(zip(*lines, strict=True))
    widths = [max(Text(cell).cell_len for cell in column) for column in columns]
    smallest = [max(longest_word(cell) for cell in column) for column in columns]
    if width is None:
        return widths
    excess = sum(widths) + SEPARATOR * len(widths) + 1 - width
    for _ in range(excess):
        slack = [i for i in range(len(widths)) if widths[i] > smallest[i]]
        if not slack:
            return None
        widths[max(slack, key=lambda i: widths[i])] -= 1
    return widths


def longest_word(cell: str) -> int:
    """The width of the longest word that is not split."""
    return max((min(Text(word).cell_len, LONGEST_WORD) for word in cell.split()), default=0)


def stacked(header: Sequence[str], cells: Sequence[Sequence[str]], width: int) -> str:
    """Rows as lines `name: value`, with an empty line between two rows; long values wrap between their words."""
    blocks = []
    for row in cells:
        pairs = [f"{name}: {cell}" if name else cell for name, cell in zip(header, row, strict=True) if cell]
        lines = [
            textwrap.fill(pair, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
            for pair in pairs
        ]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def write_json(file: Path, content: Any) -> None:
    """Writes JSON to the file of `--json`. Raises `UserError` if it cannot be written."""
    atomic_write(file, json_bytes(content))
