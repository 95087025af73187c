"""The configs that come with the package, by name. Imports neither JAX nor pydantic."""

import os
import tomllib
from pathlib import Path

from jaxnn.config.errors import among
from jaxnn.errors import UserError


def folder() -> Path:
    """Where the shipped configs lie: in the package if it was installed, beside it in a clone."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "configs"
    return installed if installed.is_dir() else package.parent / "configs"


def names() -> dict[str, str]:
    """The shipped configs in alphabetical order, each with its title."""
    return {path.stem: _title(path) for path in sorted(folder().glob("*.toml"))}


def find(name_or_path: str | os.PathLike[str]) -> Path:
    """The file of a shipped config, or the TOML file that is named by its path.

    Raises `UserError` for a name that no config has, with the nearest, and for a path where there is no file.
    """
    text = os.fspath(name_or_path)
    path = Path(text)
    if path.suffix == ".toml" or len(path.parts) > 1:
        if not os.path.isfile(text):  # unlike Path.is_file, false for a name that is no name
            raise UserError(f"{text}: expected a config file, found none; `jaxnn configs` lists those that are shipped")
        return path
    shipped = {path.stem: path for path in folder().glob("*.toml")}
    if text not in shipped:
        raise UserError(
            f"unknown config {text!r}; {among(text, shipped)} (`jaxnn configs` lists all; a file is named by its path, "
            f"such as ./{text or 'mine'}.toml)"
        )
    return shipped[text]


def _title(path: Path) -> str:
    try:
        title = tomllib.loads(path.read_text(encoding="utf-8")).get("title", "")
    except ValueError:
        return ""  # `load` says what is wrong with it
    return title if isinstance(title, str) else ""
