"""`pytest` alone runs the short suite: everything but the folders and files that take longest."""

import ast
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
    for item in request.session.items:
        path = item.path
        slow = any(path.is_relative_to(ROOT / "tests" / name) for name in _slow_paths())
        assert ("slow" in item.keywords) == slow


def test_pytest_alone_runs_the_short_suite_and_a_named_file_is_run_whole():
    def selected(*arguments):
        command = [sys.executable, "-m", "pytest", "--collect-only", "-n", "0", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert "tests/trust/test_kill.py::" not in selected("--ignore=tests/laws", "--ignore=tests/data")
    assert "tests/trust/test_kill.py::" in selected("tests/trust/test_kill.py")
    assert "tests/trust/test_kill.py::" in selected("--ignore=tests/laws", "--ignore=tests/data", "-m", "slow")
