"""Compiled programs are kept where the user alone can write, and never at the cost of a run."""

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


def test_programs_are_kept_for_the_user_alone(cache):
    old = os.umask(0o002)
    try:
        for _ in range(2):
            subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True)
    finally:
        os.umask(old)
    assert stat.S_IMODE(cache.stat().st_mode) == stat.S_IMODE(cache.parent.stat().st_mode) == 0o700
    assert any(path.name.startswith("jit_") for path in cache.iterdir())


@pytest.mark.parametrize("which", ["cache", "parent"])
@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_a_folder_that_others_can_write_to_is_not_used(cache, monkeypatch, capsys, which, mode):
    assert cache_problem(cache) is None
    (cache if which == "cache" else cache.parent).chmod(mode)
    enable_compilation_cache()
    assert "JAX_COMPILATION_CACHE_DIR" not in os.environ
    assert "chmod go-w" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_or_is_a_link_is_not_used(cache, tmp_path, capsys):
    (tmp_path / "cache").write_text("a file")
    enable_compilation_cache()
    assert "JAX_COMPILATION_CACHE_DIR" not in os.environ and "not kept" in capsys.readouterr().err
    (tmp_path / "cache").unlink()
    cache.parent.mkdir(parents=True, mode=0o700)
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    cache.symlink_to(tmp_path / "elsewhere")
    assert cache_problem(cache) == "expected a folder, found something else"


def test_another_user_s_folder_is_not_used(cache, monkeypatch):
    assert cache_problem(cache) is None
    monkeypatch.setattr(os, "getuid", lambda: cache.stat().st_uid + 1)
    assert cache_problem(cache) == "expected a folder of your own, found another user's"


def test_what_the_user_asks_of_jax_is_left_alone(cache, monkeypatch, tmp_path):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "own"))
    enable_compilation_cache()
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == str(tmp_path / "own") and not cache.exists()
    monkeypatch.setenv("JAX_ENABLE_COMPILATION_CACHE", "0")
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    enable_compilation_cache()
    assert "JAX_COMPILATION_CACHE_DIR" not in os.environ and not cache.exists()
