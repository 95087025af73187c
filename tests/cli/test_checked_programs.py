"""A compiled program that is not as it was written is never run."""

import errno
import os
import random
import subprocess
import sys

import pytest

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
    programs = CheckedPrograms(tmp_path)
    programs.put("jit_f-1", PROGRAM)
    assert programs.get("jit_f-1") == PROGRAM and programs.get("jit_f-2") is None
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    assert programs.get("jit_f-1") is None and not list(tmp_path.iterdir())
    programs.put("jit_f-1", PROGRAM)
    assert programs.get("jit_f-1") == PROGRAM and (programs.found, programs.stored) == (2, 2)


@pytest.mark.parametrize("method", ["open", "replace"])
def test_program_that_is_half_written_is_removed(tmp_path, monkeypatch, method):
    programs, path_type = CheckedPrograms(tmp_path), type(tmp_path)

    def full(path, argument):
        if method == "open":
            with open(path, argument) as file:
                file.write(PROGRAM[: len(PROGRAM) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(path_type, method, full)
    with pytest.raises(OSError, match="No space"):
        programs.put("jit_f-1", PROGRAM)
    assert not list(tmp_path.iterdir()) and programs.stored == 0 and programs.problem
    monkeypatch.undo()
    programs.put("jit_f-1", PROGRAM)
    assert programs.get("jit_f-1") == PROGRAM


def test_what_a_killed_process_leaves_hinders_no_program(tmp_path):
    (tmp_path / ".jit_f-1.77").write_bytes(seal(PROGRAM)[:99])
    programs = CheckedPrograms(tmp_path)
    assert programs.get("jit_f-1") is None
    programs.put("jit_f-1", PROGRAM)
    assert programs.get("jit_f-1") == PROGRAM and programs.problem is None


def test_programs_that_were_not_used_for_the_longest_time_make_room(tmp_path):
    size = len(seal(PROGRAM))
    left = tmp_path / ".jit_old-1.77"  # of a process that was killed
    left.write_bytes(PROGRAM)
    os.utime(left, (0, 0))
    programs = CheckedPrograms(tmp_path, 3 * size + 5)
    for second, name in enumerate(["a", "b", "c"], 1):
        programs.put(name, PROGRAM)
        os.utime(tmp_path / f"{name}-cache", (second, second))
    assert {file.name for file in tmp_path.iterdir()} == {"a-cache", "b-cache", "c-cache"}
    programs.get("a")
    programs.put("d", PROGRAM)
    assert {file.name for file in tmp_path.iterdir()} == {"a-cache", "c-cache", "d-cache"}
    # Another process counts what it finds.
    CheckedPrograms(tmp_path, 2 * size).put("e", PROGRAM)
    assert {file.name for file in tmp_path.iterdir()} == {"d-cache", "e-cache"}


def test_storing_a_program_reads_no_other_one(tmp_path, monkeypatch):
    programs = CheckedPrograms(tmp_path)
    programs.put("a", PROGRAM)
    looked = []
    monkeypatch.setattr(os, "scandir", lambda folder: looked.append(folder) or iter(()))
    for name in "bcd":
        programs.put(name, PROGRAM)
    assert not looked


def test_program_above_the_limit_of_the_cache_is_not_stored(tmp_path, capsys):
    programs = CheckedPrograms(tmp_path, 10)
    programs.put("jit_f-1", PROGRAM)
    programs.warn_if_useless()
    (line,) = capsys.readouterr().err.splitlines()
    assert programs.stored == 0 and "compiled programs are not cached" in line and "MAX_SIZE; raise it" in line


def test_limit_is_that_of_the_environment(folder, monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_MAX_SIZE", "100")
    value, found, stored, err = run()
    assert (value, found, stored) == ("7.0", 0, 0) and "MAX_SIZE; raise it" in err


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
