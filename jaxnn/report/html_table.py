"""Tables as HTML, which fit the screen of a phone."""

import re
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

_NUMBER = r"[-+−]?\d[\d.,]*(?:e[-+−]?\d+)?"
#: 97.6, 1,000, 10 12 14, -2.5e-3, 50.86 ± 25, 50.86 ± 25 (12 … 90.5), 3.1 s, nan
NUMERIC_CELL = re.compile(
    rf"{_NUMBER}(?: {_NUMBER})*(?: ?± ?{_NUMBER})?(?: \({_NUMBER} … {_NUMBER}\))?(?: ?[%a-zA-Zµ/]{{1,5}})?"
    r"|[-−]?(?:nan|inf)"
)
#: So many columns fit the screen of a phone, where names are broken; more of them do when they have so few characters.
MAX_NARROW_COLUMNS, MAX_NARROW_CHARACTERS = 4, 44
MISSING_CELLS = ("", "-", "–", "—")


class Table(NamedTuple):
    """A table with its title. Every row has as many cells as the header; all cells are strings."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def table_html(table: Table) -> str:
    """A section with the table and its title. Raises ValueError for a row that has not as many cells as the header."""
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
        f'<th scope="col"{a}>{breakable(cell)}</th>' for a, cell in zip(attributes, table.header, strict=True)
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


def breakable(text: str) -> str:
    """Text as HTML, where a dotted name may be broken after each of its parts."""
    return re.sub(r"(?<=\w[._])(?=\w)", "<wbr>", escape(text))


def _cell(text: str) -> str:
    """A cell as HTML. A spread over seeds, "50.86 ± 25 (12 … 90.5)", is broken before its bracket and nowhere else.

    A name such as balanced_accuracy is broken after a part, so that a table of few columns fits the screen of a phone.
    """
    if not NUMERIC_CELL.fullmatch(text):
        return breakable(text)
    spread, bracket, bounds = text.partition(" (")
    return f"<span>{escape(spread)}</span> <span>({escape(bounds)}</span>" if bracket else escape(text)


def _is_numeric(cells: Sequence[str]) -> bool:
    """Whether a column has numbers and, beside them, at most missing values."""
    present = [cell.strip() for cell in cells if cell.strip() not in MISSING_CELLS]
    return bool(present) and all(NUMERIC_CELL.fullmatch(cell) for cell in present)
