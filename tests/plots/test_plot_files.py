"""A figure's file is whole or absent, and holds nothing but the picture."""

import numpy as np
import pytest

from jaxnn import plots
from jaxnn.errors import UserError


def figure():
    return plots.loss_curves([1, 2, 5], {"loss": [3, 2, 1]}, "epoch")


def chunks(picture: bytes) -> set[bytes]:
    """The kinds of chunk in a PNG."""
    at, kinds = 8, set()
    while at < len(picture):
        kinds.add(picture[at + 4 : at + 8])
        at += 12 + int.from_bytes(picture[at : at + 4], "big")
    return kinds


def test_png_holds_no_date_version_or_comment():
    assert chunks(plots.png(figure())) == {b"IHDR", b"pHYs", b"IDAT", b"IEND"}


def test_png_has_the_size_and_resolution_that_it_says():
    picture = plots.png(figure())
    width, height = (int.from_bytes(picture[i : i + 4], "big") for i in (16, 20))
    assert np.allclose((width, height), 120 * figure().get_size_inches(), atol=1)


def test_save_writes_the_bytes_it_returns_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "figure.png"
    path.write_bytes(b"an older one")
    assert plots.save(figure(), path) == path.read_bytes() == plots.png(figure())
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_save_names_the_path_and_leaves_nothing(tmp_path):
    (tmp_path / "folder.png").mkdir()
    for path in (tmp_path / "absent" / "figure.png", tmp_path / "folder.png"):
        with pytest.raises(UserError, match=path.name):
            plots.save(figure(), path)
    assert [p.name for p in tmp_path.iterdir()] == ["folder.png"]


def test_a_figure_cut_short_leaves_the_older_file(tmp_path, monkeypatch):
    path = tmp_path / "figure.png"
    path.write_bytes(b"an older one")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(UserError, match="No space left"):
        plots.save(figure(), path)
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"an older one"]
