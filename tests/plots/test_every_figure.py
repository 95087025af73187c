"""Laws that hold for every figure, each over the table of cases."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import matplotlib
import numpy as np
import pytest
from figure_cases import CASES
from matplotlib.figure import Figure
from matplotlib.text import Text

from jaxnn import plots

every_figure = pytest.mark.parametrize("name", CASES)


def draw(name: str, spoil=np.asarray) -> Figure:
    return CASES[name](np.random.default_rng(7), spoil)


@cache
def drawn(name: str) -> Figure:
    """The figure for the laws that only look at it."""
    return draw(name)


@cache
def painted(name: str) -> bytes:
    return plots.png(draw(name))


def texts(figure: Figure) -> list[Text]:
    """What is written on the figure; the text of a tick outside its axis's limits is not drawn."""
    figure.draw_without_rendering()
    hidden = set()
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = axis.get_major_ticks() + axis.get_minor_ticks()
            gone = [t for t in ticks if not ax.axison or not low <= t.get_loc() <= high]
            hidden |= {label for t in gone for label in (t.label1, t.label2)}
            hidden |= set() if ax.axison else {axis.label, axis.get_offset_text()}
    written = [t for t in figure.findobj(Text) if isinstance(t, Text) and t.get_text().strip()]
    return [t for t in written if t.get_visible() and t not in hidden]


def test_every_public_figure_has_a_case():
    public = {name for name in vars(plots) if callable(getattr(plots, name))} - {"png", "save"}
    assert public <= set(CASES)


@every_figure
def test_every_axis_says_what_it_shows(name):
    for ax in drawn(name).axes:
        bar = ax.get_label() == "<colorbar>"
        assert not ax.axison or (ax.get_ylabel() and (bar or ax.get_xlabel()))


@every_figure
def test_every_text_is_inside_the_figure_and_large_enough(name):
    figure = drawn(name)
    for text in texts(figure):
        box = text.get_window_extent()
        assert box.x0 >= 0 and box.y0 >= 0, text
        assert box.x1 <= figure.bbox.width and box.y1 <= figure.bbox.height, text
        assert float(text.get_fontsize()) >= 8, text


@every_figure
def test_no_text_lies_on_another(name):
    figure = drawn(name)
    boxes = [(text, text.get_window_extent()) for text in texts(figure)]
    for i, (text, box) in enumerate(boxes):
        for other, beside in boxes[:i]:
            wide = min(box.x1, beside.x1) - max(box.x0, beside.x0)
            tall = min(box.y1, beside.y1) - max(box.y0, beside.y0)
            assert min(wide, tall) <= 2, (text, other)  # pixels


@every_figure
def test_same_arrays_give_the_same_bytes(name):
    assert plots.png(draw(name)) == painted(name)


def test_threads_draw_what_one_alone_draws():
    alone = [painted(name) for name in CASES]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda name: plots.png(draw(name)), CASES)) == alone


@every_figure
@pytest.mark.parametrize(("bad", "share"), [(np.nan, 0.3), (np.nan, 1.0), (np.inf, 0.3), (-np.inf, 0.1)])
def test_what_is_not_finite_does_not_stop_a_figure(name, bad, share):
    rng = np.random.default_rng(5)

    def spoil(values):
        return np.where(rng.random(np.shape(values)) < share, bad, values)

    draw(name, spoil).draw_without_rendering()


@every_figure
def test_arrays_are_left_as_they_were(name):
    def locked(values):
        values = np.asarray(values)
        values.flags.writeable = False
        return values

    draw(name, locked).draw_without_rendering()


@every_figure
def test_matplotlib_is_left_as_it_was(name):
    before = dict(matplotlib.rcParams)
    draw(name).draw_without_rendering()
    assert dict(matplotlib.rcParams) == before


def test_neither_jax_nor_pyplot_is_imported():
    code = "import sys, jaxnn.plots as p; assert not {'jax', 'matplotlib.pyplot'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
