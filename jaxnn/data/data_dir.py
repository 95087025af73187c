"""Finds the user's files: by their path, or in the data folder (``data_dir`` or JAXNN_DATA_DIR)."""

import os
from pathlib import Path

from jaxnn.errors import UserError
from jaxnn.storage.files import expand_user

DATA_DIR_VARIABLE = "JAXNN_DATA_DIR"


def data_folder(data_dir: str | os.PathLike[str] | None) -> Path | None:
    """The data folder: the argument if there is one, else the environment variable, else None."""
    folder = data_dir or os.environ.get(DATA_DIR_VARIABLE)
    return expand_user(folder) if folder else None


def find_path(path: str | os.PathLike[str], data_dir: str | os.PathLike[str] | None) -> Path:
    """The user's file or folder ``path``. A relative path is tried in the current folder, then in the data folder.

    Raises UserError if neither has it.
    """
    folder, path = data_folder(data_dir), expand_user(path)
    candidates = [path] if folder is None or path.is_absolute() else [path, folder / path]
    for candidate in candidates:
        if candidate.exists():
            return candidate
    remedy = (
        f"or name the folder that holds it by --data-dir or {DATA_DIR_VARIABLE}"
        if folder is None
        else "or put it there"
    )
    raise UserError(f"found no {' and no '.join(map(str, candidates))}; give its path, {remedy}")
