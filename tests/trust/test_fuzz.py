"""Ten thousand inputs: every reader accepts or refuses each, with one line of our own."""

import shutil

import pytest

from jaxnn.runs import checkpoints
from tests.trust.fuzz import fuzz, readers


@pytest.fixture(scope="module")
def run_and_readers(finished, tmp_path_factory):
    """A copy of a run, in which a file `x` of any bytes may lie, and the table of readers."""
    run = shutil.copytree(finished, tmp_path_factory.mktemp("fuzz") / "run")
    return run, readers(finished)


NAMES = (
    "pickle", "pickle in gzip", "IDX", "IDX in gzip", "CSV", "text", "lines", "labelled lines", "series", "ts",
    "weights", "weights of a run", "PNG", "JPEG", "GIF",
    "BMP", "TIFF", "WEBP", "config", "overrides", "history", "manifest with checksum", "manifest of a Python run",
    "checkpoint with checksum",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_reader_accepts_or_refuses_every_input(run_and_readers, name):
    run, table = run_and_readers
    file = {"history": run / "history.csv", "checkpoint with checksum": run / checkpoints.FOLDER / "x"}.get(
        name, run / "x"
    )
    assert fuzz(table[name], name, file) >= 0.9 * table[name].max_examples


def test_readers_are_all_tested_with_eleven_thousand_inputs(run_and_readers):
    _, table = run_and_readers
    assert tuple(table) == NAMES and sum(reader.max_examples for reader in table.values()) == 11_000
