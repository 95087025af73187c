"""The folder of compiled programs, each with a checksum that is compared before JAX runs the program."""

import atexit
import hashlib
import os
from contextlib import suppress
from pathlib import Path

from jaxnn.cli.compilation_cache import MAX_CACHE_BYTES, is_cache_folder
from jaxnn.cli.terminal import print_warning
from jaxnn.storage.files import replace_file

#: The first bytes of an entry, before the SHA-256 of the rest and the rest.
MAGIC = b"jaxnn program 1\n"
_DIGEST_BYTES = hashlib.sha256().digest_size


def seal(program: bytes) -> bytes:
    """An entry of the cache: the program behind its checksum."""
    return MAGIC + hashlib.sha256(program).digest() + program


def unseal(entry: bytes) -> bytes | None:
    """The program of an entry; None if a single bit is not as it was written."""
    head, program = entry[: len(MAGIC) + _DIGEST_BYTES], entry[len(MAGIC) + _DIGEST_BYTES :]
    return program if head == MAGIC + hashlib.sha256(program).digest() else None


class CheckedPrograms:
    """Compiled programs in a folder, each behind its checksum. It takes the place of JAX's own cache.

    A damaged program is removed, and JAX compiles it again. The least recently used programs are removed where the
    folder would have more than `max_bytes`; the time of a file is that of its last use. JAX's own cache looks at every
    program for each that it adds: beside 1,500 programs that takes 80 ms, and here 0.2 ms.
    """

    def __init__(self, folder: Path, max_bytes: int = MAX_CACHE_BYTES):
        self.folder: Path = folder
        self.max_bytes: int = max_bytes
        self.found: int = 0
        self.stored: int = 0
        self.problem: str | None = None
        #: The bytes in the folder, of which other processes may add some; None before the first program is stored.
        self._size: int | None = None

    def get(self, key: str) -> bytes | None:
        """The program of a key; None where there is none, or a damaged one."""
        file = self._file(key)
        try:
            program = unseal(file.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            self._remember(error)
            raise
        with suppress(OSError):
            if program is None:
                file.unlink(missing_ok=True)
            else:
                os.utime(file)
        self.found += program is not None
        return program

    def put(self, key: str, value: bytes) -> None:
        """Stores a program. At every moment its file is missing or complete."""
        entry = seal(value)
        if len(entry) > self.max_bytes:
            self.problem = f"a program of {len(entry):,} bytes is above JAX_COMPILATION_CACHE_MAX_SIZE; raise it"
            return
        try:
            self._make_room(len(entry))
            replace_file(self._file(key), entry, durable=False)
        except OSError as error:
            self._remember(error)
            raise
        self.stored += 1

    def _file(self, key: str) -> Path:
        return self.folder / f"{key}-cache"

    def _make_room(self, nbytes: int) -> None:
        """Removes the files that were not used for the longest time, so that `nbytes` can be added."""
        used = self._size
        if used is None or used + nbytes > self.max_bytes:
            files = []
            for entry in os.scandir(self.folder):
                with suppress(OSError):
                    status = entry.stat()
                    files.append((status.st_mtime_ns, status.st_size, entry.path))
            used = sum(size for _, size, _ in files)
            for _, size, path in sorted(files):
                if used + nbytes <= self.max_bytes:
                    break
                with suppress(OSError):
                    os.unlink(path)
                    used -= size
        self._size = used + nbytes

    def _remember(self, error: OSError) -> None:
        """Keeps an error for `warn_if_useless`, since JAX goes on without the cache."""
        self.problem = f"{error.strerror or error}; make room there"

    def warn_if_useless(self) -> None:
        """Says that no program was read or written, and why."""
        if self.problem and not self.found + self.stored:
            print_warning(f"compiled programs are not cached: {self.folder}: {self.problem}, or give --no-cache")


def check_programs() -> None:
    """Makes JAX check what it reads from `cache_folder()`. To be called before JAX compiles.

    A folder that the user's environment names is JAX's own affair: other programs may share it. The cache is turned
    off, with a warning, where this version of JAX has no place for the check.
    """
    import jax
    from jax._src import compilation_cache

    chosen = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]  # JAX defines it as it starts
    if not chosen or not is_cache_folder(chosen):
        return
    limit = jax.config.jax_compilation_cache_max_size  # type: ignore[attr-defined]  # the user's, or -1
    original = getattr(compilation_cache, "get_file_cache", None)
    if original is None:
        print_warning(f"compiled programs are not cached: jax {jax.__version__} has no place to check them")
        jax.config.update("jax_enable_compilation_cache", False)
        return

    def get_checked_cache(path: str):
        if path != chosen:
            return original(path)
        checked = CheckedPrograms(Path(path), MAX_CACHE_BYTES if limit < 0 else limit)
        atexit.register(checked.warn_if_useless)
        return checked, path

    compilation_cache.get_file_cache = get_checked_cache
