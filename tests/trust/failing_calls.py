"""Makes one call to the operating system fail, the first, the second, … of those that a piece of code makes."""

import builtins
import contextlib
import errno
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

#: Functions of `os` by which files and folders are written.
NAMES = ("open", "close", "fsync", "mkdir", "rename", "replace", "unlink", "rmdir", "scandir", "listdir")


class Calls:
    """Counts the calls that concern files below a folder, and lets the one of number `failing` fail.

    made: the names of the calls, in order
    """

    def __init__(self, folder: Path, failing: int | None, number: int = errno.EIO):
        self.folder, self.failing, self.number = str(folder), failing, number
        self.made: list[str] = []

    def call(self, name: str) -> None:
        self.made.append(name)
        if len(self.made) - 1 == self.failing:
            raise OSError(self.number, os.strerror(self.number))

    def wraps(self, name: str, original: Any) -> Any:
        def called(*args: Any, **kwargs: Any) -> Any:
            about_files = name in ("close", "fsync") or "dir_fd" in kwargs or str(args[0]).startswith(self.folder)
            if about_files:
                self.call(name)
            return original(*args, **kwargs)

        return called

    def open(self, file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if not str(file).startswith(self.folder):
            return io.open_code(file) if mode == "code" else _OPEN(file, mode, *args, **kwargs)
        self.call(f"open {mode}")
        opened = _OPEN(file, mode, *args, **kwargs)
        return _File(opened, self) if set(mode) & set("wxa+") else opened


_OPEN = io.open


class _File:
    """A file whose writing, flushing and closing count as calls."""

    def __init__(self, file: Any, calls: Calls):
        self._file, self._calls = file, calls

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, data: Any) -> int:
        self._calls.call("write")
        return self._file.write(data)

    def flush(self) -> None:
        self._calls.call("flush")
        self._file.flush()

    def __enter__(self) -> "_File":
        return self

    def __exit__(self, *error: Any) -> None:
        self._file.close()
        self._calls.call("close of a file")


@contextlib.contextmanager
def failing_call(folder: Path, number_of_call: int | None, number: int = errno.EIO) -> Iterator[Calls]:
    """Within it, the call of this number fails with an error number of the system; None: all succeed."""
    calls = Calls(folder, number_of_call, number)
    with contextlib.ExitStack() as stack:
        for name in NAMES:
            stack.enter_context(patch.object(os, name, calls.wraps(name, getattr(os, name))))
        stack.enter_context(patch.object(io, "open", calls.open))
        stack.enter_context(patch.object(builtins, "open", calls.open))
        yield calls
