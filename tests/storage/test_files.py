"""Atomic writes, checksummed JSON and the lock on a folder."""

import errno
import os
import signal
import subprocess
import sys

import filelock
import pytest

from jaxnn.errors import UserError, hint, plural
from jaxnn.storage import files
from jaxnn.storage.files import atomic_directory, atomic_write, choose_folder, fsync_folder, locked, one_line

#: A process that locks the folder it is given, says so, and waits.
HOLDER = """
import sys
from pathlib import Path
from jaxnn.storage.files import locked
with locked(Path(sys.argv[1])):
    print('locked', flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


@pytest.fixture
def holder(folder):
    """Another process that has locked the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None and process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    yield process
    process.stdin.close()
    process.stdout.close()
    process.wait()


def assert_locked(folder):
    with pytest.raises(UserError) as refusal, locked(folder):
        pass
    assert str(refusal.value) == (
        f"{folder.resolve()}: expected a run that no other process is training, found one that is; "
        "wait for that process to end, or stop it"
    )


def assert_free(folder):
    with locked(folder):
        pass


def test_locked_refuses_another_process_until_it_ends(folder, holder):
    assert_locked(folder)
    assert holder.stdin is not None
    holder.stdin.close()
    assert holder.wait() == 0
    assert_free(folder)


def test_locked_is_released_when_the_process_is_killed(folder, holder):
    assert_locked(folder)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (folder.parent / ".run.lock").exists()
    assert_free(folder)
    assert list(folder.parent.iterdir()) == [folder]


def test_locked_leaves_no_file(folder):
    with locked(folder):
        assert list(folder.iterdir()) == []
    assert list(folder.parent.iterdir()) == [folder]


def test_locked_refuses_the_same_process_and_the_same_folder_by_another_path(folder, monkeypatch):
    (folder.parent / "link").symlink_to(folder)
    monkeypatch.chdir(folder)
    with locked(folder):
        for path in (folder, folder.parent / "link", folder / "..", type(folder)()):
            if path.resolve() == folder:
                assert_locked(path)
        assert_free(folder.parent / "link" / "other")
    assert_free(folder)


def test_locked_survives_the_replacement_of_the_folder(folder):
    with locked(folder):
        folder.rename(folder.with_name("old"))
        with atomic_directory(folder):
            pass
        assert_locked(folder)
    assert_free(folder)


def test_locked_ignores_a_lock_file_that_the_last_holder_removed(folder, monkeypatch):
    """Between our open and our lock the holder removes the file, and a third process creates and locks a new one."""
    path, lock_descriptor, attempts = folder.parent / ".run.lock", filelock.lock_descriptor, []

    def race(descriptor, **options):
        attempts.append(descriptor)
        if len(attempts) == 1:
            path.unlink()
            path.touch()
        return lock_descriptor(descriptor, **options)

    monkeypatch.setattr(filelock, "lock_descriptor", race)
    with locked(folder):
        assert len(attempts) == 2
        monkeypatch.undo()
        assert_locked(folder)


def test_locked_names_a_file_system_without_locks(folder, monkeypatch):
    def missing(descriptor, **options):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(filelock, "lock_descriptor", missing)
    with pytest.raises(UserError, match="cannot be locked: Function not implemented; choose a folder on a file system"):
        assert_free(folder)


def test_locked_follows_no_link(folder, tmp_path):
    (tmp_path / ".run.lock").symlink_to(tmp_path / "target")
    with pytest.raises(UserError, match=r"cannot write .*\.run\.lock"):
        assert_free(folder)
    assert not (tmp_path / "target").exists()


def test_fsync_folder_is_skipped_where_it_is_impossible(folder, monkeypatch):
    def fail(number):
        def fsync(descriptor):
            raise OSError(number, os.strerror(number))

        return fsync

    for number in (errno.EINVAL, errno.ENOTSUP):
        monkeypatch.setattr(os, "fsync", fail(number))
        fsync_folder(folder)
    monkeypatch.setattr(os, "fsync", fail(errno.EIO))
    with pytest.raises(OSError, match=r"Input/output error"):
        fsync_folder(folder)
    monkeypatch.setattr(files, "CAN_OPEN_FOLDERS", False)
    fsync_folder(folder)


def test_atomic_write_leaves_the_old_file_where_it_fails(folder, monkeypatch):
    atomic_write(folder / "file", b"old")

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"cannot write .*file: No space left on device; choose a folder"):
        atomic_write(folder / "file", b"new")
    assert (folder / "file").read_bytes() == b"old" and len(list(folder.iterdir())) == 1


def test_atomic_directory_leaves_nothing_where_its_block_raises(tmp_path):
    def fill():
        with atomic_directory(tmp_path / "new") as temporary:
            atomic_write(temporary / "file", b"content")
            raise KeyError

    with pytest.raises(KeyError):
        fill()
    assert list(tmp_path.iterdir()) == []


def test_choose_folder_takes_the_first_free_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for expected in ("digits", "digits-2", "digits-3"):
        path = choose_folder(None, "digits", kind="run", marker="manifest.json", overwrite=False)
        assert path.as_posix() == f"runs/{expected}"
        path.mkdir(parents=True)


def test_messages_are_one_line_and_count_correctly():
    assert one_line(ValueError("a\nb\n" + "c" * 1000)) == "a b " + "c" * 496 + " …"
    assert [plural(n, "seed") for n in (0, 1, 2, 2000)] == ["0 seeds", "1 seed", "2 seeds", "2,000 seeds"]
    assert hint("sedes", ["seeds", "grad"], repr) == "; did you mean 'seeds'?"
    assert hint("x", ["seeds"]) == hint(3, ["seeds"]) == ""
