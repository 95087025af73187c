"""`pytest` alone runs the short suite: everything but the folders and files that take longest."""

import ast
import shutil
import subprocess
import sys

from tests.packaging.imports import ROOT


def _slow_paths() -> tuple[str, ...]:
    (value,) = (
        node.value
        for node in ast.parse((ROOT / "tests" / "conftest.py").read_text()).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SLOW"
    )
    return ast.literal_eval(value)


def test_slow_paths_exist():
    assert [name for name in _slow_paths() if not (ROOT / "tests" / name).exists()] == []


def test_short_suite_keeps_the_laws():
    assert not {"laws", "laws/test_laws.py", "laws/test_completeness.py"} & set(_slow_paths())


def test_mark_is_on_slow_files_alone(request):
    """xdist workers see every test that was collected, so this holds for whatever was selected."""
    marks = {(item.path, "slow" in item.keywords) for item in request.session.items}
    paths = [ROOT / "tests" / name for name in _slow_paths()]
    assert [(path, mark) for path, mark in marks if mark != any(path.is_relative_to(slow) for slow in paths)] == []


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
