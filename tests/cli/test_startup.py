"""The command line as a process of its own: what it imports, how it starts and how it ends."""

import importlib.metadata
import os
import resource
import subprocess
import sys

import pytest

from tests.cli.process import own_lines

RUN_ARGUMENTS = """
import sys
try:
    import jaxnn.cli
    jaxnn.cli.main()
except SystemExit:
    pass
heavy = {'jax', 'matplotlib', 'sklearn', 'numpy', 'pydantic'}
print('HEAVY', sorted(heavy & set(sys.modules)))
"""


def jaxnn(*words, **options):
    """Runs a command line in a process of its own."""
    return subprocess.run([sys.executable, "-m", "jaxnn", *words], text=True, stderr=subprocess.PIPE, **options)


@pytest.mark.parametrize(("option", "text"), [("--help", "train"), ("--version", "jaxnn ")])
def test_help_and_version_import_neither_jax_nor_matplotlib(option, text):
    done = subprocess.run([sys.executable, "-c", RUN_ARGUMENTS, option], capture_output=True, text=True, check=True)
    assert text in done.stdout and "HEAVY []" in done.stdout


def processor_seconds(*words):
    """The processor's time of a Python process, on which other processes of the machine count little."""

    def used():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before = used()
    subprocess.run([sys.executable, *words], capture_output=True, check=True)
    return used() - before


def test_help_starts_quickly():
    """Within 20 empty starts of Python, which is 0.2 s where one takes 10 ms: the bound holds on a slow machine too.

    Both are measured in turns; the best of five each.
    """
    turns = [(processor_seconds("-c", "pass"), processor_seconds("-m", "jaxnn", "--help")) for _ in range(5)]
    empty, helped = (min(column) for column in zip(*turns, strict=True))
    assert helped < 20 * empty


def test_version_prints_the_installed_version():
    from jaxnn import __version__

    done = jaxnn("--version", stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"jaxnn {__version__}\n", "")


def test_version_says_that_a_source_tree_is_not_installed(monkeypatch):
    def version(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    import jaxnn

    assert jaxnn.__version__ == "unknown (not installed)"


def test_user_error_exits_with_2_and_no_traceback(tmp_path):
    done = jaxnn("train", "nosuch", cwd=tmp_path)
    assert done.returncode == 2 and "Traceback" not in done.stderr and not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", ["--help", "train --help", "--version", "configs", "summary digits_mlp"])
def test_closed_pipe_ends_a_command_quietly(words, tmp_path):
    """As in `jaxnn --help | true`. Python buffers what is printed, so both a print and the last flush can fail."""
    for unbuffered in ("", "1"):
        reader, writer = os.pipe()
        os.close(reader)
        try:
            done = jaxnn(*words.split(), stdout=writer, cwd=tmp_path, env=os.environ | {"PYTHONUNBUFFERED": unbuffered})
        finally:
            os.close(writer)
        assert (done.returncode, own_lines(done.stderr)) == (141, [])


def test_closed_pipe_leaves_the_line_of_a_user_error(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = jaxnn("train", "nosuch", stdout=writer, cwd=tmp_path)
    finally:
        os.close(writer)
    (line,) = own_lines(done.stderr)
    assert done.returncode == 2 and line.startswith("jaxnn: unknown config")


def test_closed_error_stream_ends_a_command_quietly(tmp_path):
    """As in `jaxnn train nosuch 2>&1 | true`."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        words = [sys.executable, "-m", "jaxnn", "train", "nosuch"]
        done = subprocess.run(words, stdout=writer, stderr=writer, cwd=tmp_path)
    finally:
        os.close(writer)
    assert done.returncode == 141


def test_training_into_a_closed_pipe_keeps_the_finished_run(tmp_path):
    """The table that training prints at its end fails; all files are written before it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "jaxnn", "train", "digits_mlp", "--train.epochs", "1", "--out", "run"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    message = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), own_lines(message)) == (141, [])
    assert not (tmp_path / "run").exists() or (tmp_path / "run" / "report.html").exists()


def test_closed_standard_output_is_no_error():
    """As in `jaxnn configs >&-`, where Python has no `sys.stdout`."""
    for word in ("--help", "configs"):
        command = ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-m", "jaxnn", word]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
        assert (done.returncode, own_lines(done.stderr)) == (0, [])
