"""Locks on folders. A new folder is claimed by its lock before anything is written, so no two processes choose one.

Importing this module needs nothing that only POSIX has.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from jaxnn.errors import UserError
from jaxnn.storage.files import write_error


class FolderInUseError(UserError):
    """Another process has locked a folder."""


def lock_file(folder: Path) -> Path:
    """The file that is locked for a folder: beside it, so that the folder can be replaced while it is locked."""
    folder = folder.resolve()
    return folder.with_name(f".{folder.name}.lock")


def remove_lock_file(folder: Path) -> None:
    """Removes the file of a lock that this process holds, before it ends without leaving its blocks."""
    lock_file(folder).unlink(missing_ok=True)


def remove_abandoned_lock(folder: Path) -> None:
    """Removes the lock file that a killed process left beside a folder. The lock of a living process stays."""
    with suppress(UserError), locked(folder):
        pass


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Locks a folder for this process while the block runs. The folder need not exist, but its parent must.

    The lock is on a file and not on the folder, so that it works on NFS, which locks no folders. The operating system
    releases it when the process ends, even by SIGKILL. Raises `FolderInUseError` if another process has locked the
    folder, `UserError` where no lock can be made.
    """
    path = lock_file(folder)
    descriptor = _open_locked(path, folder.resolve())
    try:
        yield
    finally:
        # Removed while it is still locked: see `_open_locked`. Windows removes no open file, so it stays there.
        with suppress(OSError):
            path.unlink()
        os.close(descriptor)


@contextmanager
def claimed(out: Path | None, name: str, *, kind: str, marker: str, overwrite: bool = False) -> Iterator[Path]:
    """The folder of a new run or sweep, locked while the block runs: `out`, or the first free runs/NAME, runs/NAME-2, …

    A name is free if no folder has it and no other process has claimed it. What the block makes there stays.

    kind: what such a folder holds, in one word; marker: the name of the file by which it is recognised
    Raises `UserError` if `out` holds one already (unless `overwrite`), holds something else, or is another process's.
    """
    with ExitStack() as lock:
        if out is not None:
            _make_parent(out)
            lock.enter_context(locked(out))
            _check_free(out, kind=kind, marker=marker, overwrite=overwrite)
            yield out
            return
        for i in range(1, 1_000_000):
            path = Path("runs") / (name if i == 1 else f"{name}-{i}")
            if _claim(path, lock):
                yield path
                return
    raise UserError(f"runs: expected a free name {name}-N, found none; choose a folder by --out")


def _claim(path: Path, lock: ExitStack) -> bool:
    """Locks a folder that does not exist. False if it exists, or if another process has claimed it."""
    if os.path.lexists(path):
        return False
    _make_parent(path)
    with ExitStack() as attempt:
        try:
            attempt.enter_context(locked(path))
        except FolderInUseError:
            return False
        # The process that had claimed it may have made it since, and ended.
        if os.path.lexists(path):
            return False
        lock.enter_context(attempt.pop_all())
        return True


def _make_parent(path: Path) -> None:
    try:
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(path, error) from error


def _check_free(out: Path, *, kind: str, marker: str, overwrite: bool) -> None:
    """Raises `UserError` unless nothing is lost when `out` is written."""
    if not os.path.lexists(out) or (out.is_dir() and not any(out.iterdir())):
        return
    if not (out.is_dir() and (out / marker).is_file()):
        raise UserError(f"{out}: expected a new folder, found something that is no {kind}; choose another --out")
    if not overwrite:
        raise UserError(f"{out}: expected a new folder, found a {kind}; choose another --out, or add --overwrite")


def _open_locked(path: Path, folder: Path) -> int:
    # Imported here because it takes longer to import than everything else in this module.
    from filelock import lock_descriptor

    while True:
        try:
            # O_NOFOLLOW: a symbolic link in its place is refused.
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        except OSError as error:
            raise write_error(path, error) from error
        with ExitStack() as unless_locked:
            unless_locked.callback(os.close, descriptor)
            try:
                free = lock_descriptor(descriptor, blocking=False)
            except OSError as error:
                advice = "choose a folder on a file system that supports file locks"
                raise UserError(f"{folder}: cannot be locked: {error.strerror or error}; {advice}") from error
            if not free:
                raise FolderInUseError(
                    f"{folder}: expected a folder that no other process is writing, found one that is; "
                    "wait for that process to end, or stop it"
                )
            # The last holder may have removed the file between our open and our lock. A lock on a removed file locks
            # nobody out, so try again with the file that is there now.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), path.lstat()):
                    unless_locked.pop_all()
                    return descriptor
