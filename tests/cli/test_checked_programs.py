"""A compiled program that is not as it was written is never run."""

import errno
import os
import random
import subprocess
import sys

import pytest
from jax._src.lru_cache import LRUCache

from jaxnn.cli.checked_programs import CheckedPrograms, seal, unseal
from jaxnn.cli.compilation_cache import cache_folder

PROGRAM = random.Random(0).randbytes(3001)
#: Compiles one function, and says how many programs were read and how many were stored.
SCRIPT = """
from jaxnn.cli.compilation_cache import enable_compilation_cache
enable_compilation_cache()
from jaxnn.cli.device import select_device
select_device("cpu")
import jax
print(float(jax.jit(lambda x: x * 3 + 1)(2.0)))
from jax._src import compilation_cache
print(compilation_cache._cache.found, compilation_cache._cache.stored)
"""


@pytest.fixture
def folder(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith(("JAX_COMPILATION", "JAX_PERSISTENT", "JAX_ENABLE_C"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return cache_folder()


def run():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    value, counts = done.stdout.split("\n")[:2]
    found, stored = map(int, counts.split())
    return value, found, stored, done.stderr


def test_unseal_refuses_every_flip_and_cut():
    entry, rng = seal(PROGRAM), random.Random(1)
    assert unseal(entry) == PROGRAM
    for _ in range(1000):
        flipped = bytearray(entry)
        flipped[rng.randrange(len(entry))] ^= 1 << rng.randrange(8)
        assert unseal(bytes(flipped)) is None
        assert unseal(entry[: rng.randrange(len(entry))]) is None
    assert unseal(b"") is None and unseal(PROGRAM) is None and unseal(entry + b"\0") is None


def test_damaged_entry_is_removed_and_stored_again(tmp_path):
    programs = CheckedPrograms(LRUCache(str(tmp_path), max_size=1 << 20), tmp_path)
    programs.put("jit_f-1", PROGRAM)
    assert programs.get("jit_f-1") == PROGRAM and programs.get("jit_f-2") is None
    (file,) = tmp_path.glob("*-cache")
    file.write_bytes(file.read_bytes()[:-1])
    assert programs.get("jit_f-1") is None and not list(tmp_path.glob("jit_f-1-*"))
    programs.put("jit_f-1", PROGRAM)
    assert programs.get("jit_f-1") == PROGRAM


def test_program_is_stored_beside_one_that_a_killed_process_left_half_written(tmp_path):
    """JAX writes an entry, and then its time of use."""
    programs = CheckedPrograms(LRUCache(str(tmp_path), max_size=1 << 20), tmp_path)
    programs.put("jit_f-1", PROGRAM)
    (tmp_path / "jit_g-1-cache").write_bytes(seal(PROGRAM)[:99])
    programs.put("jit_h-1", PROGRAM)
    assert programs.get("jit_h-1") == PROGRAM and programs.get("jit_f-1") == PROGRAM
    assert programs.get("jit_g-1") is None and not list(tmp_path.glob("jit_g-1-*"))
    assert programs.stored == 2 and programs.problem is None


@pytest.mark.parametrize("written", ["cache", "atime"])
def test_program_that_is_half_written_is_removed(tmp_path, monkeypatch, written):
    cache = LRUCache(str(tmp_path), max_size=1 << 20)
    programs, path_type = CheckedPrograms(cache, tmp_path), type(cache.path)
    write = path_type.write_bytes

    def full(path, content):
        if path.name.endswith(written):
            write(path, content[: len(content) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, content)

    monkeypatch.setattr(path_type, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        programs.put("jit_f-1", PROGRAM)
    assert not list(tmp_path.glob("jit_f-1-*")) and programs.stored == 0
    monkeypatch.setattr(path_type, "write_bytes", write)
    programs.put("jit_f-1", PROGRAM)
    assert programs.get("jit_f-1") == PROGRAM


def test_program_above_the_limit_of_the_cache_is_not_counted(tmp_path, capsys):
    programs = CheckedPrograms(LRUCache(str(tmp_path), max_size=10), tmp_path)
    with pytest.warns(UserWarning, match="Cache value for key"):
        programs.put("jit_f-1", PROGRAM)
    programs.warn_if_useless()
    (line,) = capsys.readouterr().err.splitlines()
    assert programs.stored == 0 and "compiled programs are not cached" in line and "MAX_SIZE; raise it" in line


def test_process_runs_no_damaged_program(folder):
    value, found, stored, _ = run()
    assert value == "7.0" and found == 0 and stored > 0
    assert run()[:3] == ("7.0", stored, 0)
    files = sorted(folder.glob("*-cache"))
    assert len(files) == stored
    for file in files:
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(bytes(content))
    assert run()[:3] == ("7.0", 0, stored)
    assert run()[:3] == ("7.0", stored, 0)


def test_cache_that_takes_nothing_says_so(folder, tmp_path):
    """A folder cannot replace a file: every entry that is to be written has one in its place."""
    assert run()[3] == ""
    for file in folder.glob("*-cache"):
        file.unlink()
        file.mkdir()
    *_, err = run()
    assert err.count("\n") == 1 and "compiled programs are not cached" in err and "--no-cache" in err
