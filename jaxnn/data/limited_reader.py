"""Reading a file from a stranger: never more bytes than were asked for, gzip or not, each fault in one line."""

import gzip
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, cast

from jaxnn.errors import UserError

_GZIP_MAGIC = b"\x1f\x8b"


class BoundedReader:
    """Reads a plain or gzipped file piece by piece; ``limit`` bounds the bytes that are taken from it.

    Whether the file is gzipped is seen from its first bytes, not from its name. A plain file cannot promise
    more than it holds, so it has a limit of its own; 10 KB of gzip can unpack to 10 MB.

    Raises UserError when the file is missing, cut short, damaged, longer than it says or beyond the limit.
    """

    def __init__(self, path: Path, limit: int, plain_limit: int):
        self.path = path
        if not path.is_file():
            raise UserError(f"{path}: expected a file, found {'a folder' if path.is_dir() else 'none'}")
        try:
            raw = path.open("rb")
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from error
        self._raw = raw
        self._zipped = raw.read(2) == _GZIP_MAGIC
        raw.seek(0)
        # GzipFile checks the CRC and the length of each member when it comes to the member's end.
        self._file = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if self._zipped else raw
        self._left = limit if self._zipped else min(plain_limit, os.fstat(raw.fileno()).st_size)

    def __enter__(self) -> "BoundedReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del kind, error, trace
        self._file.close()
        self._raw.close()

    def take(self, count: int) -> bytes:
        """Exactly ``count`` bytes, or a UserError."""
        if count > self._left:
            if self._zipped:
                raise self.refuse(f"promises {count:,} bytes more, at most {self._left:,} are unpacked from gzip")
            raise self._short(count, self._left)
        data = self._guarded(self._file.read, count)
        self._left -= len(data)
        if len(data) < count:
            raise self._short(count, len(data))
        return data

    def line(self, most: int) -> bytes:
        """The bytes up to the next newline, without it; a UserError if there are more than ``most``."""
        data = self._guarded(self._file.readline, min(most, self._left) + 1)
        self._left -= len(data)
        if not data.endswith(b"\n"):
            raise self.refuse(f"expected a line of at most {most:,} bytes, found none")
        return data[:-1]

    def finish(self) -> None:
        """Checks that nothing follows (which also checks the sum of a gzip file)."""
        if self._guarded(self._file.read, 1):
            raise self.refuse("more bytes follow than its header promises; it is damaged: copy it again")

    def refuse(self, reason: str) -> UserError:
        """The error that names this file."""
        return UserError(f"{self.path}: {reason}")

    def _short(self, expected: int, found: int) -> UserError:
        return self.refuse(f"expected {expected:,} bytes more, found {found:,}; it is cut short: copy it again")

    def _guarded(self, read: Callable[[int], bytes], count: int) -> bytes:
        try:
            return read(count)
        except EOFError as error:
            raise self.refuse("the gzip file is cut short: copy it again") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise self.refuse(f"the gzip file is damaged ({error}): copy it again") from error
        except OSError as error:
            raise self.refuse(f"cannot be read ({error.strerror})") from error
