"""Each call of a save fails once: the old state stays whole, or the new one is whole, and the next save works."""

import contextlib
import errno

import jax
import numpy as np
import pytest

from jaxnn.errors import UserError
from jaxnn.runs import checkpoints
from jaxnn.runs import folder as run_folder
from jaxnn.storage.files import atomic_directory, atomic_write, read_checksummed_json, write_checksummed_json, write_new
from tests.trust.failing_calls import failing_call
from tests.trust.round_trips import STATES, shapes

NUMBERS = pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC], ids=["EIO", "ENOSPC"])


def calls_of(folder, save):
    """The calls that a save makes where none fails."""
    with failing_call(folder, None) as calls:
        save()
    return calls.made


def equal(a, b):
    leaves = (jax.tree.leaves(checkpoints.keys_to_data(tree)) for tree in (a, b))
    return all(np.array_equal(x, y, equal_nan=True) for x, y in zip(*leaves, strict=True))


@NUMBERS
def test_checkpoint_is_the_old_or_the_new_one_whichever_call_fails(tmp_path, number):
    like, old = shapes("adam"), STATES["adam"]()
    new = old._replace(steps=old.steps + 1, seconds=old.seconds + 1)
    checkpoints.save(tmp_path / "all", "run", old)
    count = len(calls_of(tmp_path / "all", lambda: checkpoints.save(tmp_path / "all", "run", new)))
    assert count > 12
    for i in range(count):
        run = tmp_path / str(i)
        checkpoints.save(run, "run", old)
        with contextlib.suppress(UserError), failing_call(run, i, number) as calls:
            checkpoints.save(run, "run", new)
        assert len(calls.made) > i
        said = []
        loaded = checkpoints.load_newest_valid(run, like.state, like.history, said.append)
        assert loaded.steps in (old.steps, new.steps) and equal(loaded.state, old.state), calls.made[i]
        assert said == [], calls.made[i]
        checkpoints.save(run, "run", new)
        assert checkpoints.load_newest_valid(run, like.state, like.history, said.append).steps == new.steps


@NUMBERS
@pytest.mark.parametrize("write", [atomic_write, write_checksummed_json], ids=["bytes", "json"])
def test_file_is_the_old_or_the_new_one_whichever_call_fails(tmp_path, write, number):
    contents = (b"old", b"new") if write is atomic_write else ({"a": 1}, {"a": 2})
    read = (lambda path: path.read_bytes()) if write is atomic_write else read_checksummed_json
    (tmp_path / "all").mkdir()
    count = len(calls_of(tmp_path / "all", lambda: write(tmp_path / "all" / "file", contents[1])))
    assert count > 5
    for i in range(count):
        folder = tmp_path / str(i)
        folder.mkdir()
        write(folder / "file", contents[0])
        finished = False
        with contextlib.suppress(UserError), failing_call(folder, i, number) as calls:
            write(folder / "file", contents[1])
            finished = True
        assert len(calls.made) > i
        assert read(folder / "file") in contents[finished:], calls.made[i]
        # Nothing lies beside it, unless it could not be removed.
        assert calls.made[i] == "unlink" or [path.name for path in folder.iterdir()] == ["file"], calls.made[i]


def create(run, name, snapshot):
    """A run's folder, in place of another one."""
    run_folder.create(run, {"config.toml": name}, {"run": name}, snapshot, overwrite=True)


def contents(run, like):
    """What a run's folder says: its name, its config, and the steps of its newest checkpoint; all of one run."""
    newest = checkpoints.load_newest_valid(run, like.state, like.history, pytest.fail)
    return read_checksummed_json(run / "manifest.json")["run"], (run / "config.toml").read_text(), newest.steps


@NUMBERS
def test_run_that_replaces_another_leaves_one_of_them_whole_whichever_call_fails(tmp_path, number):
    like, old = shapes("adam"), STATES["adam"]()
    new = old._replace(steps=old.steps + 1)
    create(tmp_path / "all" / "run", "old", old)
    calls = calls_of(tmp_path / "all", lambda: create(tmp_path / "all" / "run", "new", new))
    assert calls.count("rename") >= 2
    for i in range(len(calls)):
        run = tmp_path / str(i) / "run"
        create(run, "old", old)
        finished = False
        with contextlib.suppress(UserError), failing_call(run.parent, i, number) as failed:
            create(run, "new", new)
            finished = True
        found = contents(run, like)
        assert found in [("old", "old", old.steps), ("new", "new", new.steps)][finished:], failed.made[i]
        # Nothing lies beside it, unless it could not be removed.
        assert finished or [path.name for path in run.parent.iterdir()] == ["run"], failed.made[i]
        create(run, "new", new)
        assert contents(run, like) == ("new", "new", new.steps)


@NUMBERS
def test_save_that_removes_an_older_checkpoint_leaves_a_whole_one_whichever_call_fails(tmp_path, number):
    like, old = shapes("adam"), STATES["adam"]()
    best = old.state.best._replace(epoch=old.state.best.epoch + 1)
    new = old._replace(steps=old.steps + 1, state=old.state._replace(best=best))

    def save(run):
        checkpoints.save(run, "run", new)
        checkpoints.prune(run, "run", 1)

    checkpoints.save(tmp_path / "all", "run", old)
    calls = calls_of(tmp_path / "all", lambda: save(tmp_path / "all"))
    assert calls[-1] == "rmdir" and len(checkpoints.paths(tmp_path / "all")) == 1
    for i in range(len(calls)):
        run = tmp_path / str(i)
        checkpoints.save(run, "run", old)
        with contextlib.suppress(UserError), failing_call(run, i, number):
            save(run)
        assert checkpoints.load_newest_valid(run, like.state, like.history, pytest.fail).steps in (old.steps, new.steps)
        save(run)
        run_folder.remove_leftovers(run)
        assert [path.name for path in (run / checkpoints.FOLDER).iterdir()] == [f"{new.steps:012}"], calls[i]


@NUMBERS
def test_new_file_is_whole_or_missing_whichever_call_fails(tmp_path, number):
    (tmp_path / "all").mkdir()
    calls = calls_of(tmp_path / "all", lambda: write_new(tmp_path / "all" / "file", b"new"))
    assert calls[0] == "open xb" and "fsync" in calls
    for i in range(len(calls)):
        folder = tmp_path / str(i)
        folder.mkdir()
        with contextlib.suppress(UserError), failing_call(folder, i, number):
            write_new(folder / "file", b"new")
            pytest.fail(f"{calls[i]} failed without an error")
        assert not list(folder.iterdir()), calls[i]
        write_new(folder / "file", b"new")
        with pytest.raises(UserError, match="found one that exists"):
            write_new(folder / "file", b"other")
        assert (folder / "file").read_bytes() == b"new"


@NUMBERS
def test_folder_that_replaces_another_leaves_one_of_them_whole_whichever_call_fails(tmp_path, number):
    def fill(folder, content):
        with atomic_directory(folder, overwrite=True) as temporary:
            atomic_write(temporary / "file", content)

    fill(tmp_path / "all" / "folder", b"old")
    calls = calls_of(tmp_path / "all", lambda: fill(tmp_path / "all" / "folder", b"new"))
    for i in range(len(calls)):
        folder = tmp_path / str(i) / "folder"
        fill(folder, b"old")
        finished = False
        with contextlib.suppress(UserError), failing_call(folder.parent, i, number):
            fill(folder, b"new")
            finished = True
        assert (folder / "file").read_bytes() == (b"new" if finished else b"old"), calls[i]
        assert finished or [path.name for path in folder.parent.iterdir()] == ["folder"], calls[i]


def test_folder_is_not_replaced_unless_it_is_empty_or_to_be_overwritten(tmp_path):
    (tmp_path / "empty").mkdir()
    with atomic_directory(tmp_path / "empty") as temporary:
        atomic_write(temporary / "file", b"new")
    assert (tmp_path / "empty" / "file").read_bytes() == b"new"
    with pytest.raises(UserError, match="cannot write"), atomic_directory(tmp_path / "empty") as temporary:
        atomic_write(temporary / "other", b"new")
    assert [path.name for path in (tmp_path / "empty").iterdir()] == ["file"]
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]
