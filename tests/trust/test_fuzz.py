"""Ten thousand inputs: every reader reads or refuses each, in one line of our own."""

import shutil

import pytest

from jaxnn.runs import checkpoints
from tests.trust.fuzz import fuzz, readers


@pytest.fixture(scope="module")
def place(finished, tmp_path_factory):
    """A copy of a run, in which a file `x` of any bytes may lie."""
    run = shutil.copytree(finished, tmp_path_factory.mktemp("fuzz") / "run")
    return run, readers(finished)


NAMES = (
    "pickle", "pickle in gzip", "IDX", "IDX in gzip", "CSV", "weights", "PNG", "JPEG", "GIF", "BMP", "config",
    "overrides", "history", "manifest, sealed", "checkpoint, sealed",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_any_input_is_read_or_refused(place, name):
    run, table = place
    file = {"history": run / "history.csv", "checkpoint, sealed": run / checkpoints.FOLDER / "x"}.get(name, run / "x")
    assert fuzz(table[name], name, file) >= 0.9 * table[name].count


def test_they_are_ten_thousand_and_no_reader_is_left_out(place):
    _, table = place
    assert tuple(table) == NAMES and sum(reader.count for reader in table.values()) == 10_000
