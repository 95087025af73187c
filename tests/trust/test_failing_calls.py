"""Each call of a save fails once: the old state stays whole, or the new one is whole, and the next save works."""

import contextlib
import errno

import jax
import numpy as np
import pytest

from jaxnn.errors import UserError
from jaxnn.runs import checkpoints
from jaxnn.storage.files import atomic_write, read_checksummed_json, write_checksummed_json
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
