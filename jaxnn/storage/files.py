"""Atomic writes of files and folders, and JSON with a checksum.

Importing this module needs nothing that only POSIX has, so `jaxnn.plots` and `jaxnn.report` work on Windows.
"""

import errno
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from jaxnn.errors import UserError

#: The largest JSON file that is read. A manifest has kilobytes.
MAX_JSON_BYTES = 16 << 20
#: The key of the checksum in a JSON file.
CHECKSUM = "seal"
#: Windows cannot open a folder, so it cannot flush one either.
CAN_OPEN_FOLDERS = os.name != "nt"


def fsync_folder(folder: Path) -> None:
    """Flushes a folder's list of names to the disk, so that a rename in it survives a power cut.

    Does nothing where the platform or the file system cannot flush a folder.
    """
    if not CAN_OPEN_FOLDERS:
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def _temporary_sibling(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")


def write_error(path: Path, error: OSError) -> UserError:
    """The error for a file or folder that cannot be written."""
    advice = "choose a folder that exists, has free space and gives you permission to write"
    return UserError(f"cannot write {path}: {error.strerror or error}; {advice}")


def expand_user(path: str | os.PathLike[str]) -> Path:
    """The path with the home folder in place of a leading `~` or `~name`.

    Raises `UserError` where no home folder is known, so that no folder is ever called `~`.
    """
    if not os.fspath(path).startswith("~"):
        return Path(path)
    first = Path(path).parts[0]
    expanded = os.path.expanduser(path)
    if expanded.startswith("~") or not os.path.isabs(expanded) or (first == "~" and os.environ.get("HOME") == ""):
        raise UserError(f"{path}: expected a home folder for {first}, found none; set HOME, or give the whole path")
    return Path(expanded)


def one_line(error: Exception) -> str:
    """The message of an error without line breaks, cut after 500 characters."""
    message = " ".join(str(error).split())
    return message if len(message) < 500 else f"{message[:500]} …"


def atomic_write(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes a temporary file, flushes it to the disk and renames it to `path`.

    At every moment `path` is the complete old file or the complete new one. Raises `UserError` if it cannot be written.
    """
    path = Path(path)
    try:
        replace_file(path, content)
    except OSError as error:
        raise write_error(path, error) from error


def replace_file(path: Path, content: bytes, *, durable: bool = True) -> None:
    """As `atomic_write`, but raises the `OSError` itself.

    durable: holds after a power cut, too; False is faster, for a file whose content is checked when it is read
    """
    temporary = _temporary_sibling(path)
    try:
        with temporary.open("wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
        if durable:
            fsync_folder(path.parent)
    finally:
        # A leftover is harmless: it must not hide that the file is written, or why it is not.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_new(path: Path, content: bytes) -> None:
    """Writes a file that must not exist yet. Raises `UserError` if it does, or if it cannot be written."""
    try:
        file = path.open("xb")
    except FileExistsError:
        raise UserError(f"{path}: expected a new file, found one that exists; choose another name") from None
    except OSError as error:
        raise write_error(path, error) from error
    try:
        with file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fsync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        raise write_error(path, error) from error


@contextmanager
def atomic_directory(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Gives a temporary folder to fill with `atomic_write` and renames it to `path` at the end of the block.

    overwrite: replaces a folder at `path`; otherwise only an empty one
    If the block raises, or the folder cannot be renamed, the temporary folder is removed and what was at `path` stays.
    Raises `UserError` if the folder cannot be written.
    """
    path = path.absolute()
    temporary, old = _temporary_sibling(path), _temporary_sibling(path)
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.mkdir()
        except OSError as error:
            raise write_error(path, error) from error
        yield temporary
        try:
            fsync_folder(temporary)
            if path.exists() and (overwrite or not any(path.iterdir())):
                path.rename(old)
            _rename_over(temporary, path, old)
        except OSError as error:
            raise write_error(path, error) from error
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _rename_over(temporary: Path, path: Path, old: Path) -> None:
    """Renames a folder, and flushes the rename. If one of them fails, the folder that was moved to `old` comes back."""
    try:
        temporary.rename(path)
        fsync_folder(path.parent)
    except OSError:
        if old.exists():
            if path.exists():
                path.rename(temporary)
            old.rename(path)
        raise


def remove_folder(path: Path) -> None:
    """Removes a folder, which may be gone. It is renamed first, so nobody finds half of it."""
    hidden = _temporary_sibling(path)
    with suppress(OSError):
        path.rename(hidden)
        shutil.rmtree(hidden, ignore_errors=True)


def read_file(path: Path, max_bytes: int) -> bytes:
    """The content of a regular file of at most `max_bytes`. Follows no symbolic link. Raises `UserError`."""
    try:
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode):
            kind = "a symbolic link" if stat.S_ISLNK(mode) else "something else"
            raise UserError(f"{path}: expected a plain file, found {kind}")
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except FileNotFoundError:
        raise UserError(f"{path}: expected a file, found none") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    if len(content) > max_bytes:
        raise UserError(f"{path}: expected at most {max_bytes:,} bytes, found more")
    return content


def sha256(path: Path) -> str:
    """The SHA-256 of a regular file. Raises `UserError` if it is missing or is not a regular file."""
    if not path.is_file() or path.is_symlink():
        raise UserError(f"{path}: expected a plain file, found {'a symbolic link' if path.is_symlink() else 'none'}")
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error


def json_bytes(content: Any, default: Callable[[Any], Any] | None = None) -> bytes:
    """JSON in UTF-8, readable by people. What UTF-8 lacks, such as a byte of a file name, becomes an escape of JSON.

    default: as in `json.dumps`
    """
    text = json.dumps(content, indent=2, ensure_ascii=False, default=default)
    return f"{text}\n".encode(errors="backslashreplace")


def _canonical_json(content: Mapping[str, Any]) -> bytes:
    return json_bytes(content)


def write_checksummed_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes JSON whose last entry, "seal", is the SHA-256 of all other entries."""
    content = {key: value for key, value in content.items() if key != CHECKSUM}
    checksum = hashlib.sha256(_canonical_json(content)).hexdigest()
    atomic_write(path, _canonical_json(content | {CHECKSUM: checksum}))


def read_checksummed_json(path: Path) -> dict[str, Any]:
    """Reads JSON that `write_checksummed_json` wrote. Raises `UserError` unless every byte is as it was written."""
    data = read_file(path, MAX_JSON_BYTES)
    try:
        content = json.loads(data)
        canonical = isinstance(content, dict) and _canonical_json(content) == data
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: expected JSON, found damage: {one_line(error)}") from error
    checksum = content.pop(CHECKSUM, None) if canonical else None
    if not canonical or hashlib.sha256(_canonical_json(content)).hexdigest() != checksum:
        raise UserError(f"{path}: is damaged: its SHA-256 is not the one that was written")
    return content
