"""A figure to PNG bytes, always the same for the same figure, and to a file, whole or absent."""

import os
from io import BytesIO

from matplotlib.figure import Figure

from jaxnn.plots.style import DPI
from jaxnn.storage.files import atomic_write


def png(figure: Figure) -> bytes:
    """The figure as a PNG, without date or version in its metadata."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()


def save(figure: Figure, path: str | os.PathLike[str]) -> bytes:
    """Writes the figure as a PNG, whole or not at all, and returns the bytes written.

    Raises UserError where the file cannot be written.
    """
    picture = png(figure)
    atomic_write(path, picture)
    return picture
