"""`pytest` alone runs the short suite: everything but the folders and files that take longest."""

import shutil
import subprocess
import sys

from tests.conftest import LONG, SLOW, in_entries
from tests.packaging.imports import ROOT


def test_marked_files_and_tests_exist_and_have_one_mark():
    entries = (*SLOW, *LONG)
    assert len(set(entries)) == len(entries)
    for entry in entries:
        path, _, test = entry.partition("::")
        assert (ROOT / "tests" / path).exists(), entry
        assert not test or f"def {test.partition('[')[0]}" in (ROOT / "tests" / path).read_text("utf-8"), entry


def test_short_suite_keeps_the_laws():
    assert not {"laws", "laws/test_laws.py", "laws/test_completeness.py"} & {*SLOW, *LONG}


def test_mark_is_on_its_files_and_tests_alone(request):
    """xdist workers see every test that was collected, so this holds for whatever was selected."""
    for item in request.session.items:
        marks = [mark for mark in ("slow", "long") if item.get_closest_marker(mark)]
        expected = ["long"] if in_entries(item, LONG) else ["slow"] if in_entries(item, SLOW) else []
        assert marks == expected, item.nodeid


def test_pytest_alone_runs_the_short_suite_and_a_named_file_is_run_whole(tmp_path):
    """Asked of a project of two files, one of which has the name of a slow one: collecting all would take a minute."""
    for name in ("pyproject.toml", "README.md", "tests/conftest.py", "tests/storage/test_locks.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    slow = "tests/trust/test_kill.py"
    (tmp_path / slow).parent.mkdir()
    (tmp_path / slow).write_text("def test_it():\n    pass\n")

    def selected(*arguments):
        command = [sys.executable, "-m", "pytest", "--collect-only", "-n", "0", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    alone = selected()
    assert f"{slow}::" not in alone and "tests/storage/test_locks.py::" in alone
    assert f"{slow}::" in selected(slow)
    assert f"{slow}::" in selected("-m", "slow")
