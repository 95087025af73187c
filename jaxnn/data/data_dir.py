"""Where the user's own files are: the data folder."""

import os
from pathlib import Path

from jaxnn.errors import UserError

VARIABLE = "JAXNN_DATA_DIR"


def data_folder(data_dir: str | os.PathLike[str] | None) -> Path | None:
    """The folder that was named, by argument or else by the environment; None if by neither."""
    named = data_dir or os.environ.get(VARIABLE)
    return Path(named).expanduser() if named else None


def find(path: str | os.PathLike[str], data_dir: str | os.PathLike[str] | None) -> Path:
    """A file or folder of the user's: looked for as ``path`` says, then, if relative, in the data folder.

    Raises UserError when it is in neither.
    """
    folder, given = data_folder(data_dir), Path(path).expanduser()
    places = [given] if folder is None or given.is_absolute() else [given, folder / given]
    for place in places:
        if place.exists():
            return place
    raise UserError(f"found no {' and no '.join(str(place) for place in places)}; give its path")
