"""A figure is written atomically, and its file contains nothing but the image."""

import numpy as np
import pytest

from jaxnn import plots
from jaxnn.errors import UserError


def figure():
    return plots.loss_curves([1, 2, 5], {"loss": [3, 2, 1]}, "epoch")


def chunk_types(png: bytes) -> set[bytes]:
    offset, types = 8, set()
    while offset < len(png):
        types.add(png[offset + 4 : offset + 8])
        offset += 12 + int.from_bytes(png[offset : offset + 4], "big")
    return types


def test_png_has_no_date_version_or_comment():
    assert chunk_types(plots.png(figure())) == {b"IHDR", b"pHYs", b"IDAT", b"IEND"}


def test_png_has_the_size_of_its_figure():
    png = plots.png(figure())
    width, height = (int.from_bytes(png[i : i + 4], "big") for i in (16, 20))
    assert np.allclose((width, height), 120 * figure().get_size_inches(), atol=1)


def test_save_writes_the_bytes_it_returns_without_leftovers(tmp_path):
    path = tmp_path / "figure.png"
    path.write_bytes(b"older")
    assert plots.save(figure(), path) == path.read_bytes() == plots.png(figure())
    assert list(tmp_path.iterdir()) == [path]


def test_save_error_names_the_path_and_leaves_no_file(tmp_path):
    (tmp_path / "folder.png").mkdir()
    for path in (tmp_path / "absent" / "figure.png", tmp_path / "folder.png"):
        with pytest.raises(UserError, match=path.name):
            plots.save(figure(), path)
    assert [p.name for p in tmp_path.iterdir()] == ["folder.png"]


def test_save_error_keeps_the_older_file(tmp_path, monkeypatch):
    path = tmp_path / "figure.png"
    path.write_bytes(b"older")

    def disk_full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", disk_full)
    with pytest.raises(UserError, match="No space left"):
        plots.save(figure(), path)
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"older"]
