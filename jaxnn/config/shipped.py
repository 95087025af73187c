"""The configs that come with the package, by name. Imports neither JAX nor pydantic."""

import os
import tomllib
from pathlib import Path

from jaxnn.config.errors import suggest
from jaxnn.errors import UserError
from jaxnn.storage.files import expand_user


def config_dir() -> Path:
    """The folder of the shipped configs."""
    return shipped_folder("configs", "configs")


def shipped_folder(installed: str, cloned: str) -> Path:
    """A folder that the wheel takes along: inside an installed package, or where it stands in a clone."""
    package = Path(__file__).resolve().parents[1]
    return package / installed if (package / installed).is_dir() else package.parent / cloned


def names() -> dict[str, str]:
    """The names of the shipped configs in alphabetical order, each with its title."""
    return {path.stem: _title(path) for path in sorted(config_dir().glob("*.toml"))}


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


def _title(path: Path) -> str:
    try:
        title = tomllib.loads(path.read_text(encoding="utf-8")).get("title", "")
    except ValueError:
        return ""  # `load` reports what is wrong with the file
    return title if isinstance(title, str) else ""
