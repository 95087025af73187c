"""Reads untrusted files, gzipped or not: never more bytes than requested, and each fault is an error of one line."""

import gzip
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, cast

from jaxnn.data.file_signature import SIGNATURE_BYTES, describe_content
from jaxnn.errors import UserError

_GZIP_MAGIC = b"\x1f\x8b"


class LimitedReader:
    """Reads a plain or gzipped file piece by piece, at most ``limit`` bytes of gzip or ``plain_limit`` of a plain file.

    The first bytes decide whether the file is gzipped, not its name. The limits differ because a plain file cannot
    give more bytes than it has on disk, while 10 KB of gzip can unpack to 10 MB.

    Raises UserError if the file is missing, cut short, damaged, longer than its header states or beyond the limit, and
    if its first bytes are those of another kind of file: a page of HTML, a zip archive, an Excel workbook, ...
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
        #: Whether the first bytes are those of gzip.
        self.is_gzip: bool = raw.read(2) == _GZIP_MAGIC
        raw.seek(0)
        # GzipFile checks the CRC and the length of each member when it reaches the member's end.
        self._file = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if self.is_gzip else raw
        self._remaining = limit if self.is_gzip else min(plain_limit, os.fstat(raw.fileno()).st_size)
        try:
            self._check_signature()
        except UserError:
            self.close()
            raise

    def __enter__(self) -> "LimitedReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del kind, error, trace
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
        self._raw.close()

    def read(self, count: int) -> bytes:
        """Returns exactly ``count`` bytes or raises UserError."""
        if count > self._remaining:
            if self.is_gzip:
                raise self.error(
                    f"the file states {count:,} bytes more, at most {self._remaining:,} are unpacked from gzip"
                )
            raise self._truncated(count, self._remaining)
        data = self._call(self._file.read, count)
        self._remaining -= len(data)
        if len(data) < count:
            raise self._truncated(count, len(data))
        return data

    def read_up_to(self, count: int) -> bytes:
        """Returns the next bytes, at most ``count``; none at the end. Raises UserError beyond the limit."""
        data = self._call(self._file.read, min(count, self._remaining + 1))
        if len(data) > self._remaining:
            raise self.error("expected fewer bytes: the file is larger than the limit; make it smaller")
        self._remaining -= len(data)
        return data

    def read_line(self, max_bytes: int) -> bytes:
        """Returns the bytes before the next newline. Raises UserError if there are more than ``max_bytes``."""
        data = self._call(self._file.readline, min(max_bytes, self._remaining) + 1)
        self._remaining -= len(data)
        if not data.endswith(b"\n"):
            raise self.error(f"expected a line of at most {max_bytes:,} bytes, found none")
        return data[:-1]

    def expect_end(self) -> None:
        """Raises UserError if bytes follow. Reading the end also checks the CRC of a gzip file."""
        if self._call(self._file.read, 1):
            raise self.error("more bytes follow than its header states; it is damaged: copy it again")

    def error(self, reason: str) -> UserError:
        """A UserError that names this file."""
        return UserError(f"{self.path}: {reason}")

    def _check_signature(self) -> None:
        start = self._raw.read(SIGNATURE_BYTES)
        if self.is_gzip:
            self._raw.seek(0)
            start = self._call(cast(gzip.GzipFile, self._file).peek, SIGNATURE_BYTES)[:SIGNATURE_BYTES]
        else:
            self._raw.seek(0)
        content = describe_content(start)
        if content is not None:
            raise self.error(f"found {content}")

    def _truncated(self, expected: int, found: int) -> UserError:
        return self.error(f"expected {expected:,} bytes more, found {found:,}; it is cut short: copy it again")

    def _call(self, read: Callable[[int], bytes], count: int) -> bytes:
        """read(count), with the errors of gzip and of the file system as UserError."""
        try:
            return read(count)
        except EOFError as error:
            raise self.error("the gzip file is cut short: copy it again") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise self.error(f"the gzip file is damaged ({error}): copy it again") from error
        except OSError as error:
            raise self.error(f"cannot be read ({error.strerror})") from error
