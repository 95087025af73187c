"""`pytest` alone runs the short suite: everything but the folders and files that take longest."""

import ast
import shutil
import subprocess
import sys

import pytest

from tests.packaging.imports import ROOT


def _paths(name: str) -> tuple[str, ...]:
    """The files and folders that tests/conftest.py marks: "SLOW" or "LONG"."""
    (value,) = (
        node.value
        for node in ast.parse((ROOT / "tests" / "conftest.py").read_text()).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
    )
    return ast.literal_eval(value)


MARKS = {"slow": _paths("SLOW"), "long": _paths("LONG")}


def test_marked_paths_exist_and_have_one_mark():
    paths = [name for names in MARKS.values() for name in names]
    assert [name for name in paths if not (ROOT / "tests" / name).exists()] == []
    assert len(set(paths)) == len(paths)


def test_short_suite_keeps_the_laws():
    marked = {name for names in MARKS.values() for name in names}
    assert not {"laws", "laws/test_laws.py", "laws/test_completeness.py"} & marked


@pytest.mark.parametrize("mark", MARKS)
def test_mark_is_on_its_files_alone(request, mark):
    """xdist workers see every test that was collected, so this holds for whatever was selected."""
    paths = [ROOT / "tests" / name for name in MARKS[mark]]
    marked = {(item.path, item.get_closest_marker(mark) is not None) for item in request.session.items}
    assert [(path, has) for path, has in marked if has != any(path.is_relative_to(name) for name in paths)] == []


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
