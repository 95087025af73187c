"""Every damage to every file of a run is detected, and a run resumes from its newest valid checkpoint."""

import shutil
import signal
from functools import partial

import pytest

from jaxnn.runs import checkpoints
from jaxnn.runs import folder as run_folder
from tests.trust.damage import all_files, damages, detect, expected_shapes
from tests.trust.kill import command, result, state


@pytest.fixture
def copy(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "copy")


def test_flipped_bits_and_truncated_files_are_detected(copy):
    tried = list(damages(copy, flips=1000, cuts=200, seed=0))
    assert [damage for damage in tried if damage.undetected_by] == []
    assert {damage.file for damage in tried} == {path.relative_to(copy).as_posix() for path in all_files(copy)}


def test_missing_empty_and_linked_files_are_detected(copy, tmp_path):
    """Each file is removed, emptied, or replaced by a link to a copy of it."""
    shapes = expected_shapes(copy)
    for path in all_files(copy):
        backup = tmp_path / "backup"
        for description, harm in (
            ("removed", lambda path, backup: path.rename(backup)),
            ("emptied", lambda path, backup: (shutil.copy(path, backup), path.write_bytes(b""))),
            ("a link", lambda path, backup: (path.rename(backup), path.symlink_to(backup))),
        ):
            damage = detect(copy, shapes, path, description, partial(harm, path, backup))
            path.unlink(missing_ok=True)
            backup.rename(path)
            # Without its manifest a folder is no run.
            if (description, damage.file) != ("removed", run_folder.MANIFEST):
                assert damage.undetected_by == [], damage


def test_exchanged_files_of_two_checkpoints_are_detected(copy):
    first, *_, last = checkpoints.paths(copy)
    original = (last / checkpoints.STATE).read_bytes()
    harm = lambda: (last / checkpoints.STATE).write_bytes((first / checkpoints.STATE).read_bytes())  # noqa: E731
    assert detect(copy, expected_shapes(copy), last / checkpoints.STATE, "exchanged", harm).undetected_by == []
    (last / checkpoints.STATE).write_bytes(original)


def test_resume_skips_a_damaged_checkpoint_with_a_message_and_ends_bit_equal(fork_server, tmp_path):
    assert fork_server.run(*command(tmp_path / "whole"))["code"] == 0
    run = tmp_path / "run"
    interrupted = fork_server.run(*command(run), once=[run, signal.SIGTERM])
    assert interrupted["code"] == 143, interrupted
    before, newest = checkpoints.paths(run)[-2:]
    data = bytearray((newest / checkpoints.STATE).read_bytes())
    data[len(data) // 2] ^= 1
    (newest / checkpoints.STATE).write_bytes(data)
    answer = fork_server.run("resume", run)
    assert answer["code"] == 0, answer["err"]
    assert f"{newest / checkpoints.STATE}: is damaged" in answer["err"]
    assert "the checkpoint before it is used" in answer["err"] and before.name < newest.name
    assert result(run) == result(tmp_path / "whole")
    assert state(run) == state(tmp_path / "whole")
