"""Compiled programs are cached where only the user can write, and never at the cost of a run."""

import os
import stat
import subprocess
import sys

import pytest

from jaxnn.cli.compilation_cache import cache_folder, cache_problem, enable_compilation_cache

SCRIPT = """
from jaxnn.cli.compilation_cache import enable_compilation_cache
enable_compilation_cache()
import jax
jax.jit(lambda x: x * 3 + 1)(2.0)
"""


@pytest.fixture
def cache(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith(("JAX_COMPILATION", "JAX_PERSISTENT", "JAX_ENABLE_C"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return cache_folder()


def test_enable_compilation_cache_writes_programs_for_the_user_alone(cache):
    umask = os.umask(0o002)
    try:
        for _ in range(2):
            subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(cache.stat().st_mode) == stat.S_IMODE(cache.parent.stat().st_mode) == 0o700
    assert any(path.name.startswith("jit_") for path in cache.iterdir())


@pytest.mark.parametrize("which", ["cache", "parent"])
@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_enable_compilation_cache_rejects_a_folder_that_others_can_write_to(cache, capsys, which, mode):
    assert cache_problem(cache) is None
    folder = cache if which == "cache" else cache.parent
    folder.chmod(mode)
    enable_compilation_cache()
    assert "JAX_COMPILATION_CACHE_DIR" not in os.environ
    warning = capsys.readouterr().err
    assert warning.startswith("jaxnn: warning: ") and warning.endswith(f"chmod go-w {folder}\n")


def test_enable_compilation_cache_rejects_a_folder_that_cannot_be_made_or_is_a_link(cache, tmp_path, capsys):
    (tmp_path / "cache").write_text("a file")
    enable_compilation_cache()
    assert "JAX_COMPILATION_CACHE_DIR" not in os.environ and "not cached" in capsys.readouterr().err
    (tmp_path / "cache").unlink()
    cache.parent.mkdir(parents=True, mode=0o700)
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    cache.symlink_to(tmp_path / "elsewhere")
    assert cache_problem(cache) == f"{cache}: expected a folder, found something else"


def test_cache_problem_rejects_another_users_folder(cache, monkeypatch):
    assert cache_problem(cache) is None
    monkeypatch.setattr(os, "getuid", lambda: cache.stat().st_uid + 1)
    assert cache_problem(cache) == f"{cache.parent}: expected a folder of your own, found another user's"


def test_cache_problem_names_a_folder_without_write_permission(cache, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *args: False)
    assert cache_problem(cache) == f"{cache}: no permission to write to this folder"


def test_cache_problem_needs_no_user_ids(cache, monkeypatch):
    """Windows has none."""
    monkeypatch.delattr(os, "getuid")
    assert cache_problem(cache) is None and cache.is_dir()


def test_enable_compilation_cache_respects_the_users_environment(cache, monkeypatch, tmp_path):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "mine"))
    enable_compilation_cache()
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == str(tmp_path / "mine") and not cache.exists()
    monkeypatch.setenv("JAX_ENABLE_COMPILATION_CACHE", "0")
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    enable_compilation_cache()
    assert "JAX_COMPILATION_CACHE_DIR" not in os.environ and not cache.exists()
