"""A column of a training table, by its name or its place."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from jaxnn.data.table_layout import column_title, option_key


class Column(NamedTuple):
    """A column of the training table.

    name: its name; None in a table without a header
    position: its index in the training table, which counts where there is no header
    categories: the words of a categorical column, each of which is a feature; None for a column of numbers
    """

    name: str | None
    position: int
    categories: tuple[str, ...] | None = None

    @property
    def title(self) -> str:
        """The column in a message: "column 'age'", or "column 3" without a header."""
        return column_title(self.name, self.position)

    @property
    def key(self) -> str:
        """The column as an option names it: "age" in quotes, or its index."""
        return option_key(self.position if self.name is None else self.name)

    @property
    def feature_names(self) -> list[str]:
        """A name for each feature of the column: "age", or "job=clerk" for a category."""
        name = f"column {self.position}" if self.name is None else self.name
        return [name] if self.categories is None else [f"{name}={category}" for category in self.categories]


def rebuild_column(column: Sequence[Any]) -> Column:
    """The column of what a file holds of it. Raises TypeError or ValueError for something else."""
    name, position, categories = column
    return Column(
        None if name is None else str(name),
        int(position),
        None if categories is None else tuple(str(category) for category in categories),
    )
