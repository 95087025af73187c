"""A checksum in each entry of the compilation cache, compared before JAX runs the program that the entry holds."""

import atexit
import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Protocol, runtime_checkable

from jaxnn.cli.compilation_cache import is_cache_folder
from jaxnn.cli.terminal import print_warning

#: The first bytes of an entry, before the SHA-256 of the rest and the rest.
MAGIC = b"jaxnn program 1\n"
_DIGEST_BYTES = hashlib.sha256().digest_size


@runtime_checkable
class ProgramCache(Protocol):
    """The interface of JAX's cache of compiled programs."""

    def get(self, key: str) -> bytes | None: ...

    def put(self, key: str, value: bytes) -> None: ...


def seal(program: bytes) -> bytes:
    """An entry of the cache: the program behind its checksum."""
    return MAGIC + hashlib.sha256(program).digest() + program


def unseal(entry: bytes) -> bytes | None:
    """The program of an entry; None if a single bit is not as it was written."""
    head, program = entry[: len(MAGIC) + _DIGEST_BYTES], entry[len(MAGIC) + _DIGEST_BYTES :]
    return program if head == MAGIC + hashlib.sha256(program).digest() else None


class CheckedPrograms:
    """JAX's cache in a folder, with a checksum in each entry. An entry that is damaged is removed and compiled again.

    cache: JAX's own, which holds the entries
    """

    def __init__(self, cache: ProgramCache, folder: Path):
        self.cache: ProgramCache = cache
        self.folder: Path = folder
        self.found: int = 0
        self.stored: int = 0
        self.problem: str | None = None

    def get(self, key: str) -> bytes | None:
        try:
            entry = self.cache.get(key)
        except OSError as error:
            self._remember(error)
            raise
        if entry is None:
            return None
        program = unseal(entry)
        if program is None:
            self._remove(key)
            return None
        self.found += 1
        return program

    def put(self, key: str, value: bytes) -> None:
        entry = seal(value)
        try:
            try:
                self.cache.put(key, entry)
            except FileNotFoundError:
                self._remove_incomplete()
                self.cache.put(key, entry)
        except OSError as error:
            self._remove(key)
            self._remember(error)
            raise
        if self._file(key, "cache").is_file():
            self.stored += 1
        elif self.problem is None:
            self.problem = f"a program of {len(entry):,} bytes is above JAX_COMPILATION_CACHE_MAX_SIZE; raise it"

    def _file(self, key: str, suffix: str) -> Path:
        return self.folder / f"{key}-{suffix}"

    def _remove(self, key: str) -> None:
        for suffix in ("cache", "atime"):
            with suppress(OSError):
                self._file(key, suffix).unlink(missing_ok=True)

    def _remove_incomplete(self) -> None:
        """Removes entries without their time of use, which a killed process leaves: JAX writes no entry beside one."""
        for file in self.folder.glob("*-cache"):
            key = file.name.removesuffix("-cache")
            if not self._file(key, "atime").exists():
                self._remove(key)

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
    folder = Path(chosen)
    original = getattr(compilation_cache, "get_file_cache", None)
    if original is None:
        print_warning(f"compiled programs are not cached: jax {jax.__version__} has no place to check them")
        jax.config.update("jax_enable_compilation_cache", False)
        return

    def get_checked_cache(path: str):
        made = original(path)
        if made is None or path != chosen:
            return made
        checked = CheckedPrograms(made[0], folder)
        atexit.register(checked.warn_if_useless)
        return checked, path

    compilation_cache.get_file_cache = get_checked_cache
