"""Which files of a folder are examples, of which part and of which class: one sub-folder for each class."""

import unicodedata
from pathlib import Path
from typing import NamedTuple

from jaxnn.errors import UserError

#: Names that people give to the folders of a part.
PART_NAMES: dict[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing"),
}
#: Files and folders that operating systems and archives put beside those of a user, in lower case.
_SYSTEM_NAMES = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "icon\r", "@eadir"})


class ClassFile(NamedTuple):
    """A file with the name of its class."""

    name: str
    file: Path


def find_class_files(root: Path) -> dict[str, list[ClassFile]]:
    """part ("train", "validation", "test") -> its files, in the order of the names of the folders, then of the files.

    A folder of class folders is the training part. One whose folders are all named as parts (``train`` with ``test``
    or ``validation``) has class folders in each. Where an archive wrapped all in one folder, that folder is the root.
    Names that begin with a dot and files of the operating system are skipped.

    Raises UserError for a folder without class folders, a class without files, a folder within a class folder, and a
    part without class folders or with a class that the training part lacks.
    """
    folders = _folders(root)
    while len(folders) == 1 and (inner := _folders(folders[0])) and len(inner) == len(_entries(folders[0])):
        folders = inner
    parts = _parts(folders)
    if parts is None:
        return {"train": _files_of_classes(root, folders)}
    files = {part: _files_of_classes(folder, _folders(folder)) for part, folder in parts.items()}
    known = {name for name, _ in files["train"]}
    for part, examples in files.items():
        for name, file in examples:
            if name not in known:
                raise UserError(
                    f"{file.parent}: expected a class of {parts['train']}, found {name}, which has no examples to "
                    f"train on; add some, or remove it from {part}"
                )
    return files


def _parts(folders: list[Path]) -> dict[str, Path] | None:
    """part -> its folder, if every folder is that of a part; None if they are folders of classes."""
    parts = {}
    for folder in folders:
        part = next((part for part, names in PART_NAMES.items() if folder.name.lower() in names), None)
        if part is None or part in parts:
            return None
        parts[part] = folder
    return parts if "train" in parts and all(_folders(folder) for folder in parts.values()) else None


def _files_of_classes(root: Path, folders: list[Path]) -> list[ClassFile]:
    if not folders:
        raise UserError(f"{root}: expected a folder with a sub-folder of images for each class, found none")
    return [ClassFile(unicodedata.normalize("NFC", folder.name), file) for folder in folders for file in _files(folder)]


def _files(folder: Path) -> list[Path]:
    files = _entries(folder)
    if not files:
        raise UserError(f"{folder}: expected images of the class {folder.name}, found none")
    for file in files:
        if file.is_dir():
            raise UserError(
                f"{folder}: expected images of the class {folder.name}, found the folder {file.name}; put its images "
                f"into {folder.name}, or name the folders of the parts train, validation and test"
            )
    return files


def _folders(root: Path) -> list[Path]:
    return [entry for entry in _entries(root) if entry.is_dir()] if root.is_dir() else []


def nested_files(folder: Path) -> list[Path]:
    """The files of a folder and of those within it, without names that begin with a dot and files of the system."""
    files = []
    for entry in _entries(folder):
        files += nested_files(entry) if entry.is_dir() and not entry.is_symlink() else [entry]
    return files


def _entries(folder: Path) -> list[Path]:
    """What a user put into the folder, sorted by code point, which every operating system does alike."""
    entries = (entry for entry in folder.iterdir() if not entry.name.startswith("."))
    return sorted((entry for entry in entries if entry.name.lower() not in _SYSTEM_NAMES), key=lambda e: e.name)
