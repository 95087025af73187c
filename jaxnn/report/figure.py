"""A figure of a report."""

from typing import NamedTuple

import matplotlib.figure


class Figure(NamedTuple):
    """A figure with the name of its file, its title, and what it shows in words."""

    name: str
    title: str
    figure: matplotlib.figure.Figure
    alt: str
