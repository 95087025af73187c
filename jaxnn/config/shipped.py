"""The configs that come with the package, by name. Imports neither JAX nor pydantic."""

import os
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from jaxnn.config.errors import suggest
from jaxnn.errors import UserError
from jaxnn.storage.files import expand_user

#: The keys of `[data]` that name a file or a folder of the data folder.
_FILES = ("file", "validation_file", "test_file", "path", "test_path", "nodes_file")


class ShippedConfig(NamedTuple):
    """files: what it reads in the data folder; none where the data are in the package or drawn"""

    title: str
    files: tuple[str, ...]


def config_dir() -> Path:
    """The folder of the shipped configs."""
    return shipped_folder("configs", "configs")


def shipped_folder(installed: str, cloned: str) -> Path:
    """A folder that the wheel takes along: inside an installed package, or where it stands in a clone."""
    package = Path(__file__).resolve().parents[1]
    return package / installed if (package / installed).is_dir() else package.parent / cloned


def shipped_configs() -> dict[str, ShippedConfig]:
    """The shipped configs by their names, in alphabetical order."""
    return {path.stem: _read(path) for path in sorted(config_dir().glob("*.toml"))}


def find(name_or_path: str | os.PathLike[str]) -> Path:
    """The path of a shipped config, given its name, or of any other config file, given its path.

    Raises `UserError` for an unknown name, with the nearest known one, and for a path without a file.
    """
    text = os.fspath(name_or_path)
    path = expand_user(text)
    if path.suffix == ".toml" or len(path.parts) > 1:
        if not os.path.isfile(path):  # Path.is_file raises for a path with a null character
            raise UserError(f"{text}: expected a config file, found none; `jaxnn configs` lists the shipped configs")
        return path
    shipped = {path.stem: path for path in config_dir().glob("*.toml")}
    if text not in shipped:
        raise UserError(
            f"unknown config {text!r}; {suggest(text, shipped)} (`jaxnn configs` lists all; to load a file, give its "
            f"path, such as ./{text or 'mine'}.toml)"
        )
    return shipped[text]


def _read(path: Path) -> ShippedConfig:
    try:
        config: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        config = {}  # `load` reports what is wrong with the file
    title, data = config.get("title"), config.get("data")
    data = data if isinstance(data, dict) else {}
    files = ("mnist",) if data.get("name") == "mnist" else tuple(data[key] for key in _FILES if key in data)
    return ShippedConfig(title if isinstance(title, str) else "", tuple(map(str, files)))
