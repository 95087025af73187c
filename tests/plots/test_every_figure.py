"""Properties of every figure, tested on the table of cases."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import matplotlib
import numpy as np
import pytest
from figure_cases import CASES, HOSTILE
from matplotlib.figure import Figure
from matplotlib.text import Text

from jaxnn import plots

every_figure = pytest.mark.parametrize("name", CASES)


def draw(name: str, transform=np.asarray) -> Figure:
    return CASES[name](np.random.default_rng(7), transform)


@cache
def cached_figure(name: str) -> Figure:
    """The figure for tests that do not modify it."""
    return draw(name)


@cache
def cached_png(name: str) -> bytes:
    return plots.png(draw(name))


def texts(figure: Figure) -> list[Text]:
    """The visible texts of the figure; the label of a tick outside the limits of its axis is not drawn."""
    figure.draw_without_rendering()
    hidden = set()
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = axis.get_major_ticks() + axis.get_minor_ticks()
            invisible = [t for t in ticks if not ax.axison or not low <= t.get_loc() <= high]
            hidden |= {label for t in invisible for label in (t.label1, t.label2)}
            hidden |= set() if ax.axison else {axis.label, axis.get_offset_text()}
    nonempty = [t for t in figure.findobj(Text) if isinstance(t, Text) and t.get_text().strip()]
    return [t for t in nonempty if t.get_visible() and t not in hidden]


def test_figure_cases_cover_every_public_figure():
    public = {name for name in vars(plots) if callable(getattr(plots, name))} - {"png", "save"}
    assert public <= set(CASES)


@every_figure
def test_figure_axes_are_labelled(name):
    for ax in cached_figure(name).axes:
        colorbar = ax.get_label() == "<colorbar>"
        assert not ax.axison or (ax.get_ylabel() and (colorbar or ax.get_xlabel()))


@every_figure
def test_figure_texts_lie_inside_with_a_readable_size(name):
    figure = cached_figure(name)
    for text in texts(figure):
        box = text.get_window_extent()
        assert box.x0 >= 0 and box.y0 >= 0, text
        assert box.x1 <= figure.bbox.width and box.y1 <= figure.bbox.height, text
        assert float(text.get_fontsize()) >= 8, text


@every_figure
def test_figure_texts_do_not_overlap(name):
    figure = cached_figure(name)
    boxes = [(text, text.get_window_extent()) for text in texts(figure)]
    for i, (text, box) in enumerate(boxes):
        for other, other_box in boxes[:i]:
            width = min(box.x1, other_box.x1) - max(box.x0, other_box.x0)
            height = min(box.y1, other_box.y1) - max(box.y0, other_box.y0)
            assert min(width, height) <= 2, (text, other)  # pixels


@every_figure
def test_figure_does_not_parse_mathtext(name):
    figure = draw(name)
    with_dollar = [t for t in texts(figure) if "$" in t.get_text()]
    assert not any(t.get_parse_math() for t in with_dollar), with_dollar


@pytest.mark.parametrize("name", ["confusion_matrix", "decision_boundary", "learning_curves", "loss_curves", "sweep"])
def test_figure_shows_a_dollar_sign_verbatim(name):
    assert HOSTILE[0] in {t.get_text().strip() for t in texts(cached_figure(name))}


@every_figure
def test_figure_png_is_deterministic(name):
    assert plots.png(draw(name)) == cached_png(name)


def test_figure_png_is_the_same_in_parallel_threads():
    serial = [cached_png(name) for name in CASES]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda name: plots.png(draw(name)), CASES)) == serial


@every_figure
@pytest.mark.parametrize(("value", "share"), [(np.nan, 0.3), (np.nan, 1.0), (np.inf, 0.3), (-np.inf, 0.1)])
def test_figure_accepts_nonfinite_values(name, value, share):
    rng = np.random.default_rng(5)

    def corrupt(values):
        return np.where(rng.random(np.shape(values)) < share, value, values)

    draw(name, corrupt).draw_without_rendering()


@every_figure
def test_figure_does_not_modify_its_arrays(name):
    def read_only(values):
        values = np.asarray(values)
        values.flags.writeable = False
        return values

    draw(name, read_only).draw_without_rendering()


@every_figure
def test_figure_does_not_change_rcparams(name):
    before = dict(matplotlib.rcParams)
    draw(name).draw_without_rendering()
    assert dict(matplotlib.rcParams) == before


def test_plots_import_neither_jax_nor_pyplot():
    code = "import sys, jaxnn.plots as p; assert not {'jax', 'matplotlib.pyplot'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
