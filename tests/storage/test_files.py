"""Atomic writes and checksummed JSON."""

import errno
import os

import pytest

from jaxnn.errors import UserError, hint, plural
from jaxnn.storage import files
from jaxnn.storage.files import atomic_directory, atomic_write, fsync_folder, one_line


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


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


def test_messages_are_one_line_and_count_correctly():
    assert one_line(ValueError("a\nb\n" + "c" * 1000)) == "a b " + "c" * 496 + " …"
    assert [plural(n, "seed") for n in (0, 1, 2, 2000)] == ["0 seeds", "1 seed", "2 seeds", "2,000 seeds"]
    assert hint("sedes", ["seeds", "grad"], repr) == "; did you mean 'seeds'?"
    assert hint("x", ["seeds"]) == hint(3, ["seeds"]) == ""
