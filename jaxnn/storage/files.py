"""Files and folders that are written whole or not at all, and the sums by which their damage is noticed."""

import fcntl
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jaxnn.errors import UserError

#: The longest JSON that is read; a manifest has kilobytes.
MOST_JSON = 16 << 20


def sync(folder: Path) -> None:
    """Flushes what a folder lists to the disk: only then does a rename in it outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")


def _cannot(path: Path, error: OSError) -> UserError:
    hint = "give a folder that exists, can be written and has room"
    return UserError(f"cannot write {path}: {error.strerror or error}; {hint}")


def in_a_line(error: Exception) -> str:
    """What an error says, without its line breaks, cut where it goes on and on."""
    said = " ".join(str(error).split())
    return said if len(said) < 500 else f"{said[:500]} …"


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes a file beside `path`, flushes it to the disk and renames it: `path` is the old file or the new one.

    Raises `UserError` where it cannot be written.
    """
    path = Path(path)
    beside = _beside(path)
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        sync(path.parent)
    except OSError as error:
        raise _cannot(path, error) from error
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder beside `path` to fill by `write_whole`; it becomes `path` when the block ends well, else it goes.

    Raises `UserError` where it cannot be written.
    """
    path = path.absolute()
    beside = _beside(path)
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            beside.mkdir()
        except OSError as error:
            raise _cannot(path, error) from error
        yield beside
        try:
            sync(beside)
            beside.rename(path)
            sync(path.parent)
        except OSError as error:
            raise _cannot(path, error) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def new_folder(out: Path | None, name: str, *, holds: str, known_by: str, overwrite: bool) -> Path:
    """Where a run or a sweep goes: `out`, or the first free of runs/NAME, runs/NAME-2, …

    holds: what such a folder has, in a word; it is known by the file of the name `known_by`
    Raises `UserError` when `out` has one already (unless `overwrite`) or anything else.
    """
    if out is None:
        free = (Path("runs") / (name if i == 1 else f"{name}-{i}") for i in range(1, 1_000_000))
        return next(path for path in free if not path.exists())
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return out
    if not (out.is_dir() and (out / known_by).is_file()):
        raise UserError(f"{out}: expected a new folder, found something that is no {holds}; choose another --out")
    if not overwrite:
        raise UserError(f"{out}: expected a new folder, found a {holds}; choose another --out, or add --overwrite")
    return out


def read(path: Path, most: int) -> bytes:
    """A regular file of at most `most` bytes; a link is not followed. Raises `UserError`."""
    try:
        kind = path.lstat()
        if not stat.S_ISREG(kind.st_mode):
            found = "a symbolic link" if stat.S_ISLNK(kind.st_mode) else "something else"
            raise UserError(f"{path}: expected a plain file, found {found}")
        with path.open("rb") as file:
            content = file.read(most + 1)
    except FileNotFoundError:
        raise UserError(f"{path}: expected a file, found none") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    if len(content) > most:
        raise UserError(f"{path}: expected at most {most:,} bytes, found more")
    return content


def sha256(path: Path) -> str:
    """The SHA-256 of a regular file. Raises `UserError` for another thing, or none."""
    if not path.is_file() or path.is_symlink():
        raise UserError(f"{path}: expected a plain file, found {'a symbolic link' if path.is_symlink() else 'none'}")
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error


def _canonical(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=True) + "\n").encode()


def write_sealed(path: Path, content: Mapping[str, Any]) -> None:
    """Writes JSON that carries the SHA-256 of the rest of it, last, as "seal"."""
    content = {key: value for key, value in content.items() if key != "seal"}
    write_whole(path, _canonical(content | {"seal": hashlib.sha256(_canonical(content)).hexdigest()}))


def read_sealed(path: Path) -> dict[str, Any]:
    """JSON that `write_sealed` wrote, to the byte. Raises `UserError` for damage and for what it did not write."""
    data = read(path, MOST_JSON)
    try:
        content = json.loads(data)
        sealed = isinstance(content, dict) and _canonical(content) == data
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: expected JSON, found damage: {in_a_line(error)}") from error
    seal = content.pop("seal", None) if sealed else None
    if not sealed or hashlib.sha256(_canonical(content)).hexdigest() != seal:
        raise UserError(f"{path}: is damaged: its SHA-256 is not the one that was written")
    return content


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Holds a folder for this process alone while the block runs. Raises `UserError` when another holds it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(f"{folder}: expected a run at rest, found one that another process is training") from None
        yield
    finally:
        os.close(descriptor)
