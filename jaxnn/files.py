"""Files that are written whole or not at all."""

import os
from pathlib import Path

from jaxnn.errors import UserError


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes a file beside `path`, flushes it to the disk and renames it: `path` is the old file or the new one.

    Raises `UserError` where it cannot be written.
    """
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"cannot write {path}: {reason}; give a folder that exists and can be written") from error
    finally:
        beside.unlink(missing_ok=True)
