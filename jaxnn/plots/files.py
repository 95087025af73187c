"""A figure to PNG bytes, always the same for the same figure, and to a file, whole or absent."""

import os
from io import BytesIO
from pathlib import Path

from matplotlib.figure import Figure

from jaxnn.errors import UserError
from jaxnn.plots.style import DPI


def png(figure: Figure) -> bytes:
    """The figure as a PNG, without date or version in its metadata."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()


def save(figure: Figure, path: str | os.PathLike[str]) -> bytes:
    """Writes the figure as a PNG beside `path`, renames it there, and returns the bytes written.

    Raises UserError where the file cannot be written.
    """
    path = Path(path)
    picture = png(figure)
    beside = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        beside.write_bytes(picture)
        os.replace(beside, path)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(
            f"cannot write the figure {path}: {reason}; give a folder that exists and can be written"
        ) from error
    finally:
        beside.unlink(missing_ok=True)
    return picture
