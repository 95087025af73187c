"""The lock on a folder, and the folder that a new run claims by it."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import filelock
import pytest

from jaxnn.errors import UserError
from jaxnn.storage.files import atomic_directory
from jaxnn.storage.locks import claimed, locked, remove_abandoned_lock

#: A process that locks the folder it is given, says so, and waits.
HOLDER = """
import sys
from pathlib import Path
from jaxnn.storage.locks import locked
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
        f"{folder.resolve()}: expected a folder that no other process is writing, found one that is; "
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


def test_abandoned_lock_alone_is_removed(folder, holder):
    remove_abandoned_lock(folder)
    assert_locked(folder)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    remove_abandoned_lock(folder)
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


#: A process that claims a folder as soon as the file "start" exists, fills it, prints its name and ends.
CLAIMER = """
import sys, time
from pathlib import Path
from jaxnn.errors import UserError
from jaxnn.storage.files import atomic_directory, atomic_write
from jaxnn.storage.locks import claimed
print('ready', flush=True)
while not Path('start').exists():
    pass
try:
    with claimed(Path(sys.argv[1]) if sys.argv[1] else None, 'digits', kind='run', marker='manifest.json') as path:
        time.sleep(0.2)
        with atomic_directory(path) as folder:
            atomic_write(folder / 'manifest.json', b'')
    print(path.as_posix(), flush=True)
except UserError as error:
    print(f'refused: {error}', flush=True)
"""
PROCESSES = 5


def claims(folder, out):
    """What each of several processes says that claim a folder at the same moment."""
    processes = [
        subprocess.Popen([sys.executable, "-c", CLAIMER, out], stdout=subprocess.PIPE, text=True, cwd=folder)
        for _ in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    (folder / "start").touch()
    answers = [process.communicate()[0].strip() for process in processes]
    assert [process.returncode for process in processes] == [0] * PROCESSES
    return answers


def test_claimed_gives_processes_that_start_at_once_a_folder_each(tmp_path):
    names = {"runs/digits", *(f"runs/digits-{i}" for i in range(2, PROCESSES + 1))}
    assert set(claims(tmp_path, "")) == names
    assert {path.relative_to(tmp_path).as_posix() for path in (tmp_path / "runs").iterdir()} == names


def test_claimed_gives_a_named_folder_to_one_process_and_refuses_the_others_in_one_line(tmp_path):
    answers = sorted(claims(tmp_path, "mine"))
    assert answers[0] == "mine" and len(answers) == PROCESSES
    assert all(answer.startswith("refused: ") and "\n" not in answer for answer in answers[1:])
    assert {path.name for path in tmp_path.iterdir()} == {"start", "mine"}


def test_claimed_takes_the_first_name_that_is_neither_taken_nor_claimed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "digits").mkdir(parents=True)
    (tmp_path / "runs" / "digits-3").symlink_to("nowhere")
    claim = claimed(None, "digits", kind="run", marker="manifest.json")
    with locked(tmp_path / "runs" / "digits-2"), claim as path:
        assert path == Path("runs/digits-4")
    with claimed(None, "digits", kind="run", marker="manifest.json") as path:
        assert path == Path("runs/digits-2")


@pytest.mark.parametrize(
    ("file", "overwrite", "message"),
    [
        ("manifest.json", False, "found a run; choose another --out, or add --overwrite"),
        ("notes.txt", True, "found something that is no run; choose another --out"),
    ],
)
def test_claimed_refuses_a_folder_whose_content_would_be_lost(folder, file, overwrite, message):
    (folder / file).touch()
    with (
        pytest.raises(UserError, match=message),
        claimed(folder, "", kind="run", marker="manifest.json", overwrite=overwrite),
    ):
        pass
    assert [path.name for path in folder.parent.iterdir()] == ["run"]
