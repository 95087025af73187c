"""No damage to any file of a run is silent, and a run goes on from its newest sound checkpoint."""

import shutil
import signal
from functools import partial

import pytest

from jaxnn.runs import checkpoints
from jaxnn.runs import folder as run_folder
from tests.trust.damage import all_files, damages, expected_state, noticed
from tests.trust.kill import command, result, state


@pytest.fixture
def copy(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "copy")


def test_no_flipped_bit_and_no_cut_is_silent(copy):
    found = list(damages(copy, flips=1000, cuts=200, seed=0))
    assert [damage for damage in found if damage.silent] == []
    assert {damage.file for damage in found} == {path.relative_to(copy).as_posix() for path in all_files(copy)}


def test_no_missing_or_exchanged_file_is_silent(copy, tmp_path):
    """Removed, emptied, or in place of it a link to a copy of itself."""
    like = expected_state(copy)
    for path in all_files(copy):
        aside = tmp_path / "aside"
        for what, harm in (
            ("removed", lambda path, aside: path.rename(aside)),
            ("emptied", lambda path, aside: (shutil.copy(path, aside), path.write_bytes(b""))),
            ("a link", lambda path, aside: (path.rename(aside), path.symlink_to(aside))),
        ):
            damage = noticed(copy, like, path, what, partial(harm, path, aside))
            path.unlink(missing_ok=True)
            aside.rename(path)
            # Without its manifest a folder is no run.
            if (what, damage.file) != ("removed", run_folder.MANIFEST):
                assert damage.silent == [], damage


def test_two_files_of_two_checkpoints_exchanged_are_noticed(copy):
    first, *_, last = checkpoints.paths(copy)
    whole = (last / checkpoints.STATE).read_bytes()
    harm = lambda: (last / checkpoints.STATE).write_bytes((first / checkpoints.STATE).read_bytes())  # noqa: E731
    assert noticed(copy, expected_state(copy), last / checkpoints.STATE, "exchanged", harm).silent == []
    (last / checkpoints.STATE).write_bytes(whole)


def test_a_run_whose_newest_checkpoint_is_damaged_says_so_and_ends_bit_equal(fork_server, tmp_path):
    assert fork_server.run(*command(tmp_path / "whole"))["code"] == 0
    run = tmp_path / "run"
    left = fork_server.run(*command(run), once=[run, signal.SIGTERM])
    assert left["code"] == 143, left
    before, newest = checkpoints.paths(run)[-2:]
    data = bytearray((newest / checkpoints.STATE).read_bytes())
    data[len(data) // 2] ^= 1
    (newest / checkpoints.STATE).write_bytes(data)
    answer = fork_server.run("resume", run)
    assert answer["code"] == 0, answer["err"]
    assert f"{newest / checkpoints.STATE}: is damaged" in answer["err"]
    assert "the checkpoint before it is taken" in answer["err"] and before.name < newest.name
    assert result(run) == result(tmp_path / "whole")
    assert state(run) == state(tmp_path / "whole")
