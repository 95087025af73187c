"""A small table that was dropped on the page: two columns of numbers and one of classes, as the config's own points."""

import csv
import io
from typing import Any

from jaxnn.data.number_cells import parse_number
from jaxnn.data.plane import MAX_POINTS
from jaxnn.data.table_text import Style
from jaxnn.errors import UserError

DELIMITERS = ",;\t"


def points_of_table(text: str) -> dict[str, Any]:
    """The data table of a config, `[data]` with name = "points", for the rows of a CSV text.

    The first row may hold names. Columns are separated by commas, semicolons or tabs.
    Raises `UserError`, with the line, for a table of another form.
    """
    first = text.removeprefix("\ufeff").split("\n", 1)[0]
    delimiter = max(DELIMITERS, key=first.count)
    rows = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=delimiter)
    style = Style(delimiter)
    across, up, labels = [], [], []
    try:
        for i, row in enumerate(rows):
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if len(cells) != 3:
                raise UserError(
                    f"line {rows.line_num}: expected two numbers and a class, found {len(cells)} cells; `jaxnn play "
                    'CONFIG` with [data] name = "csv" takes wider tables'
                )
            numbers = [parse_number(cell if delimiter == "," else cell.replace(",", "."), style) for cell in cells[:2]]
            if None in numbers:
                if i == 0:
                    continue  # the names of the columns
                raise UserError(
                    f"line {rows.line_num}: expected two numbers and a class, found {', '.join(cells)[:60]!r}"
                )
            across.append(round(float(numbers[0] or 0), 6))
            up.append(round(float(numbers[1] or 0), 6))
            labels.append(cells[2])
            if len(labels) > MAX_POINTS:
                raise UserError(f"expected at most {MAX_POINTS:,} rows, found more")
    except csv.Error as error:
        raise UserError(f"line {rows.line_num}: expected a table of text, found {error}") from error
    return {"name": "points", "across": across, "up": up, "labels": labels}
